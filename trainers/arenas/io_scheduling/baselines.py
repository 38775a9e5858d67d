"""The baselines and the bound a second time, written from the textbook: what programs and ``baselines.c`` are held to.

::

    Queue: pending requests, the head, free channels ── choose(queue, channel) ──▶ one of the pending

Each policy is a function, or a small class where it remembers something, over plain requests: no form, no registers, no
slots. The device is written out once more too, by the day of the platter instead of remainders.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["POLICIES", "Io", "Queue", "run", "serve"]

VISIBLE = 64
SEED = 0x9E3779B97F4A7C15
AGEING = (1, 32)  # of the wait, off the service
READ_FIRST_US = 20_000


@dataclass(frozen=True, slots=True)
class Io:
    """One request."""

    number: int
    time: int
    sector: int
    length: int
    stream: int
    is_write: bool

    def kind(self) -> int:
        """Return its class: reads before writes, up to 16 KiB before larger."""
        return (2 if self.is_write else 0) + (1 if self.length > 32 else 0)


@dataclass(slots=True)
class Queue:
    """What a policy may know at a decision."""

    channels: int
    now: int = 0
    head: int = 0
    pending: list[Io] = field(default_factory=list)
    last: Io | None = None
    writes_last: bool = False  # the free channel served a write last
    others_writing: int = 0  # other channels that did

    def waited(self, io: Io) -> int:
        """Return how long it has been waiting."""
        return self.now - io.time

    def upwards(self, io: Io) -> int:
        """Return the sectors from the head up to it, round the end."""
        return io.sector - self.head if io.sector >= self.head else io.sector + (1 << 32) - self.head

    def service(self, io: Io) -> int:
        """Return how long the device would take."""
        if self.channels > 1:
            return fastest(io, self.channels) + (100 if io.is_write != self.writes_last else 0)
        there = self.now + arm(abs(io.sector - self.head))
        passes = io.sector * 8333 // 2048 % 8333  # on every day of the platter, at this time of it
        day = there - there % 8333
        begin = day + passes if day + passes >= there else day + 8333 + passes
        return begin - self.now + fastest(io, 1)


def arm(distance: int) -> int:
    """Return the time that the arm takes."""
    if distance < 1024:
        return 0
    unit = 1
    while distance // unit >= 32:
        unit *= 2
    square = 81_000_000 * (distance // unit * unit) // 2**32
    root = int(square**0.5)
    root += (root + 1) ** 2 <= square
    return 800 + root - (root**2 > square)


def fastest(io: Io, channels: int) -> int:
    """Return the least that its service can take."""
    if channels == 1:
        return (io.sector + io.length) * 8333 // 2048 - io.sector * 8333 // 2048
    return io.length + (300 if io.is_write else 90)


Policy: TypeAlias = Callable[[Queue], Io]


def fcfs(queue: Queue) -> Io:
    """Serve whoever came first."""
    return queue.pending[0]


def sstf(queue: Queue) -> Io:
    """Serve the nearest (shortest seek time first)."""
    return min(queue.pending, key=lambda io: abs(io.sector - queue.head))


def c_look(queue: Queue) -> Io:
    """Sweep upwards only; from the last request back to the lowest."""
    return min(queue.pending, key=queue.upwards)


def sptf(queue: Queue) -> Io:
    """Serve what takes the shortest: on a disk the shortest positioning time first (Seltzer et al. 1990)."""
    return min(queue.pending, key=queue.service)


def asptf(queue: Queue) -> Io:
    """SPTF with ageing (Jacobson and Wilkes 1991)."""
    return min(queue.pending, key=lambda io: queue.service(io) - AGEING[0] * queue.waited(io) // AGEING[1])


class Scan:
    """The elevator: on in the direction of travel, turn round at the last request (LOOK)."""

    def __init__(self) -> None:
        self.up = True

    def __call__(self, queue: Queue) -> Io:
        """Choose, and turn round if need be."""
        above = [io for io in queue.pending if io.sector >= queue.head]
        below = [io for io in queue.pending if io.sector <= queue.head]
        ahead = (above or below) if self.up else (below or above)
        chosen = min(ahead, key=lambda io: abs(io.sector - queue.head))
        if chosen.sector != queue.head:
            self.up = chosen.sector > queue.head
        return chosen


class Deadline:
    """After Linux's mq-deadline: batches of one direction in order of sectors, reads first, until one expires."""

    BATCH, STARVED = 16, 2
    READ_US, WRITE_US = 500_000, 5_000_000

    def __init__(self) -> None:
        self.writing = False
        self.served = 0  # of this batch
        self.passed_over = 0  # batches of reads since one of writes, while writes waited

    def __call__(self, queue: Queue) -> Io:
        """Choose, within the batch or by beginning another."""
        onward = self._onward(queue, self.writing)
        if self.served < self.BATCH and onward:
            self.served += 1
            return onward
        reads = [io for io in queue.pending if not io.is_write]
        writes = [io for io in queue.pending if io.is_write]
        self.writing = not reads or (bool(writes) and self.passed_over >= self.STARVED)
        if self.writing:
            self.passed_over = 0
        elif writes:
            self.passed_over += 1
        self.served = 1
        eldest = (writes if self.writing else reads)[0]
        expired = queue.waited(eldest) >= (self.WRITE_US if self.writing else self.READ_US)
        return eldest if expired else self._onward(queue, self.writing) or eldest

    @staticmethod
    def _onward(queue: Queue, writing: bool) -> Io | None:  # noqa: FBT001 — the direction of a batch
        """Return the next of that direction at or above the head."""
        above = [io for io in queue.pending if io.is_write == writing and io.sector >= queue.head]
        return min(above, key=lambda io: io.sector, default=None)


