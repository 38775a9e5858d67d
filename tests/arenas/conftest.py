"""What the arena tests share: one evaluator of each engine, traces with loops, skew and chance, classics."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from trainers.arenas.evaluator import Evaluator
from trainers.workloads.format import Workload, workload


@pytest.fixture(scope="session")
def evaluator() -> Iterator[Evaluator]:
    with Evaluator(engine="wasm") as running:
        yield running


@pytest.fixture(scope="session")
def reference() -> Iterator[Evaluator]:
    with Evaluator(engine="reference") as running:
        yield running


def make_trace(rng: random.Random, requests_max: int = 600, pages_max: int = 60) -> Workload:
    """Return a trace of phases, each a loop, skewed or uniform, over its own window of pages."""
    keys: list[int] = []
    count = rng.randint(1, requests_max)
    while len(keys) < count:
        first, width = rng.randrange(pages_max), rng.randint(1, pages_max)
        shape = rng.choice(("loop", "skewed", "uniform"))
        for step in range(rng.randint(1, count)):
            offset = {
                "loop": step % width,
                "skewed": min(int(rng.paretovariate(0.7)), width) - 1,
                "uniform": rng.randrange(width),
            }[shape]
            keys.append(first + offset)
    return workload("trace", keys[:count])


@pytest.fixture(scope="session")
def trace() -> Callable[[random.Random], Workload]:
    return make_trace
