"""Small loads for the tests of I/O scheduling: every length, direction, distance and gap that matters, many ties."""

from __future__ import annotations

import random
from collections.abc import Iterator

from trainers.arenas.evaluator import Counters, Evaluator
from trainers.policy.tree import Component
from trainers.workloads.format import Workload, workload

__all__ = ["CAPACITIES", "counters", "instances", "make"]

CAPACITIES = (1, 2, 4, 16)
SECTORS = 1 << 32


def make(rng: random.Random, rows_max: int = 200) -> Workload:
    """Return a load of phases, each with its own pace, places, lengths and share of writes."""
    rows: list[tuple[int, int, int, int, int]] = []
    time = sector = 0
    while len(rows) < rows_max:
        gap, span = rng.choice((0, 30, 300, 5000)), rng.choice((1 << 10, 1 << 20, SECTORS - 70_000))
        lengths = rng.choice(((8,), (1, 8, 40, 256), (1024, 65_535)))
        writes, streams = rng.choice((0, 0.3, 1)), rng.choice((1, 3, 20))
        for _ in range(rng.randint(1, 90)):
            sectors = rng.choice(lengths)
            jump = rng.random() < 0.7 or sector + sectors > SECTORS
            sector = rng.randrange(span) if jump else sector
            time += rng.randint(0, gap)
            rows.append((time, sector, sectors, rng.randrange(streams), int(rng.random() < writes)))
            sector += sectors
    return workload("load", rows[: rng.randint(1, rows_max)], kind="io_scheduling", capacity=rng.choice(CAPACITIES))


def instances(seed: object, count: int, *evaluators: Evaluator, rows_max: int = 200) -> Iterator[Workload]:
    """Yield loads that the evaluators know."""
    rng = random.Random(str(seed))
    for _ in range(count):
        made = make(rng, rows_max)
        for evaluator in evaluators:
            evaluator.load(made)
        yield made


def counters(evaluator: Evaluator, program: Component, made: Workload, **part: int) -> Counters:
    """Run a program that must come to its end."""
    outcome = evaluator.run(program, made.id, made.capacity, **part)
    assert isinstance(outcome, Counters), outcome
    return outcome
