"""A small recorded workload, the classics, and objectives that need neither child process nor wasmtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import trainers.arenas.page_replacement as arena
from trainers.arenas.evaluator import Evaluator
from trainers.arenas.page_replacement.kind import FORM
from trainers.policy import Component, interpret, parse
from trainers.search.population import Fitness
from trainers.workloads.format import Workload, workload

CLASSICS = Path(arena.__file__).parent / "classics"


@pytest.fixture(scope="session")
def classics() -> Mapping[str, Component]:
    return {path.stem: parse(path.read_text(), FORM) for path in sorted(CLASSICS.glob("*.policy"))}


def _pages() -> list[int]:
    """A loop slightly larger than the cache, between visits to a few popular pages: LRU fails, others need not."""
    pages = []
    for turn in range(12):
        pages += [step for page in range(60) for step in (100 + page, (page * 7 + turn) % 10)]
    return pages


@pytest.fixture(scope="session")
def loop() -> Workload:
    return workload("loop", _pages(), capacity=30)


@pytest.fixture(scope="session")
def evaluator(loop: Workload) -> Evaluator:
    """The plain-Python engine: the same counters as WebAssembly on every machine."""
    evaluator = Evaluator(engine="reference")
    evaluator.load(loop)
    return evaluator


@pytest.fixture
def answers() -> Callable[[Component], Fitness | None]:
    """A pure objective: how near on_hit's answers come to keep(min(mark + 2, 9)); the digest is the answers."""

    def evaluate(component: Component) -> Fitness | None:
        on_hit = interpret(component)["on_hit"]
        marks = (0, 1, 3, 7, 12, 40)
        given = [on_hit([mark if slot == 18 else 1 for slot in range(29)]) for mark in marks]
        wrong = [abs(value - (2 << 16 | min(mark + 2, 9))) for value, mark in zip(given, marks, strict=True)]
        return Fitness(sum(1 / (1 + error) for error in wrong) / len(marks), hash(tuple(given)))

    return evaluate
