"""mosquitto and nats-server as processes, with the accounts and rules that `mqtt-hub rules` writes for a home.

::

    make_home() ─▶ Broker.mosquitto(home, directory) ─▶ port, url; kill, start again on the same port, reload
"""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from mqtt_hub.accounts import AccountRecord, Accounts
from mqtt_hub.home import Home
from mqtt_hub.rehearsal import free_port
from mqtt_hub.rules import write_rules
from tests.real_parts import need

__all__ = ["Broker", "account_records", "use_broker"]

START_S = 30.0


def use_broker(home: Home, url: str, *lines: str) -> None:
    """Make the home's configuration name an external broker."""
    text = home.config_path.read_text()
    before, after = text.split('url = ""', 1)
    home.config_path.write_text("\n".join([f'{before}url = "{url}"', *lines]) + after)


class Broker:
    """A broker's process on one port; leaving the context ends it."""

    def __init__(self, kind: str, program: str, directory: Path, port: int) -> None:
        self.kind, self.directory, self.port = kind, directory, port
        self._command = [program, "-c", str(directory / f"{kind}.conf")]
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @classmethod
    def of(cls, kind: str, home: Home, directory: Path, *lines: str) -> Self:
        """Start a broker with the home's accounts; ``lines`` end its configuration."""
        program = need({"mosquitto": "mosquitto", "nats": "nats-server"}[kind])
        port = free_port()
        write_rules(kind, account_records(home), directory, prefix="kernel", host="127.0.0.1", port=port)
        with (directory / f"{kind}.conf").open("a") as file:
            # Started as root it would become another user, who may not read our files.
            file.write("\n".join([*(["user root"] if kind == "mosquitto" else []), *lines, ""]))
        return cls(kind, program, directory, port)

    @property
    def url(self) -> str:
        """Return what the hub's configuration names it."""
        return f"mqtt://hub@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it (again) and wait until it lets clients in."""
        with (self.directory / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
                break
            except OSError:
                assert self.process.poll() is None, self.said()
                assert time.monotonic() < end, self.said()
                time.sleep(0.02)

    def said(self) -> str:
        """Return its log."""
        return (self.directory / "broker.log").read_text()

    def take_up(self, home: Home) -> None:
        """Write the accounts anew and let the running broker read them."""
        write_rules(self.kind, account_records(home), self.directory, prefix="kernel", host="127.0.0.1", port=self.port)
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End it as a power failure would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(START_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def account_records(home: Home) -> Sequence[AccountRecord]:
    """Return the accounts of a home."""
    accounts = Accounts(home.accounts_path)
    records = accounts.all()
    accounts.close()
    return records
