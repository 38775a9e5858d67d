"""Rows for the tests of cpu_scheduling: tasks that compute and sleep, jobs of one burst, all by chance."""

from __future__ import annotations

import random
from collections.abc import Iterable

from trainers.workloads.format import Workload, workload
from trainers.workloads.jobs import Row

__all__ = ["made", "mixed_rows", "single_rows"]


def made(rows: Iterable[Row]) -> Workload:
    return workload("w", rows, kind="cpu_scheduling")


def mixed_rows(rng: random.Random, rows_max: int = 120) -> list[Row]:
    """Return bursts of several tasks: ties in time, bursts below and above a tick, all weights."""
    rows: list[Row] = []
    time, tasks = rng.randrange(500), rng.randint(1, 30)
    for _ in range(rng.randint(1, rows_max)):
        time += rng.choice((0, 0, 1, 3, rng.randint(0, 300), rng.choice((0, 0, 0, 30_000))))
        burst = rng.choice(
            (1, 100, 200, rng.randint(1, 90), rng.randint(1, 900), rng.choice((150, 3_000, 3_000, 105_000)))
        )
        weight = rng.choice((16, 16, 16, 1, 4, 64, 256))
        sleep = rng.choice((0, 1, 50, rng.randint(0, 3000)))
        rows.append((time, rng.randrange(tasks), rng.randrange(min(tasks, 4)), weight, sleep, burst))
    return rows


def single_rows(rng: random.Random, rows_max: int = 80, burst_max: int = 700) -> list[Row]:
    """Return jobs of one burst and of one weight."""
    rows: list[Row] = []
    time = rng.randrange(500)
    for number in range(rng.randint(1, rows_max)):
        time += rng.choice((0, 0, 1, rng.randint(0, 300), rng.randint(0, 1500)))
        rows.append((time, number, 0, 16, 0, rng.randint(1, burst_max)))
    return rows
