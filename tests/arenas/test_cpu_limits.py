"""Starvation is a hard limit: a scheduler that forgets somebody is rejected, however good its mean."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mqtt_hub.protocol.bodies import Claim, OsComponentShare, TestResult
from trainers.arenas.classics import classics
from trainers.arenas.cpu_scheduling.counting import WAIT_MAX, starved
from trainers.arenas.cpu_scheduling.kind import KIND
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.bench import Bench
from trainers.policy import canonical, component_id
from trainers.policy.tree import Component
from trainers.workloads.format import Workload, workload
from trainers.workloads.jobs import Row


@pytest.mark.parametrize(
    ("waited", "of_round_robin", "fine"),
    [
        (WAIT_MAX, 5, True),
        (WAIT_MAX + 1, 5, False),
        (4 * WAIT_MAX, WAIT_MAX, True),
        (4 * WAIT_MAX + 1, WAIT_MAX, False),
    ],
)
def test_the_most_that_anybody_may_wait(waited: int, of_round_robin: int, *, fine: bool) -> None:
    assert (starved({"longest_wait": waited}, {"longest_wait": of_round_robin}) == "") == fine


def rows(seconds: int) -> list[Row]:
    """Return one long job, and short ones that leave no room for it."""
    short: list[Row] = [(number * 500, number + 1, 1, 16, 0, 490) for number in range(seconds * 200)]
    return [(0, 0, 0, 16, 0, 20_000), *short]


def verdict(component: Component, parts: Sequence[Workload]) -> TestResult:
    with Evaluator(KIND.name) as evaluator:
        train = parts[0]
        evaluator.load(train)
        counted = evaluator.run(component, train.id, train.capacity)
        assert isinstance(counted, Counters)
        claim = Claim(train.id, train.capacity, {**counted.values, "fuel": counted.fuel})
        text = canonical(component)
        submission = OsComponentShare(KIND.name, component_id(component), text, ("A",), (), (claim,), train.name)
        return Bench(evaluator).judge(submission, "A", parts[:1], parts[1:])


def test_the_bench_rejects_who_starves_somebody_on_the_hidden_part_only() -> None:
    """Least attained service never comes back to the long job; the train part is too short to show it."""
    parts = [
        workload("w", rows(seconds), kind=KIND.name, part=part) for part, seconds in (("train", 3), ("hidden", 14))
    ]
    found = verdict(classics(KIND.name)["las"], parts)
    assert found.verdict == "rejected"
    assert found.reason.startswith("limits: w (hidden): somebody waited")
    outcomes = {test.name: test.outcome for test in verdict(classics(KIND.name)["cfs"], parts).tests}
    assert outcomes["limits"] == "passed"
