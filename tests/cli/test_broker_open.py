"""`mqtt-hub broker --open` with the clients that everybody has: no accounts, on loopback only."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.node.fleet import DEADLINE_S, ROOT
from tests.real_parts import need


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


@pytest.fixture
def broker() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Yield the broker and its port, which it prints when it listens."""
    with running(sys.executable, "-m", "mqtt_hub", "broker", "--open", "--port", "0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:")
        yield process, int(line.rsplit(":", 1)[1])


def test_what_one_client_publishes_another_one_gets(broker: tuple[subprocess.Popen[str], int]) -> None:
    _process, port = broker
    publish = [need("mosquitto_pub"), "-p", str(port), "-q", "1", "-t"]
    # A retained message comes whenever the subscription does, so nobody has to wait for it.
    subprocess.run([*publish, "try/retained", "-m", "first", "-r"], check=True, timeout=DEADLINE_S)
    options = ["-p", str(port), "-q", "1", "-t", "try/#", "-v", "-C", "2", "-W", str(int(DEADLINE_S))]
    with running(need("mosquitto_sub"), *options) as subscriber:
        assert subscriber.stdout is not None
        assert subscriber.stdout.readline() == "try/retained first\n"
        subprocess.run([*publish, "try/live", "-m", "second"], check=True, timeout=DEADLINE_S)
        assert subscriber.stdout.readline() == "try/live second\n"
        assert subscriber.wait(DEADLINE_S) == 0


def test_it_listens_on_loopback_only(broker: tuple[subprocess.Popen[str], int]) -> None:
    """Another loopback address would answer if it listened on all of them."""
    _process, port = broker
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), 5):  # noqa: PT011 — refused or unreachable
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to(broker: tuple[subprocess.Popen[str], int], number: signal.Signals) -> None:
    process, _port = broker
    process.send_signal(number)
    _output, errors = process.communicate(timeout=DEADLINE_S)
    assert "Traceback" not in errors
    assert process.returncode in (0, -signal.SIGTERM)
