"""Generated loads: a family is a few sources of requests; a seed makes one instance, another its hidden part.

::

    Source (stream, arrivals, places, lengths, writes) ─┐
    Source …                                            ├─▶ merge by time ─▶ pace: offered load ─▶ rows
    Source …                                            ─┘

Times inside a source are in arbitrary units; `pace` stretches the whole to an offered load. The loads below are those
at which C-LOOK keeps a drive busy about nine tenths of the time, and a disk two thirds (overload apart):
with less there is no queue and nothing to schedule.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from trainers.workloads.requests import Row, pace

__all__ = ["FAMILIES", "PART_SEEDS", "ROWS", "Family", "generate", "merged"]

Source: TypeAlias = Iterator[Row]

ROWS = 8000  # of one part: so many that the baselines score alike on two seeds
PART_SEEDS = {"train": 1, "hidden": 2}
BURST_MAX = 8  # longer tails need longer loads, or two seeds differ more than two policies
SPAN = 1 << 31  # sectors that are in use


@dataclass(frozen=True, slots=True)
class Family:
    """Where requests come from, and how much of each device's time they take, in percent."""

    sources: Callable[[random.Random], list[Source]]
    drive_load: int
    disk_load: int  # 0: on a disk everything would drown in it

    @property
    def devices(self) -> tuple[int, ...]:
        """The capacities that it is generated for here."""
        return (4, 1) if self.disk_load else (4,)


def generate(family: str, seed: int, channels: int, rows: int = ROWS) -> list[Row]:
    """Return one instance of a family."""
    declared = FAMILIES[family]
    rng = random.Random(f"{family} {seed}")
    return pace(
        merged(declared.sources(rng), rows), channels, declared.disk_load if channels == 1 else declared.drive_load
    )


def merged(sources: Iterable[Source], count: int) -> list[Row]:
    """Return the first ``count`` requests of all sources together, in order of time."""
    heads = [(next(source), place, source) for place, source in enumerate(sources)]
    found: list[Row] = []
    while len(found) < count:
        at = min(range(len(heads)), key=lambda index: (heads[index][0][0], index))
        row, place, source = heads[at]
        found.append(row)
        heads[at] = (next(source), place, source)
    return found


def _gaps(rng: random.Random, mean: float) -> Iterator[int]:
    """Yield times of independent arrivals."""
    time = 0.0
    while True:
        time += rng.expovariate(1 / mean)
        yield int(time)


def _bursts(rng: random.Random, mean: float, size: float, inside: float = 1.0) -> Iterator[int]:
    """Yield times of bursts: Pareto-sized, at most `BURST_MAX` times the least; a mean apart, end to start."""
    time = 0.0
    while True:
        time += rng.expovariate(1 / mean)
        for _ in range(int(size * min(BURST_MAX, rng.paretovariate(1.5)))):
            yield int(time)
            time += rng.expovariate(1 / inside)


