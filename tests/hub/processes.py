"""Hubs and whatever belongs to them as processes of their own: started, watched, stopped, killed.

::

    made_home() ─▶ Hub(home) ─▶ port ─▶ client()          Process: kill, terminate, exit_code; ended with its context
                     └─ kill, start again on the same port
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import orjson

from mqtt_hub.broker.packets import Publish
from mqtt_hub.home import Home
from tests.broker.harness import Client, connected
from tests.hub.harness import make_home

__all__ = ["DEADLINE_S", "ROOT", "Hub", "Process", "made_home", "status_of", "until"]

DEADLINE_S = 60.0
ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], Any], *, seconds: float = DEADLINE_S, told: Callable[[], object] = str) -> Any:
    """Return the condition's value as soon as it is true; ``told`` says more where it never is."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain; {told()}"
        time.sleep(0.05)


def made_home(path: Path, lines: str = "", *, nodes: tuple[str, ...] = ()) -> Home:
    """Make a home with ``lines`` at the end of its configuration, and accounts of trainers."""
    home = make_home(path / "hub", dict.fromkeys(nodes, "trainer"))
    with home.config_path.open("a") as file:
        file.write(lines)
    return home


class Process:
    """A process of ours that a test starts, looks at and ends."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process

    def kill(self) -> None:
        """End it as the power does."""
        self.running.kill()
        self.running.wait(DEADLINE_S)

    def terminate(self) -> int:
        """Ask it to end; return its exit code."""
        self.running.send_signal(signal.SIGTERM)
        return self.running.wait(DEADLINE_S)

    def exit_code(self) -> int:
        """Wait for its own end."""
        return self.running.wait(DEADLINE_S)

    def close(self) -> None:
        """End it if it still runs."""
        if self.process is not None:
            if self.process.poll() is None:
                self.kill()
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                if stream is not None:
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Hub(Process):
    """``mqtt-hub serve`` on a home, at the configured port unless told; after `kill`, `start` again on the same one."""

    def __init__(self, home: Home, *, port: int | None = None, options: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.home, self._options = home, options
        self._at = [] if port is None else ["--port", str(port)]
        self.start()

    def start(self) -> None:
        """Start the hub and wait until it listens."""
        self.home.port_path.unlink(missing_ok=True)  # of one that was killed
        self.close()
        with (self.home.path / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mqtt_hub", "serve", "--home", str(self.home.path), *self._at, *self._options],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip
        until(lambda: self.home.port_path.exists() or self.running.poll() is not None, told=self.log)
        assert self.running.poll() is None, self.log()
        self.port = self.home.running_port()
        self._at = ["--port", str(self.port)]

    def log(self) -> str:
        """Return what it said over all its starts."""
        return (self.home.path / "hub.log").read_text()

    def client(self, name: str, client_id: str = "", **options: Any) -> Client:
        """Return a connected client of an account whose token is kept in the home."""
        return connected(
            self.port, client_id or name, username=name, password=self.home.token(name).encode(), **options
        )


def status_of(hub: Hub, sender: str) -> dict[str, Any]:
    """Return what status/SENDER carries, as it is retained now."""
    with hub.client("observer") as observer:
        observer.subscribe((f"kernel/v1/status/{sender}", 1))
        envelope = orjson.loads(observer.expect(Publish).payload)
        assert envelope["sender"] == sender
        said: dict[str, Any] = orjson.loads(envelope["body"][sender])
        return said
