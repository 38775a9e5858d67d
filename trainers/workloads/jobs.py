"""Jobs, as generators, recordings and job logs know them, laid out as the rows of a cpu_scheduling workload.

::

    Job(arrival, source, weight, ((0, burst), (sleep, burst), …)) ─▶ rows (time, task, source, weight, sleep, burst)

Rows are in order of the time at which a burst would be ready on a machine that nobody else uses; tasks and
sources are numbered by first appearance, so no name of the original is in a workload.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from trainers.arenas.cpu_scheduling.form import WEIGHT_MAX, WEIGHT_ONE

__all__ = ["Job", "Row", "rows_of", "weight_of_nice"]

NICE_MIN, NICE_MAX = -20, 19

Row: TypeAlias = tuple[int, int, int, int, int, int]  # time, task, source, weight, sleep, burst


@dataclass(frozen=True, slots=True)
class Job:
    """A task from its arrival to its end; all times in units."""

    arrival: int
    source: Hashable  # program, user or stream: new tasks of one source are thought to be alike
    bursts: tuple[tuple[int, int], ...]  # (units slept before it, units of computing); sleep of the first is 0
    weight: int = WEIGHT_ONE


def rows_of(jobs: Iterable[Job]) -> list[Row]:
    """Return the rows of all jobs' bursts."""
    ready: list[tuple[int, int, int, int, Job]] = []
    for number, job in enumerate(jobs):
        time = job.arrival
        for place, (sleep, burst) in enumerate(job.bursts):
            time += sleep
            ready.append((time, number, place, sleep, job))
            time += burst
    tasks: dict[int, int] = {}
    sources: dict[Hashable, int] = {}
    rows: list[Row] = []
    for time, number, place, sleep, job in sorted(ready, key=lambda entry: entry[:3]):
        task = tasks.setdefault(number, len(tasks))
        source = sources.setdefault(job.source, len(sources))
        rows.append((time, task, source, job.weight, sleep, job.bursts[place][1]))
    return rows


def weight_of_nice(nice: int) -> int:
    """Return the weight of a nice level: a quarter more for each below 0, as in Linux, and 1 to 256 sixteenths."""
    steps = min(max(nice, NICE_MIN), NICE_MAX)
    over, under = (5 ** abs(steps), 4 ** abs(steps)) if steps < 0 else (4 ** abs(steps), 5 ** abs(steps))
    exact: int = WEIGHT_ONE * over // under
    return min(max(exact, 1), WEIGHT_MAX)
