"""Real hubs as processes of their own: started, watched, stopped, killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from mqtt_hub.accounts import Accounts
from mqtt_hub.broker.packets import Publish
from mqtt_hub.cli.home import create_home
from mqtt_hub.home import Config, Home
from tests.broker.harness import Client, connected

__all__ = ["HubProcess", "made_home", "status_of"]

START_S = 30.0
STAMP = "2026-01-01T00:00:00.000Z"


def made_home(path: Path, lines: str = "", *, nodes: tuple[str, ...] = ()) -> Home:
    """Make a home with ``lines`` at the end of its configuration, and accounts of trainers."""
    home = Home(path / "hub")
    create_home(home, Config(port=0, dashboard=False))
    with home.config_path.open("a") as file:
        file.write(lines)
    accounts = Accounts(home.accounts_path)
    for name in nodes:
        home.keep_token(name, accounts.add(name, "trainer", "", STAMP))
    accounts.close()
    return home


class HubProcess:
    """``mqtt-hub serve`` on a home."""

    def __init__(self, home: Home) -> None:
        self.home = home
        home.port_path.unlink(missing_ok=True)  # of a hub that was killed
        with (home.path / "hub.err").open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mqtt_hub", "serve", "--home", str(home.path)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
            )  # fmt: skip
        end = time.monotonic() + START_S
        while not home.port_path.exists():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.02)
        self.port = home.running_port()

    @classmethod
    @contextmanager
    def serving(cls, home: Home) -> Iterator[HubProcess]:
        hub = cls(home)
        try:
            yield hub
        finally:
            hub.kill()

    def said(self) -> str:
        return (self.home.path / "hub.err").read_text()

    def kill(self) -> None:
        """End it as a power failure would."""
        self.process.kill()
        self.process.wait(START_S)

    def stop(self) -> int:
        """End it in order; return its exit code."""
        self.process.terminate()
        return self.process.wait(START_S)

    def client(self, name: str, client_id: str = "", **options: Any) -> Client:
        """Return a connected client of an account whose token is kept in the home."""
        return connected(
            self.port, client_id or name, username=name, password=self.home.token(name).encode(), **options
        )


def status_of(hub: HubProcess, sender: str) -> dict[str, Any]:
    """Return what status/SENDER carries, as it is retained now."""
    with hub.client("observer") as observer:
        observer.subscribe((f"kernel/v1/status/{sender}", 1))
        envelope = orjson.loads(observer.expect(Publish).payload)
        assert envelope["sender"] == sender
        said: dict[str, Any] = orjson.loads(envelope["body"][sender])
        return said
