"""The evaluator counts the same thing every time, on slices too, and says what it cannot do."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from trainers.arenas.errors import EvaluationError
from trainers.arenas.evaluate import bundled, classics
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.arenas.page_replacement.kind import FORM, KIND
from trainers.policy.parse import parse
from trainers.policy.wasm import to_wasm
from trainers.workloads.format import Workload, workload

CAPACITY_MAX = KIND.capacity.high
CLASSICS = classics("page_replacement")
Trace = Callable[[random.Random], Workload]


def test_same_program_same_counters_fuel_included() -> None:
    made = next(found for found in bundled() if found.name == "notes")
    counters = set()
    for _ in range(2):
        with Evaluator(engine="wasm") as running:
            running.load(made)
            counters |= {running.run(CLASSICS["s3-fifo"], made.id, made.capacity) for _ in range(2)}
    assert len(counters) == 1


def test_source_and_its_module_count_the_same(evaluator: Evaluator, trace: Trace) -> None:
    made = trace(random.Random(1))
    evaluator.load(made)
    component = CLASSICS["arc"]
    assert evaluator.run(component, made.id, 5) == evaluator.run(to_wasm(component).values(), made.id, 5)


@pytest.mark.parametrize("engine", ["wasm", "reference"])
def test_a_slice_is_a_cold_run_of_its_requests(engine: str, trace: Trace) -> None:
    made = trace(random.Random(2))
    start, stop = len(made.words) // 4, len(made.words) // 2
    alone = workload("slice", made.words[start:stop])
    with Evaluator(engine=engine) as running:
        running.load(made)
        running.load(alone)
        part = running.run(CLASSICS["sieve"], made.id, 5, start=start, stop=stop)
        assert part == running.run(CLASSICS["sieve"], alone.id, 5)
        assert running.baseline("lirs", made.id, 5, start=start, stop=stop) == running.baseline("lirs", alone.id, 5)


def test_an_empty_slice_counts_nothing(evaluator: Evaluator, trace: Trace) -> None:
    made = trace(random.Random(3))
    evaluator.load(made)
    outcome = evaluator.run(CLASSICS["lru"], made.id, 5, start=4, stop=4)
    assert isinstance(outcome, Counters)
    assert (outcome.values["requests"], outcome.values["misses"]) == (0, 0)


def test_renaming_the_pages_changes_nothing(evaluator: Evaluator, trace: Trace) -> None:
    rng = random.Random(4)
    for component in CLASSICS.values():
        made = trace(rng)
        names = list(range(made.size))
        rng.shuffle(names)
        renamed = workload("trace", [f"page {names[page]}" for page in made.words])
        assert renamed == made, "numbering by first appearance takes the names away"
        evaluator.load(renamed)
        assert isinstance(evaluator.run(component, renamed.id, 5), Counters)


def test_the_digest_does_not_know_page_numbers(reference: Evaluator, evaluator: Evaluator) -> None:
    """The same requests, numbered otherwise by a prefix that is long forgotten, leave the same trail."""
    body = [0, 1, 2, 3, 0, 1, 4, 0, 2, 5, 1, 0] * 4
    plain, shifted = workload("plain", body), workload("shifted", [5, 4, 3, 2, 1, 0, *body])
    for running in (reference, evaluator):
        running.load(plain)
        running.load(shifted)
        assert running.run(CLASSICS["lirs"], plain.id, 3) != running.run(CLASSICS["fifo"], plain.id, 3)
        first = running.run(CLASSICS["lirs"], plain.id, 3)
        again = running.run(CLASSICS["lirs"], shifted.id, 3, start=6)
        assert isinstance(first, Counters)
        assert isinstance(again, Counters)
        assert (first.values["misses"], first.digest) == (again.values["misses"], again.digest)


def test_a_program_that_never_evicts_unasked_pays_with_its_credit(evaluator: Evaluator) -> None:
    """Keeping every scanned page for ever ends: without credit the page at the hand goes."""
    made = workload("loop", [number % 50 for number in range(2000)])
    evaluator.load(made)
    stubborn = parse("def on_scan(mark):\n    return keep(mark)\n", FORM)
    outcome = evaluator.run(stubborn, made.id, 10)
    assert isinstance(outcome, Counters)
    assert outcome.values["misses"] == 2000
    assert outcome.fuel / outcome.values["requests"] < 4000


def test_fuel_runs_out_at_the_bound(trace: Trace) -> None:
    made = trace(random.Random(6))
    with Evaluator(engine="wasm", fuel_per_step_max=1 << 20) as rich:
        rich.load(made)
        enough = rich.run(CLASSICS["lru"], made.id, 5)
        assert isinstance(enough, Counters)
    with Evaluator(engine="wasm", fuel_per_step_max=0) as poor:
        long = next(found for found in bundled() if found.name == "link")
        poor.load(long)
        outcome = poor.run(CLASSICS["lru"], long.id, 5)
        assert isinstance(outcome, Failure)
        assert outcome.reason == "fuel"


@pytest.mark.parametrize("capacity", [0, -1, CAPACITY_MAX + 1])
def test_capacity_outside_its_bounds_is_refused(capacity: int, evaluator: Evaluator, trace: Trace) -> None:
    made = trace(random.Random(8))
    evaluator.load(made)
    with pytest.raises(EvaluationError, match="is not within"):
        evaluator.run(CLASSICS["lru"], made.id, capacity)


def test_the_largest_capacity_runs(evaluator: Evaluator, trace: Trace) -> None:
    made = trace(random.Random(9))
    evaluator.load(made)
    outcome = evaluator.run(CLASSICS["lirs"], made.id, CAPACITY_MAX)
    assert isinstance(outcome, Counters)
    assert outcome.values["misses"] == made.size


def test_what_does_not_exist_is_said(evaluator: Evaluator, trace: Trace) -> None:
    made = trace(random.Random(10))
    evaluator.load(made)
    with pytest.raises(EvaluationError, match="no component kind 'network'"):
        Evaluator("network")
    with pytest.raises(EvaluationError, match="no engine 'native'"):
        Evaluator(engine="native")
    with pytest.raises(EvaluationError, match=r"no baseline 'mru'.*known: fifo"):
        evaluator.baseline("mru", made.id, 5)
    with pytest.raises(EvaluationError, match="is not loaded"):
        evaluator.baseline("lru", "0" * 64, 5)
    with pytest.raises(EvaluationError, match=r"requests 5\.\.3 are not within"):
        evaluator.baseline("lru", made.id, 5, start=5, stop=3)


def test_an_evaluator_keeps_a_bounded_number_of_workloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainers.arenas.evaluator.WORKLOADS_MAX", 2)
    first, second, third = (workload(name, [1]) for name in ("first", "second", "third"))
    with Evaluator(engine="reference") as running:
        for made in (first, second, second):
            running.load(made)
        with pytest.raises(EvaluationError, match="2 workloads are loaded"):
            running.load(third)


def test_without_wasmtime_bytes_cannot_be_run(reference: Evaluator, trace: Trace) -> None:
    made = trace(random.Random(12))
    reference.load(made)
    with pytest.raises(EvaluationError, match="only source can be run"):
        reference.run(to_wasm(CLASSICS["lru"]).values(), made.id, 5)


def test_without_wasmtime_the_reference_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert Evaluator().engine == "reference"
