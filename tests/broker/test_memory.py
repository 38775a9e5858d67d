"""What a crowd costs a real broker process in memory: nothing that stays.

Each assault runs twice in full. The first shows how high the tide is: interpreter, caches and allocator keep what so
many clients at once needed. After the second the process must hold (resident set) the same again, within 5 %; after
readers that stall at most a quarter more than before the first.
"""

from __future__ import annotations

import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from mqtt_hub.broker.packets import Connack, Connect, Packet, Pingreq, Publish, Subscribe
from tests.broker.harness import Client, ClosedError, connected
from tests.hub.processes import Hub, made_home

# The suite takes a tenth; the full crowd of 10,000 logins, 100,000 packets and 1,000 readers, some 8 minutes:
#   FULL_CROWD=1 ./scripts/test tests/broker/test_memory.py -n 0 -s
CROWD = 1.0 if os.environ.get("FULL_CROWD") else 0.1
SETTLE_S = 60.0
HOUSEKEPT_S = 21.0
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
BACK = 1.05
OVER_COLD = 1.25  # for stalled readers: what the allocator keeps differs from crowd to crowd, but is little


def resident_bytes(process_id: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process_id}/status").read_text())
    assert found
    return int(found[1]) * 1024


@contextmanager
def open_broker_process() -> Iterator[tuple[int, int]]:
    """Run ``mqtt-hub broker --open``; yields its port and process id."""
    command = [sys.executable, "-u", "-m", "mqtt_hub", "broker", "--open", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rpartition(":")[2]), process.pid
        finally:
            process.kill()


def settled_bytes(process_id: int) -> int:
    """Return the resident set once the broker's housekeeping (every 10 s, twice) has been there."""
    least = resident_bytes(process_id)
    end = time.monotonic() + HOUSEKEPT_S
    while time.monotonic() < end:
        least = min(least, resident_bytes(process_id))
        time.sleep(0.1)
    return least


def assert_back(process_id: int, assault: Callable[[], None], *, over_cold: float | None = None) -> None:
    cold = resident_bytes(process_id)
    assault()
    warm = settled_bytes(process_id)
    assault()
    end = time.monotonic() + SETTLE_S
    most = warm * BACK if over_cold is None else cold * over_cold
    while (after := resident_bytes(process_id)) > most:
        assert time.monotonic() < end, (cold, warm, after)
        time.sleep(0.1)
    print(f"MB resident: {cold / 1e6:.1f} cold, {warm / 1e6:.1f} after one, {after / 1e6:.1f} after two")  # noqa: T201 — seen with -s


def test_a_crowd_of_failed_logins_leaves_nothing(tmp_path: Path) -> None:
    with Hub(made_home(tmp_path, "login_failures_free_max = 1000000\nlogin_memory_s = 1\n")) as hub:

        def fail() -> None:
            for number in range(int(10_000 * CROWD)):
                with Client(hub.port) as client:
                    name = f"nobody{number}"
                    assert client.connect(name, username=name, password=b"wrong") == Connack(False, 5)

        assert_back(hub.running.pid, fail)


def scramble(rng: random.Random) -> bytes:
    """Return a packet, a packet with some bytes changed, or noise."""
    kinds: list[Packet] = [
        Connect("c", True, 9, "u", b"p", None), Publish("a/b", rng.randbytes(rng.randrange(200)), 1, packet_id=7),
        Subscribe(3, (("a/+", 1), ("#", 0))), Pingreq(),
    ]  # fmt: skip
    packet = bytearray(rng.choice(kinds).encode())
    for _ in range(rng.randrange(4)):
        packet[rng.randrange(len(packet))] = rng.randrange(256)
    return bytes(packet) if rng.random() < 0.8 else rng.randbytes(rng.randrange(1, 100))


def test_a_crowd_of_random_packets_leaves_nothing() -> None:
    rng = random.Random(3)
    with open_broker_process() as (port, process_id):

        def babble() -> None:
            sent = 0
            while sent < 100_000 * CROWD:
                with Client(port) as client, suppress(ConnectionError, ClosedError):
                    if rng.random() < 0.5:
                        client.connect(f"c{rng.randrange(1000)}")
                    for _ in range(100):
                        sent += 1
                        client.send(scramble(rng))

        assert_back(process_id, babble)


def test_a_crowd_of_stalled_readers_leaves_nothing() -> None:
    with open_broker_process() as (port, process_id):

        def stall() -> None:
            with ExitStack() as readers, connected(port, "writer") as writer:
                for number in range(int(1_000 * CROWD)):
                    reader = readers.enter_context(connected(port, f"r{number}"))
                    reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    assert reader.subscribe(("data", number % 2)) == (number % 2,)
                for _ in range(300):
                    writer.publish("data", bytes(8_000))
                held = resident_bytes(process_id)
                assert held > 200_000_000 * CROWD, "they have stalled: what they do not read is held"

        assert_back(process_id, stall, over_cold=OVER_COLD)