class Bfq:
    """After BFQ (Valente and Checconi 2010), without idling: a stream at a time, by sectors served, with a budget."""

    BUDGET = 1024  # sectors

    def __init__(self) -> None:
        self.used = 0
        self.clock: dict[int, int] = {}  # virtual time of each stream: sectors served
        self.known: set[int] = set()

    def arrive(self, queue: Queue, io: Io) -> None:
        """Let a stream that comes back start no earlier than those that are there."""
        here = {other.stream for other in queue.pending}
        if io.stream not in here:
            floor = min((self.clock[stream] for stream in here), default=0)
            self.clock[io.stream] = max(self.clock.get(io.stream, 0), floor)

    def __call__(self, queue: Queue) -> Io:
        """Choose by C-LOOK within the stream that is served, or among the streams that were served least."""
        last = queue.last.stream if queue.last else None
        own = [io for io in queue.pending if io.stream == last and self.used < self.BUDGET]
        lowest = min(self.clock[io.stream] for io in queue.pending)
        chosen = c_look_of(queue, own or [io for io in queue.pending if self.clock[io.stream] == lowest])
        self.used = self.used + chosen.length if own else chosen.length
        self.clock[chosen.stream] = min(self.clock[chosen.stream] + chosen.length, 1 << 40)
        return chosen


def c_look_of(queue: Queue, some: list[Io]) -> Io:
    """C-LOOK among some of the pending."""
    return min(some, key=queue.upwards)


def read_first(queue: Queue) -> Io:
    """Serve reads before writes, each in order, until a write has waited too long."""
    reads = [io for io in queue.pending if not io.is_write]
    writes = [io for io in queue.pending if io.is_write]
    late = bool(writes) and queue.waited(writes[0]) >= READ_FIRST_US
    return reads[0] if reads and not late else writes[0]


