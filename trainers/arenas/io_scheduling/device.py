"""The device in plain Python: what a request takes, and the counters of a run (``device.h`` beside it).

::

    capacity 1      a disk: seek, then wait for the platter, then transfer
    capacity 2..16  a solid-state drive with as many channels: read or write, transfer, turnaround

Times are microseconds, places and lengths sectors of 512 bytes. All of it is integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt

__all__ = ["CHANNELS_MAX", "CLASSES", "Request", "Tally", "alone", "cost", "least", "requests", "seek", "transfer"]

CHANNELS_MAX = 16
READ_US, WRITE_US, TURNAROUND_US = 90, 300, 100
ROTATION_US, TRACK_SECTORS, HALF_TURN_US = 8333, 2048, 4166
SEEK_US, STROKE_US, NEAR_SECTORS, SECTORS_BITS = 800, 9000, 1024, 32
CLASSES = ("read_small", "read_large", "write_small", "write_large")


@dataclass(frozen=True, slots=True)
class Request:
    """One row: ``time`` from the first row of the run."""

    id: int
    time: int
    sector: int
    sectors: int
    stream: int
    write: int

    @property
    def end(self) -> int:
        """The sector after its last."""
        return self.sector + self.sectors

    @property
    def class_(self) -> int:
        """Its place in ``CLASSES``."""
        return 2 * self.write + (self.sectors > 32)


def requests(words: Sequence[int]) -> Iterator[Request]:
    """Yield the rows of ``words`` (time, sector, sectors, stream, write)."""
    for id_ in range(len(words) // 5):
        time, *rest = words[5 * id_ : 5 * id_ + 5]
        yield Request(id_, time - words[0], *rest)


def _turned(sector: int) -> int:
    """Return how far the platter turns from the start of the disk to a sector: tracks follow without a gap."""
    return sector * ROTATION_US // TRACK_SECTORS


def transfer(request: Request, channels: int) -> int:
    """Return the time of the transfer alone: 1 µs a sector, or as long as the platter takes to pass by."""
    return request.sectors if channels > 1 else _turned(request.end) - _turned(request.sector)


def least(request: Request, channels: int) -> int:
    """Return the least that serving takes, whatever was served before."""
    return transfer(request, channels) + (0 if channels == 1 else WRITE_US if request.write else READ_US)


def alone(request: Request, channels: int) -> int:
    """Return what slowdown is measured against: the service on an idle device, on a disk half a turn included."""
    return least(request, channels) + (HALF_TURN_US if channels == 1 else 0)


def seek(distance: int) -> int:
    """Return the time of the arm for so many sectors: a root over the distance cut to its first five bits."""
    if distance < NEAR_SECTORS:
        return 0
    shift = distance.bit_length() - 5
    return SEEK_US + isqrt(STROKE_US**2 * (distance >> shift << shift) >> SECTORS_BITS)


def cost(request: Request, channels: int, *, now: int, head: int, last_write: int) -> int:
    """Return how long the channel is busy with the request if it begins now."""
    if channels > 1:
        return least(request, channels) + (TURNAROUND_US if request.write != last_write else 0)
    moved = seek(abs(request.sector - head))
    turn = (_turned(request.sector) - now - moved) % ROTATION_US
    return moved + turn + transfer(request, channels)


class Tally:
    """The counters of a run, in the order of the arena's."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.latencies: list[int] = []
        self.wait_max = self.elapsed = self.busy = 0
        self.count = [0] * len(CLASSES)
        self.slowdown = [0] * len(CLASSES)  # in 1024ths

    def add(self, request: Request, start: int, taken: int) -> None:
        """Count a request that was served from ``start`` on."""
        wait = start - request.time
        latency = wait + taken
        self.latencies.append(latency)
        self.wait_max = max(self.wait_max, wait)
        self.elapsed = max(self.elapsed, start + taken)
        self.busy += taken
        self.count[request.class_] += 1
        self.slowdown[request.class_] += latency * 1024 // alone(request, self.channels)

    def counters(self) -> tuple[int, ...]:
        """Return them all; p99 is what all but a hundredth of the requests, rounded down, do not exceed."""
        count = len(self.latencies)
        p99 = sorted(self.latencies)[count - count // 100 - 1] if count else 0
        facts = (count, self.channels, sum(self.latencies), p99, self.wait_max, self.elapsed, self.busy)
        return (*facts, *self.count, *self.slowdown)
