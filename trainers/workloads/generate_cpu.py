"""Ten kinds of load for cpu_scheduling, each from a seed: same seed, same rows.

::

    pareto bimodal uniform exponential overload    jobs of one burst that come when they come (open)
    fork-storm                                     sixty at once, now and then, above a steady load
    heavy-io cyclic weights                        a few tasks that compute and sleep in turns (closed)
    server                                         requests of several bursts, and batch jobs, on four CPUs

    python -m trainers.workloads.generate_cpu DIRECTORY    writes two workloads of each: train and hidden

A unit is 10 µs, so that a tick is 1 ms. Sources say something of the length in some families (exponential,
fork-storm, server) and nothing in others (pareto, bimodal): a policy that trusts them must find out.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from trainers.workloads.format import Workload, save, workload
from trainers.workloads.jobs import Job, Row, rows_of

__all__ = ["FAMILIES", "Family", "generate", "workloads"]

MS, SECOND = 100, 100_000  # units


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of load: its jobs within a length of time, and the CPUs that it is meant for."""

    jobs: Callable[[random.Random, int], Iterator[Job]]
    meaning: str
    cpus: int = 1
    length: int = 20 * SECOND  # of what is generated


def _pareto(rng: random.Random, low: float, high: float, alpha: float) -> int:
    """Return a bounded Pareto variate: many short ones, and few that make up most of the work."""
    share = rng.random()
    ratio: float = (low / high) ** alpha
    variate: float = low * (1 - share * (1 - ratio)) ** (-1 / alpha)
    return max(1, round(variate))


def _exponential(rng: random.Random, mean: float) -> int:
    return max(1, round(rng.expovariate(1 / mean)))


def _poisson(rng: random.Random, length: int, gap: float) -> Iterator[int]:
    """Yield times, ``gap`` units apart in the mean."""
    time = rng.expovariate(1 / gap)
    while time < length:
        yield round(time)
        time += rng.expovariate(1 / gap)


def _open(rng: random.Random, length: int, load: float, draw: Callable[[], int], sources: int) -> Iterator[Job]:
    """Yield jobs of one burst whose length has nothing to do with their source."""
    mean = sum(draw() for _ in range(4000)) / 4000 + 20  # and a switch
    for time in _poisson(rng, length, mean / load):
        yield Job(time, rng.randrange(sources), ((0, draw()),))


def _closed(length: int, arrival: int, source: str, weight: int, draw: Callable[[], tuple[int, int]]) -> Job:
    """Return a task that computes and sleeps until ``length``, as far as it would come alone."""
    bursts = [(0, draw()[1])]
    time = arrival + bursts[0][1]
    while time < length:
        sleep, burst = draw()
        bursts.append((sleep, burst))
        time += sleep + burst
    return Job(arrival, source, tuple(bursts), weight)


def _pareto_jobs(rng: random.Random, length: int) -> Iterator[Job]:
    return _open(rng, length, 0.75, lambda: _pareto(rng, 1 * MS, 1000 * MS, 1.1), 6)


def _bimodal_jobs(rng: random.Random, length: int) -> Iterator[Job]:
    def draw() -> int:
        return rng.randint(1 * MS, 3 * MS) if rng.random() < 0.92 else rng.randint(80 * MS, 200 * MS)

    return _open(rng, length, 0.8, draw, 4)


def _uniform_jobs(rng: random.Random, length: int) -> Iterator[Job]:
    return _open(rng, length, 0.8, lambda: rng.randint(5 * MS, 30 * MS), 4)


def _exponential_jobs(rng: random.Random, length: int) -> Iterator[Job]:
    means = [3 * MS, 8 * MS, 20 * MS, 60 * MS]
    rates = [0.2 / (mean + 20) for mean in means]
    for time in _poisson(rng, length, 1 / sum(rates)):
        source = rng.choices(range(4), rates)[0]
        yield Job(time, source, ((0, _exponential(rng, means[source])),))


def _overload_jobs(rng: random.Random, length: int) -> Iterator[Job]:
    """Half of every four seconds at 1.6 times what the CPU can do, then little."""
    for time in _poisson(rng, length, 900):
        busy = time % (4 * SECOND) < 2 * SECOND
        if busy or rng.random() < 0.25:
            yield Job(time, rng.randrange(5), ((0, _pareto(rng, 4 * MS, 400 * MS, 1.2)),))


def _fork_storm_jobs(rng: random.Random, length: int) -> Iterator[Job]:
    for time in _poisson(rng, length, 5000):
        yield Job(time, "shell", ((0, _exponential(rng, 12 * MS)),))
    storm = rng.randrange(SECOND)
    while storm < length:
        kind = rng.choice(("tests", "compile", "scripts"))
        mean = {"tests": 2 * MS, "compile": 25 * MS, "scripts": 6 * MS}[kind]
        for _ in range(rng.randint(40, 80) if kind != "compile" else rng.randint(8, 20)):
            yield Job(storm + rng.randrange(30 * MS), kind, ((0, _exponential(rng, mean)),))
        storm += rng.randint(SECOND, 2 * SECOND)


