"""The two brokers as processes of their own: ours as its command line starts it, and mosquitto."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["hub_broker", "mosquitto", "mosquitto_version"]

DEADLINE_S = 15.0


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE_S)
        finally:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()


@contextmanager
def hub_broker() -> Iterator[int]:
    """Run ``mqtt-hub broker --open`` and yield its port."""
    command = [sys.executable, "-m", "mqtt_hub", "broker", "--open", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with _ended(process):
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r":(\d+)$", line.strip())
        assert match is not None, f"{command} said {line!r}"
        yield int(match[1])


def mosquitto_version(program: str) -> str:
    """Return a version such as 2.0.11."""
    said = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"version (\S+)", said)
    assert match is not None, said
    return match[1]


@contextmanager
def mosquitto(program: str, directory: Path) -> Iterator[int]:
    """Run mosquitto, open, with nothing kept on disk, and yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    config = directory / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nsys_interval 0\n")
    process = subprocess.Popen(
        [program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    with _ended(process):
        end = time.monotonic() + DEADLINE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1.0).close()
                break
            except OSError:
                assert process.poll() is None, "mosquitto ended"
                assert time.monotonic() < end, "mosquitto does not listen"
        yield port
