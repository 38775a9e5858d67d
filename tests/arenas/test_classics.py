"""The textbook's policies as programs: four equal their native twins exactly, the others come near."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from trainers.arenas.evaluate import bundled, classics
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.workloads.format import Workload, workload

EXACT = ("fifo", "lru", "clock", "sieve")
# Largest difference in miss ratio on steady traces; on loops it can be larger: docs/page-replacement.md.
NEAR = {"2q": 0.002, "s3-fifo": 0.002, "arc": 0.004, "lirs": 0.007, "w-tinylfu": 0.002}
DOCUMENT = (Path(__file__).parents[2] / "docs" / "page-replacement.md").read_text()
STEADY = ("notes", "orders")


def counters(evaluator: Evaluator, name: str, made: Workload, capacity: int) -> tuple[Counters, Counters]:
    evaluator.load(made)
    program = evaluator.run(classics("page_replacement")[name], made.id, capacity)
    assert isinstance(program, Counters)
    return program, evaluator.baseline(name, made.id, capacity)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("made", bundled(), ids=lambda made: f"{made.name}-{made.part}")
def test_exact_classics_evict_the_same_pages_in_the_same_order(name: str, made: Workload, evaluator: Evaluator) -> None:
    for capacity in (made.capacity, made.size // 100 + 1, made.size // 2):
        program, native = counters(evaluator, name, made, capacity)
        assert (program.values["misses"], program.digest) == (native.values["misses"], native.digest)


@pytest.mark.parametrize("name", EXACT)
def test_exact_classics_are_exact_on_any_trace(
    name: str, evaluator: Evaluator, trace: Callable[[random.Random], Workload]
) -> None:
    rng = random.Random(name)
    for _ in range(40):
        made = trace(rng)
        program, native = counters(evaluator, name, made, rng.randint(1, made.size + 1))
        assert (program.values["misses"], program.digest) == (native.values["misses"], native.digest)


@pytest.mark.parametrize("name", NEAR)
@pytest.mark.parametrize(
    "made", [w for w in bundled() if w.name in STEADY], ids=lambda made: f"{made.name}-{made.part}"
)
def test_near_classics_come_near(name: str, made: Workload, evaluator: Evaluator) -> None:
    program, native = counters(evaluator, name, made, made.capacity)
    assert abs(program.values["misses"] - native.values["misses"]) / native.values["requests"] <= NEAR[name]


def test_near_classics_come_near_on_a_skewed_trace(evaluator: Evaluator) -> None:
    rng = random.Random(2)
    made = workload("zipf", [int(4000 ** rng.random()) for _ in range(30_000)])
    for name, difference in NEAR.items():
        program, native = counters(evaluator, name, made, made.capacity)
        assert abs(program.values["misses"] - native.values["misses"]) / native.values["requests"] <= difference, name


@pytest.mark.parametrize("made", bundled(), ids=lambda made: f"{made.name}-{made.part}")
def test_the_document_s_table_is_measured(made: Workload, evaluator: Evaluator) -> None:
    both = [counters(evaluator, name, made, made.capacity) for name in NEAR]
    gaps = [program.values["misses"] - native.values["misses"] for program, native in both]
    cells = [f"{gap / made.rows:+.4f}" for gap in gaps]
    row = f"| {made.name} {made.part} | {' | '.join(cells)} |".replace("-", "\N{MINUS SIGN}")
    assert row in DOCUMENT


def test_classics_differ_in_what_they_evict(evaluator: Evaluator) -> None:
    made = next(found for found in bundled() if found.name == "orders")
    evaluator.load(made)
    outcomes = [evaluator.run(component, made.id, made.capacity) for component in classics(made.kind).values()]
    digests = {outcome.digest for outcome in outcomes if isinstance(outcome, Counters)}
    assert len(digests) == len(classics(made.kind))