def _zipf(rng: random.Random, places: int = 4096, span: int = SPAN) -> Iterator[int]:
    """Yield sectors: popular ones often, spread over the device by chance."""
    where = [rng.randrange(span // 8) * 8 for _ in range(places)]
    while True:
        yield where[min(places - 1, int(places ** rng.random()) - 1)]


def _uniform(rng: random.Random) -> Iterator[int]:
    while True:
        yield rng.randrange(SPAN // 8) * 8


def _sequential(rng: random.Random, lengths: Sequence[int], run: int) -> Iterator[tuple[int, int]]:
    """Yield (sector, sectors) of files read from end to end, about ``run`` requests each."""
    while True:
        sector = rng.randrange(SPAN // 8) * 8
        for _ in range(1 + int(rng.expovariate(1 / run))):
            sectors = rng.choice(lengths)
            yield sector, sectors
            sector += sectors


def _random(
    rng: random.Random,
    stream: int,
    times: Iterator[int],
    sectors: Iterator[int],
    lengths: Sequence[int],
    write_share: float,
) -> Source:
    for time, sector in zip(times, sectors, strict=False):
        yield time, sector, rng.choice(lengths), stream, int(rng.random() < write_share)


def _stream(stream: int, times: Iterator[int], places: Iterator[tuple[int, int]], write: int) -> Source:
    for time, (sector, sectors) in zip(times, places, strict=False):
        yield time, sector, sectors, stream, write


SMALL, MIDDLE, LARGE = (8, 8, 8, 16), (8, 16, 32, 64), (256, 512, 1024)


def _mixed(rng: random.Random) -> list[Source]:
    """Three random readers, two readers of files, two random writers and a log."""
    return [
        *(_random(rng, stream, _gaps(rng, 100), _zipf(rng), SMALL, 0) for stream in range(3)),
        *(_stream(3 + n, _bursts(rng, 2000, 6, 4), _sequential(rng, (64, 128, 256), 20), 0) for n in range(2)),
        *(_random(rng, 5 + n, _gaps(rng, 300), _uniform(rng), MIDDLE, 1) for n in range(2)),
        _stream(7, _gaps(rng, 250), _sequential(rng, (8, 16), 400), 1),
    ]


def _bursty(rng: random.Random) -> list[Source]:
    """Six streams that are silent most of the time, then ask for a lot at once; every third one writes."""
    return [
        _random(rng, n, _bursts(rng, 1500, 6), _zipf(rng, 500), MIDDLE, 0.9 if n % 3 == 2 else 0.05) for n in range(6)
    ]


def _flush(rng: random.Random) -> list[Source]:
    """Readers, and a cache that is written back every now and then: hundreds of writes at once."""
    return [
        *(_random(rng, n, _gaps(rng, 60), _zipf(rng), SMALL, 0) for n in range(4)),
        _random(rng, 4, _bursts(rng, 1500, 20, 0.5), _uniform(rng), (8, 8, 16, 64, 128), 1),
    ]


def _overload(rng: random.Random) -> list[Source]:
    """More than the device can do: all of it at random, a third writes."""
    return [_random(rng, n, _gaps(rng, 100), _uniform(rng), MIDDLE, 0.33) for n in range(8)]


def _zipfian(rng: random.Random) -> list[Source]:
    """Skewed places and lengths, seven reads to three writes, one stream for each of four clients."""
    return [_random(rng, n, _gaps(rng, 100), _zipf(rng, 8192), (8, 8, 16, 32, 128), 0.3) for n in range(4)]


def _backup(rng: random.Random) -> list[Source]:
    """A backup reads large files from end to end while others look things up."""
    return [
        _stream(0, _bursts(rng, 500, 4, 30), _sequential(rng, LARGE, 60), 0),
        *(_random(rng, 1 + n, _gaps(rng, 60), _zipf(rng), SMALL, 0.1) for n in range(3)),
    ]


def _database(rng: random.Random) -> list[Source]:
    """Small look-ups, a log that is written in order, and a checkpoint now and then."""
    return [
        *(_random(rng, n, _gaps(rng, 80), _zipf(rng, 2048), (16,), 0) for n in range(6)),
        _stream(6, _gaps(rng, 60), _sequential(rng, (8, 8, 24), 1000), 1),
        _random(rng, 7, _bursts(rng, 2000, 10, 2), _zipf(rng, 2048), (16,), 1),
    ]


def _tenants(rng: random.Random) -> list[Source]:
    """Twelve tenants, each asking half as often again as the next; the greediest writes large."""
    return [
        _random(rng, 0, _bursts(rng, 300, 8, 2), _uniform(rng), (128, 256), 0.8),
        *(_random(rng, n, _gaps(rng, 60 * 1.5**n), _zipf(rng, 300), MIDDLE, 0.2) for n in range(1, 12)),
    ]


FAMILIES: dict[str, Family] = {
    "mixed": Family(_mixed, 99, 100),
    "bursty": Family(_bursty, 97, 80),
    "flush": Family(_flush, 102, 80),
    "overload": Family(_overload, 200, 0),
    "zipf": Family(_zipfian, 93, 90),
    "backup": Family(_backup, 104, 90),
    "database": Family(_database, 101, 80),
    "tenants": Family(_tenants, 92, 80),
}