def _heavy_io_jobs(rng: random.Random, length: int) -> Iterator[Job]:
    for _ in range(14):
        mean = rng.randint(1 * MS, 4 * MS)
        sleep = rng.randint(20 * MS, 90 * MS)

        def light(mean: int = mean, sleep: int = sleep) -> tuple[int, int]:
            return _exponential(rng, sleep), _exponential(rng, mean)

        yield _closed(length, rng.randrange(SECOND), "io", 16, light)
    for _ in range(3):
        yield _closed(
            length,
            rng.randrange(SECOND),
            "batch",
            16,
            lambda: (rng.randint(MS, 50 * MS), rng.randint(100 * MS, 500 * MS)),
        )


def _cyclic_jobs(rng: random.Random, length: int) -> Iterator[Job]:
    """Frames and samples at fixed rates, and a batch job or two that take what is left."""
    for period, burst in ((1667, 420), (1000, 90), (2000, 300), (4000, 500), (333, 25)):

        def frame(period: int = period, burst: int = burst) -> tuple[int, int]:
            work = max(1, round(burst * rng.uniform(0.6, 1.6)))
            return max(1, period - work), work

        yield _closed(length, rng.randrange(period), f"every {period}", 16, frame)
    for time in _poisson(rng, length, 25_000):
        yield Job(time, "batch", ((0, _pareto(rng, 10 * MS, 800 * MS, 1.2)),))


def _weights_jobs(rng: random.Random, length: int) -> Iterator[Job]:
    shapes = ((3 * MS, 10 * MS), (20 * MS, 30 * MS), (60 * MS, 60 * MS), (150 * MS, 40 * MS))  # (mean, sleep)
    for number, weight in enumerate((64, 32, 16, 4, 64, 32, 16, 8, 4, 16, 16, 16, 4, 32, 16, 8)):
        mean, sleep = shapes[number // 4]

        def draw(mean: int = mean, sleep: int = sleep) -> tuple[int, int]:
            return _exponential(rng, sleep), _exponential(rng, mean)

        yield _closed(length, rng.randrange(SECOND), f"{mean}", weight, draw)


def _server_jobs(rng: random.Random, length: int) -> Iterator[Job]:
    """Requests that compute, ask a database, compute; every hundredth a report; and a nightly job at low weight."""
    for time in _poisson(rng, length, 520):
        if rng.random() < 0.01:
            yield Job(time, "report", ((0, rng.randint(100 * MS, 600 * MS)),))
            continue
        bursts = [(0, _exponential(rng, 5 * MS))]
        bursts += [(_exponential(rng, 4 * MS), _exponential(rng, 4 * MS)) for _ in range(rng.randint(0, 3))]
        yield Job(time, "request", tuple(bursts))
    for _ in range(2):
        yield _closed(length, 0, "nightly", 4, lambda: (_exponential(rng, 5 * MS), rng.randint(50 * MS, 300 * MS)))


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "pareto": Family(
            _pareto_jobs, "single bursts, bounded Pareto 1 ms to 1 s, shape 1.1, load .75", length=40 * SECOND
        ),
        "bimodal": Family(
            _bimodal_jobs, "single bursts, 92 % of 1 to 3 ms, 8 % of 80 to 200 ms, load .8", length=40 * SECOND
        ),
        "uniform": Family(_uniform_jobs, "single bursts of 5 to 30 ms, load .8", length=40 * SECOND),
        "exponential": Family(
            _exponential_jobs, "single bursts, four sources of mean 3, 8, 20, 60 ms, load .8", length=40 * SECOND
        ),
        "overload": Family(
            _overload_jobs, "single bursts; two seconds of overload, two of little, in turns", length=40 * SECOND
        ),
        "fork-storm": Family(
            _fork_storm_jobs, "a dozen to eighty tasks at once every second or two", length=40 * SECOND
        ),
        "heavy-io": Family(_heavy_io_jobs, "14 tasks that mostly sleep, 3 that mostly compute"),
        "cyclic": Family(_cyclic_jobs, "five tasks at fixed rates, and batch jobs"),
        "weights": Family(_weights_jobs, "16 tasks of weight 1/4 to 4 on four CPUs", 4),
        "server": Family(_server_jobs, "requests of one to four bursts, reports, low-weight batch on four CPUs", 4),
    }
)


def generate(family: str, seed: str) -> list[Row]:
    """Return the rows of a family's load; any text is a seed."""
    declared = FAMILIES[family]
    return rows_of(declared.jobs(random.Random(f"{family} {seed}"), declared.length))


def workloads(family: str) -> tuple[Workload, Workload]:
    """Return the train part and the hidden part of a family: the same load from different seeds."""
    train, hidden = (
        workload(
            family,
            generate(family, part),
            kind="cpu_scheduling",
            part=part,
            capacity=FAMILIES[family].cpus,
            origin=f"generated, seed {part!r}: {FAMILIES[family].meaning}; a unit is 10 us",
        )
        for part in ("train", "hidden")
    )
    return train, hidden


def main() -> None:
    """Write every family's two parts into the directory that is the first argument."""
    for family in FAMILIES:
        for made in workloads(family):
            save(made, Path(sys.argv[1]) / f"{made.name}.{made.part}.workload")


if __name__ == "__main__":
    main()
