"""Every trial can fail, says why, and ends what would come after it; people and validators run the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from mqtt_hub.protocol.bodies import Claim
from trainers.arenas.evaluate import classics
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.arenas.page_replacement.kind import KIND
from trainers.policy import canonical, component_id, parse
from trainers.policy.tree import Component
from trainers.trials import TRIALS, Outcome, Subject, tried
from trainers.workloads.format import workload
from trainers.yardstick import Yardstick

GOOD = "def on_insert():\n    return tail(0, 0)\n"
TRAIN = workload("loop", [step % 40 for step in range(1200)], part="train", capacity=20)
HIDDEN = workload("loop", [step % 44 for step in range(1200)], part="hidden", capacity=20)
BY_NAME = {trial.name: trial for trial in TRIALS}


class Odd(Evaluator):
    """A real evaluator whose answers somebody bends."""

    def __init__(self) -> None:
        super().__init__(KIND.name, engine="wasm")
        self.bend: Callable[[Counters, str, int], Counters | Failure] = lambda outcome, _id, _capacity: outcome

    def run(self, candidate: Any, workload_id: str, capacity: int, **rows: Any) -> Counters | Failure:
        outcome = super().run(candidate, workload_id, capacity, **rows)
        return self.bend(outcome, workload_id, capacity) if isinstance(outcome, Counters) else outcome


@pytest.fixture
def odd() -> Iterator[Odd]:
    with Odd() as running:
        yield running


def subject(evaluator: Evaluator, source: str = GOOD, **change: Any) -> Subject:
    given: dict[str, Any] = {
        "kind": evaluator.kind, "source": source, "evaluator": evaluator, "yardstick": Yardstick(evaluator),
        "train": [TRAIN], "hidden": [HIDDEN], "target": "loop",
    }  # fmt: skip
    return Subject(**{**given, **change})


def outcomes(tried_on: Subject) -> dict[str, Outcome]:
    return {trial.name: outcome for trial, outcome in tried(tried_on)}


def failures(tried_on: Subject) -> dict[str, str]:
    return {name: told.reason for name, told in outcomes(tried_on).items() if told.outcome == "failed"}


def fewer(counters: Counters, **values: int) -> Counters:
    return replace(counters, values={**counters.values, **values})


def test_names_are_unique_and_stages_in_order() -> None:
    assert len(BY_NAME) == len(TRIALS)
    assert [trial.stage for trial in TRIALS] == sorted(trial.stage for trial in TRIALS)
    assert all(trial.meaning and "\n" not in trial.meaning for trial in TRIALS)


def test_whoever_waits_is_told_which_test_runs(odd: Odd) -> None:
    begun: list[str] = []
    run = [trial.name for trial, _ in tried(subject(odd), begin=begun.append)]
    assert begun == run == [trial.name for trial in TRIALS]


def test_a_good_component_passes_everything_that_can_be_tried(odd: Odd) -> None:
    results = outcomes(subject(odd))
    nothing_to_try = [name for name, told in results.items() if told.outcome == "skipped"]
    assert nothing_to_try == ["claims", "reproduction", "limits", "ablation"]
    assert not any(told.outcome == "failed" for told in results.values())
    assert results.keys() == BY_NAME.keys()
    assert results["budget"].figures["fuel_a_row"] > 0


def test_what_is_no_source_ends_the_trial_at_once(odd: Odd) -> None:
    assert outcomes(subject(odd, "import os\n")).keys() == {"static"}


def test_fuel_that_runs_out_breaks_the_budget_and_nothing_hidden_is_run(odd: Odd) -> None:
    odd.bend = lambda _outcome, _id, _capacity: Failure("fuel", "all fuel consumed")
    told = outcomes(subject(odd))
    assert {name: one.outcome for name, one in told.items()} == {
        "static": "passed", "claims": "skipped", "budget": "failed", "invariants": "passed", "determinism": "skipped",
        "reproduction": "skipped",
    }  # fmt: skip


def test_a_trap_breaks_an_invariant(odd: Odd) -> None:
    odd.bend = lambda _outcome, _id, _capacity: Failure("trap", "unreachable")
    assert failures(subject(odd)) == {"invariants": "loop: trap: unreachable"}


def test_a_second_run_that_differs_is_not_determined(odd: Odd) -> None:
    runs = iter(range(100))
    odd.bend = lambda outcome, _id, _capacity: replace(outcome, digest=next(runs))
    assert failures(subject(odd)) == {"determinism": "loop: two runs differ"}


def test_a_failure_at_the_least_machine_is_not_total(odd: Odd) -> None:
    odd.bend = lambda outcome, _id, capacity: outcome if capacity > 1 else Failure("fuel", "all fuel consumed")
    assert failures(subject(odd)) == {"total": "loop at 1 pages: fuel: all fuel consumed"}


def test_a_value_below_the_bound_is_a_cheat(odd: Odd) -> None:
    odd.bend = lambda outcome, _id, capacity: fewer(outcome, misses=3) if capacity == TRAIN.capacity else outcome
    told = failures(subject(odd))
    assert told["bound"].startswith("loop: 3 misses where ")


def test_a_result_that_hangs_on_names_is_found_by_renaming(odd: Odd) -> None:
    odd.bend = lambda outcome, id_, _capacity: outcome if id_ in (TRAIN.id, HIDDEN.id) else replace(outcome, digest=0)
    assert failures(subject(odd)) == {"renaming": "loop: other names, another result"}


def test_a_result_that_the_interpreter_does_not_have_is_a_disagreement(odd: Odd) -> None:
    odd.bend = lambda outcome, _id, _capacity: replace(outcome, digest=7)
    assert failures(subject(odd)) == {"agreement": "loop: wasm and the reference interpreter differ"}


def test_a_hard_limit_holds_on_the_hidden_part_too(odd: Odd) -> None:
    def late(counters: Any, reference: Any) -> str:
        return "late" if counters["misses"] > reference["misses"] // 2 and reference["misses"] == 1200 else ""

    odd.kind = replace(KIND, limit=late)
    told = failures(subject(odd, "def on_hit(mark):\n    return keep(mark)\n"))
    assert told == {"limits": "loop (train): late", "useful": "loop (hidden): 1200 misses, lru has 1200"}


def test_claims_are_held_to_what_is_counted(odd: Odd) -> None:
    component = parse(GOOD, KIND.form)
    odd.load(TRAIN)
    counted = odd.run(component, TRAIN.id, TRAIN.capacity)
    assert isinstance(counted, Counters)
    good = {"source": canonical(component), "digest": component_id(component)}
    claim = Claim(TRAIN.id, TRAIN.capacity, counted.values)
    assert not failures(subject(odd, claims=(claim,), **good))
    false = replace(claim, counters={**counted.values, "misses": 1})
    assert list(failures(subject(odd, claims=(false,), **good))) == ["reproduction"]
    assert list(failures(subject(odd, claims=(), **good))) == ["claims"]


def test_ablation_names_the_feature_that_it_cannot_do_without(odd: Odd) -> None:
    two = "def on_insert(age_less, capacity):\n    return tail(0, 0)\n"
    assert "static" in failures(subject(odd, two))
    source = "def on_insert(capacity, register):\n    return tail(0, 0) if capacity > 5 else head(0, register)\n"
    told = outcomes(subject(odd, source))["ablation"]
    assert next(iter(told.figures)) == "on_insert.capacity"
    assert told.figures["on_insert.capacity"] > 0.1
    assert told.figures["on_insert.register"] == 0


def test_classics_pass_all_but_the_useful_test(odd: Odd) -> None:
    program: Component
    for program in classics(KIND.name).values():
        assert failures(subject(odd, canonical(program))).keys() <= {"useful"}