def hrrn(queue: Queue) -> Io:
    """Serve whose response would be the largest multiple of its service, in 1024ths (Brinch Hansen 1971)."""
    return max(queue.pending, key=lambda io: (queue.waited(io) + queue.service(io)) * 1024 // queue.service(io))


def kyber(queue: Queue) -> Io:
    """Serve in order of arrival, but no second write at a time while a read waits."""
    reads = [io for io in queue.pending if not io.is_write]
    return reads[0] if reads and queue.others_writing else queue.pending[0]


POLICIES: dict[str, Callable[[], Policy]] = {
    "fcfs": lambda: fcfs,
    "sstf": lambda: sstf,
    "scan": Scan,
    "c-look": lambda: c_look,
    "sptf": lambda: sptf,
    "asptf": lambda: asptf,
    "deadline": Deadline,
    "bfq-lite": Bfq,
    "read-first": lambda: read_first,
    "kyber-lite": lambda: kyber,
    "hrrn": lambda: hrrn,
}


@dataclass(slots=True)
class Served:
    """One request's way through the device."""

    io: Io
    start: int
    end: int


def simulate(policy: Policy, todo: list[Io], channels: int) -> list[Served]:
    """Serve everything, one decision at a time; return it in order."""
    queue, waiting, done = Queue(channels), list(todo), []
    free, wrote = [0] * channels, [False] * channels
    while waiting or queue.pending:
        while waiting and waiting[0].time <= queue.now and len(queue.pending) < VISIBLE:
            if isinstance(policy, Bfq):
                policy.arrive(queue, waiting[0])
            queue.pending.append(waiting.pop(0))
        idle = [channel for channel in range(channels) if free[channel] <= queue.now]
        if queue.pending and idle:
            queue.writes_last = wrote[idle[0]]
            queue.others_writing = sum(wrote) - wrote[idle[0]]
            io = policy(queue)
            end = queue.now + queue.service(io)
            queue.pending.remove(io)
            done.append(Served(io, queue.now, end))
            queue.head, queue.last = io.sector + io.length, io
            free[idle[0]], wrote[idle[0]] = end, io.is_write
        else:
            later = [time for time in free if time > queue.now]
            queue.now = min([*later, *[io.time for io in waiting if io.time > queue.now][:1]])
    return done


def bound(todo: list[Io], channels: int) -> list[int]:
    """Return what no schedule can go below, counter by counter (``baselines.c`` says why)."""
    services = [fastest(io, channels) for io in todo]
    rests = [idle_time(io, channels) for io in todo]
    ranks = sorted(services)
    left = len(todo) // 100
    windows = _windows(todo, services, channels)
    p99 = max(ranks[len(todo) - left - 1], (windows - left * ranks[-1]) // channels)
    wait = max(0, windows // channels - ranks[-1])
    elapsed = max(
        io.time + max(service, -(-rest // channels))
        for io, service, rest in zip(todo, services, _suffixes(services), strict=True)
    )
    counts, slowdowns = [0] * 4, [0] * 4
    for kind in range(4):
        mine = [place for place, io in enumerate(todo) if io.kind() == kind]
        if mine:
            apart = sum(services[place] * 1024 // rests[place] for place in mine)
            together = _srpt([(todo[place].time, services[place]) for place in mine], channels)
            counts[kind] = len(mine)
            slowdowns[kind] = max(apart, together * 1024 // max(rests[place] for place in mine) - len(mine))
    latency = max(sum(services), _srpt([(io.time, s) for io, s in zip(todo, services, strict=True)], channels))
    return [len(todo), channels, latency, p99, wait, elapsed, sum(services), *counts, *slowdowns]


def idle_time(io: Io, channels: int) -> int:
    """Return how long its service takes on an idle device; half a turn of the platter included."""
    return fastest(io, channels) + (4166 if channels == 1 else 0)


def _suffixes(services: list[int]) -> list[int]:
    sums, total = [], 0
    for service in reversed(services):
        total += service
        sums.append(total)
    return sums[::-1]


def _windows(todo: list[Io], services: list[int], channels: int) -> int:
    """Return the most that the services of a stretch of arrivals exceed its length, times the channels."""
    most = sum_so_far = lowest = 0
    for io, service in zip(todo, services, strict=True):
        # Work up to here less time up to here, against the lowest that it was just before an arrival.
        level = sum_so_far - io.time * channels
        lowest = level if io is todo[0] else min(lowest, level)
        sum_so_far += service
        most = max(most, level + service - lowest)
    return most


def _srpt(jobs: list[tuple[int, int]], channels: int) -> int:
    """Return the least sum of latencies on one channel as fast as all together, rounded up."""
    clock = total = 0
    rests: list[int] = []
    for place, (time, service) in enumerate(jobs):
        clock = max(clock, time * channels)
        heapq.heappush(rests, service)
        until = jobs[place + 1][0] * channels if place + 1 < len(jobs) else None
        while rests and (until is None or clock < until):
            step = rests[0] if until is None else min(rests[0], until - clock)
            clock += step
            if step == rests[0]:
                heapq.heappop(rests)
                total += clock
            else:
                heapq.heapreplace(rests, rests[0] - step)
    return -(-(total - channels * sum(time for time, _service in jobs)) // channels)


def run(name: str, words: Sequence[int], _streams: int, capacity: int) -> tuple[tuple[int, ...], int]:
    """Serve the rows by a policy's name, or ``bound``; return the counters and the digest of the order (bound: 0)."""
    if name == "bound":
        return tuple(bound(_todo(words), capacity)), 0
    return serve(POLICIES[name](), words, capacity)


def serve(policy: Policy, words: Sequence[int], capacity: int) -> tuple[tuple[int, ...], int]:
    """Serve the rows by any policy; return the counters and the digest of the order."""
    done = simulate(policy, _todo(words), capacity)
    latencies = sorted(served.end - served.io.time for served in done)
    counts, slowdowns, trail = [0] * 4, [0] * 4, SEED
    for served in done:
        kind = served.io.kind()
        counts[kind] += 1
        slowdowns[kind] += (served.end - served.io.time) * 1024 // idle_time(served.io, capacity)
        trail = (trail ^ (served.io.number + 1)) * SEED % (1 << 64)
        trail ^= trail >> 32
    facts = (
        len(done),
        capacity,
        sum(latencies),
        latencies[len(done) - len(done) // 100 - 1],
        max(served.start - served.io.time for served in done),
        max(served.end for served in done),
        sum(served.end - served.start for served in done),
    )
    return (*facts, *counts, *slowdowns), trail


def _todo(words: Sequence[int]) -> list[Io]:
    rows = [words[at : at + 5] for at in range(0, len(words), 5)]
    return [Io(number, t - words[0], s, n, who, bool(w)) for number, (t, s, n, who, w) in enumerate(rows)]
