"""A hub and its nodes for one run: started, waited for, ended, whatever happens. The demo and the experiment use it.

::

    terminable ─▶ running_hub ─▶ (the caller's nodes) ─▶ await_verdicts ─▶ the hub ends with the block
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from mqtt_hub.archive.queries import totals
from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.spawn import Supervisor

__all__ = ["START_S", "await_verdicts", "free_port", "running_hub", "terminable"]

START_S = 30.0  # for the hub to listen, and for every node to be accepted
JUDGE_S = 30.0  # for the validator to finish once the trainers have stopped


def free_port(wanted: int = 0) -> int:
    """Return a port that is free now, the wanted one if it is.

    It stays in the home's configuration, so that the hub can come back to it.
    """
    for port in (wanted, 0):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)) as probe:
            return int(probe.getsockname()[1])
    raise ConfigurationError("no port is free on 127.0.0.1", hint="close something that listens")


def await_verdicts(home: Home, supervisor: Supervisor) -> None:
    """Let the validator finish what was submitted."""
    db = open_read_only(home.archive_path)
    deadline = time.monotonic() + JUDGE_S
    while totals.components_by_verdict(db).get("pending", 0) and time.monotonic() < deadline:
        supervisor.poll()
        time.sleep(0.2)
    db.close()


@contextmanager
def running_hub(home: Home, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the hub in a process of its own, `mqtt-hub serve` with these options; yields once it listens."""
    log = str(home.path / "hub.log")
    process = subprocess.Popen(
        [sys.executable, "-m", "mqtt_hub", "serve", "--home", str(home.path), "--log-file", log, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + START_S
        while not home.port_path.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                complaint = process.communicate()[1].decode(errors="replace").strip().splitlines()
                raise ConfigurationError(f"the hub did not start: {complaint[-1] if complaint else 'no word from it'}")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def terminable() -> Iterator[None]:
    """Turn SIGTERM into an orderly end, as Ctrl-C is."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
