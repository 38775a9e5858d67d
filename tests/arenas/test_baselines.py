"""The native baselines: each equals its second, naive writing; none beats the bound; the bound is the optimum."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import pytest

from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.page_replacement import baselines
from trainers.arenas.page_replacement.kind import BASELINES, BOUND
from trainers.workloads.format import Workload, workload

Trace = Callable[[random.Random], Workload]
ALL = (*BASELINES, BOUND)


def test_every_baseline_is_written_twice() -> None:
    assert set(baselines.POLICIES) == set(ALL)


def naive(name: str, made: Workload, capacity: int) -> Counters:
    (requests, misses), digest = baselines.run(name, made.words, made.size, capacity)
    return Counters({"requests": requests, "misses": misses}, 0, digest)


@pytest.mark.parametrize("name", ALL)
def test_native_equals_naive_to_the_last_eviction(name: str, evaluator: Evaluator, trace: Trace) -> None:
    rng = random.Random(name)
    for _ in range(60):
        made = trace(rng)
        evaluator.load(made)
        for capacity in {1, 2, rng.randint(1, made.size + 1), max(1, made.size // 10)}:
            native = evaluator.baseline(name, made.id, capacity)
            assert native == naive(name, made, capacity), (capacity, made.words)


@pytest.mark.parametrize("name", ALL)
def test_a_cache_that_holds_everything_misses_each_page_once(name: str, evaluator: Evaluator, trace: Trace) -> None:
    made = trace(random.Random(7))
    evaluator.load(made)
    assert evaluator.baseline(name, made.id, made.size).values["misses"] == made.size


@pytest.mark.parametrize("name", BASELINES)
def test_no_baseline_beats_the_bound(name: str, evaluator: Evaluator, trace: Trace) -> None:
    rng = random.Random(11)
    for _ in range(30):
        made = trace(rng)
        evaluator.load(made)
        capacity = rng.randint(1, made.size)
        bound = evaluator.baseline(BOUND, made.id, capacity).values["misses"]
        assert bound <= evaluator.baseline(name, made.id, capacity).values["misses"]


def fewest_misses(requests: tuple[int, ...], capacity: int) -> int:
    """Try every eviction at every miss."""

    @cache
    def rest(at: int, held: frozenset[int]) -> int:
        if at == len(requests):
            return 0
        page = requests[at]
        if page in held:
            return rest(at + 1, held)
        if len(held) < capacity:
            return 1 + rest(at + 1, held | {page})
        return 1 + min(rest(at + 1, held - {out} | {page}) for out in held)

    return rest(0, frozenset())


def test_the_bound_equals_brute_force_on_tiny_instances(evaluator: Evaluator) -> None:
    rng = random.Random(3)
    for _ in range(150):
        keys = [rng.randrange(rng.randint(1, 7)) for _ in range(rng.randint(1, 14))]
        made = workload("tiny", keys)
        evaluator.load(made)
        for capacity in range(1, 5):
            bound = evaluator.baseline(BOUND, made.id, capacity).values["misses"]
            assert bound == fewest_misses(tuple(made.words), capacity)


def test_textbook_example() -> None:
    """Silberschatz's reference string with three frames: FIFO 15, LRU 12, optimal 9 faults."""
    string = [7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1]
    assert [baselines.run(name, string, 8, 3)[0][1] for name in ("fifo", "lru", "belady")] == [15, 12, 9]


def test_belady_s_anomaly_of_fifo(evaluator: Evaluator) -> None:
    """More memory, more faults: 9 with three frames, 10 with four (Belady, Nelson and Shedler 1969)."""
    made = workload("anomaly", [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5])
    evaluator.load(made)
    assert [evaluator.baseline("fifo", made.id, frames).values["misses"] for frames in (3, 4)] == [9, 10]
