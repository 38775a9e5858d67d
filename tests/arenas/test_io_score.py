"""I/O scheduling's score: a ratio to C-LOOK, which no single measure can buy; starvation is a hard limit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.protocol.bodies import Claim, OsComponentShare, TestResult
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.io_scheduling.device import CLASSES
from trainers.arenas.io_scheduling.kind import KIND
from trainers.arenas.io_scheduling.score import CLASS_SHARE, STARVED_CAPS, WAIT_CAP_US, search_value, starved, value
from trainers.arenas.logarithm import ONE
from trainers.bench import Bench
from trainers.policy import canonical, component_id, parse
from trainers.workloads.format import workload

REFERENCE = {
    "requests": 1000, "channels": 4, "latency_sum": 5_000_000, "latency_p99": 40_000, "wait_max": 90_000,
    **{f"{name}_count": 250 for name in CLASSES}, **{f"{name}_slowdown": 800_000 for name in CLASSES},
}  # fmt: skip
MEASURES = ("latency_sum", "latency_p99", *(f"{name}_slowdown" for name in CLASSES))
FACTOR = st.integers(60, 160)


def scaled(**percent: int) -> dict[str, int]:
    """Return the reference's counters with some of them at that percentage."""
    return {name: count * percent.get(name, 100) // 100 for name, count in REFERENCE.items()}


def test_the_reference_has_a_million() -> None:
    assert value(REFERENCE, REFERENCE) == 1_000_000


def test_each_third_counts_as_much() -> None:
    """Half the mean, half the tail or half of every slowdown: 2^(-1/3) each; all three: a half."""
    third = math.floor(1e6 * 2 ** (-1 / 3))
    halves = [{"latency_sum": 50}, {"latency_p99": 50}, {f"{name}_slowdown": 50 for name in CLASSES}]
    for part in halves:
        assert value(scaled(**part), REFERENCE) == pytest.approx(third, abs=2)
    assert value(scaled(**{name: 50 for part in halves for name in part}), REFERENCE) == pytest.approx(500_000, abs=2)


@given(st.fixed_dictionaries(dict.fromkeys(MEASURES, FACTOR)), st.sampled_from(MEASURES))
@settings(max_examples=100, deadline=None)
def test_it_is_the_mean_of_logarithms_and_more_of_anything_is_never_better(factors: dict[str, int], more: str) -> None:
    counters = scaled(**factors)
    logs = {name: math.log(counters[name] / REFERENCE[name]) for name in MEASURES}
    slowdown = sum(logs[f"{name}_slowdown"] for name in CLASSES) / len(CLASSES)
    truth = (logs["latency_sum"] + logs["latency_p99"] + slowdown) / 3
    assert value(counters, REFERENCE) == pytest.approx(1e6 * math.exp(truth), abs=3)
    assert value({**counters, more: counters[more] + 1}, REFERENCE) >= value(counters, REFERENCE)


@given(st.fixed_dictionaries(dict.fromkeys(MEASURES, FACTOR)))
@settings(max_examples=50, deadline=None)
def test_search_climbs_the_logarithm_of_the_value(factors: dict[str, int]) -> None:
    counters = scaled(**factors)
    assert 1e6 * 2 ** (search_value(counters, REFERENCE) / ONE) == pytest.approx(value(counters, REFERENCE), abs=3)


def test_search_goes_on_below_the_clip() -> None:
    low, lower = (scaled(**dict.fromkeys(MEASURES, percent)) for percent in (20, 10))
    assert value(low, REFERENCE) == value(lower, REFERENCE)
    assert search_value(lower, REFERENCE) == pytest.approx(search_value(low, REFERENCE) - ONE, abs=9)


@pytest.mark.parametrize(("channels", "cap"), [(1, WAIT_CAP_US["disk"]), (2, WAIT_CAP_US["drive"])])
def test_a_wait_beyond_the_cap_costs_in_proportion(channels: int, cap: int) -> None:
    at, beyond = ({**REFERENCE, "channels": channels, "wait_max": wait} for wait in (cap, 2 * cap))
    assert (value(at, REFERENCE), value(beyond, REFERENCE)) == (1_000_000, 2_000_000)


def test_it_is_clipped_at_both_ends() -> None:
    assert value(scaled(**dict.fromkeys(MEASURES, 1)), REFERENCE) == 223_130
    assert value({**REFERENCE, "wait_max": 10**9}, REFERENCE) == 4_481_689


def test_a_rare_class_has_no_say() -> None:
    few = {**REFERENCE, "write_large_count": REFERENCE["requests"] // CLASS_SHARE - 1}
    assert value({**few, "write_large_slowdown": 1}, few) == value(few, few) == 1_000_000
    assert value({**REFERENCE, "write_large_slowdown": 1}, REFERENCE) < 1_000_000


def test_no_rows_have_a_value() -> None:
    nothing = dict.fromkeys(REFERENCE, 0)
    assert value(nothing, nothing) == 0


@pytest.mark.parametrize(
    ("waited", "of_the_default", "fine"),
    [(STARVED_CAPS * 200_000, 5, True), (STARVED_CAPS * 200_000 + 1, 5, False), (9_000_000, 4_500_000, True),
     (9_000_001, 4_500_000, False)],
)  # fmt: skip
def test_the_most_that_a_request_may_wait(waited: int, of_the_default: int, *, fine: bool) -> None:
    counters, reference = ({**REFERENCE, "wait_max": wait} for wait in (waited, of_the_default))
    assert (starved(counters, reference) == "") == fine


def judged(source: str) -> TestResult:
    """Judge a policy on a drive that is asked for a little more than it can do, for four seconds."""
    rows = [(at * 900, at * 4096, 4000, at % 5, 0) for at in range(4400)]
    parts = [workload("w", rows, kind=KIND.name, part=part, capacity=4) for part in ("train", "hidden")]
    component = parse(source, KIND.form)
    with Evaluator(KIND.name) as evaluator:
        evaluator.load(parts[0])
        counted = evaluator.run(component, parts[0].id, 4)
        assert isinstance(counted, Counters)
        claim = Claim(parts[0].id, 4, {**counted.values, "fuel": counted.fuel})
        text = canonical(component)
        submission = OsComponentShare(KIND.name, component_id(component), text, ("A",), (), (claim,), "w")
        return Bench(evaluator).judge(submission, "A", parts[:1], parts[1:])


def test_the_bench_rejects_who_forgets_a_request() -> None:
    """The latest first: the earliest is served when nobody comes any more."""
    found = judged("def pick_score(wait):\n    return -wait\n")
    assert found.verdict == "rejected"
    assert "limits" in found.reason
    assert "a request waited" in found.reason
    outcomes = {test.name: test.outcome for test in judged("def pick_score(wait):\n    return wait\n").tests}
    assert outcomes["limits"] == "passed"
