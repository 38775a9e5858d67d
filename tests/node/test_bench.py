"""The test bench on a real evaluator: what is accepted, what is not, and why."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from mqtt_hub.protocol.bodies import (
    C_SOURCE_CHARACTERS_MAX,
    SOURCE_CHARACTERS_MAX,
    Claim,
    OsComponentShare,
    TestResult,
)
from mqtt_hub.protocol.codec import ENVELOPE_BYTES_MAX, Message, encode
from mqtt_hub.protocol.table import MessageType
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.page_replacement.kind import KIND
from trainers.bench import Bench
from trainers.policy import canonical, component_id, parse, to_c
from trainers.trials import HIDDEN_MAX, TRIALS
from trainers.workloads.format import Workload, workload

USEFUL = "def on_insert():\n    return tail(0, 0)\n"  # what comes goes first: on a loop this keeps a part of it
USELESS = "def on_hit(mark):\n    return tail(0, mark)\n"  # what is used goes first

Submit = Callable[..., OsComponentShare]


@pytest.fixture(scope="session")
def bench(evaluator: Evaluator) -> Bench:
    return Bench(evaluator)


@pytest.fixture
def submit(evaluator: Evaluator, train: list[Workload]) -> Submit:
    """Return a maker of honest submissions: canonical source, its digest, counters as counted."""

    def make(source: str, target: str = "loops") -> OsComponentShare:
        component = parse(source, KIND.form)
        claims = []
        for part in train:
            evaluator.load(part)
            counted = evaluator.run(component, part.id, part.capacity)
            assert isinstance(counted, Counters)
            claims.append(Claim(part.id, part.capacity, counted.values))
        name = component_id(component)
        return OsComponentShare(KIND.name, name, canonical(component), ("A",), (), tuple(claims), target)

    return make


def fits(result: TestResult) -> int:
    """Return how many bytes the verdict's message has; encoding raises beyond the bounds."""
    message = Message(MessageType.TEST_RESULT, "V" * 64, 2**53, "2026-01-31T12:00:00.123Z", result, seq=2**53)
    return len(encode(replace(message, correlation_id=result.component)))


def failed(result: TestResult) -> list[str]:
    return [test.name for test in result.tests if test.outcome == "failed"]


def test_an_honest_component_that_beats_the_default_is_accepted(
    bench: Bench, submit: Submit, train: list[Workload], hidden: list[Workload]
) -> None:
    result = bench.judge(submit(USEFUL), "A", train, hidden)
    assert (result.verdict, failed(result)) == ("accepted", [])
    assert [test.name for test in result.tests] == [trial.name for trial in TRIALS if trial.judges]
    assert [test.name for test in result.tests if test.outcome == "skipped"] == ["limits"]
    assert [score.workload for score in result.hidden] == [part.name for part in hidden]
    for score in result.hidden:
        assert set(score.baselines) == set(KIND.baselines)
        assert score.bound <= min(score.value, *score.baselines.values())
        assert score.picked in KIND.baselines
    assert result.hidden[0].value < result.hidden[0].baselines[KIND.baseline]
    assert "on_insert" in result.c_source
    assert fits(result) <= ENVELOPE_BYTES_MAX


def test_a_false_claim_is_not_reproduced_and_both_numbers_are_told(
    bench: Bench, submit: Submit, train: list[Workload], hidden: list[Workload]
) -> None:
    honest = submit(USEFUL)
    counted = honest.claims[0].counters[KIND.metric]
    false = replace(honest.claims[0], counters={**honest.claims[0].counters, KIND.metric: counted - 1})
    result = bench.judge(replace(honest, claims=(false, *honest.claims[1:])), "A", train, hidden)
    assert result.verdict == "not_reproduced"
    assert f"claimed {counted - 1} misses, counted {counted}" in result.reason
    assert result.hidden == ()  # hidden workloads are not for guessing at


def test_a_claim_without_the_counter_is_false_and_one_that_nobody_can_check_is_rejected_without_blame(
    bench: Bench, submit: Submit, train: list[Workload], hidden: list[Workload]
) -> None:
    honest = submit(USEFUL)
    empty = bench.judge(replace(honest, claims=(replace(honest.claims[0], counters={}),)), "A", train, hidden)
    assert (empty.verdict, empty.faulty) == ("not_reproduced", True)
    for claims in ((), (replace(honest.claims[0], workload="0" * 64),)):
        result = bench.judge(replace(honest, claims=claims), "A", train, hidden)
        assert (result.verdict, result.faulty, failed(result)) == ("rejected", False, ["claims"])


def test_a_capacity_that_no_arena_has_is_a_verdict_and_not_the_end_of_the_validator(
    bench: Bench, submit: Submit, train: list[Workload], hidden: list[Workload]
) -> None:
    honest = submit(USEFUL)
    for capacity in (KIND.capacity.high + 1, 2**31):
        claims = (replace(honest.claims[0], capacity=capacity),)
        result = bench.judge(replace(honest, claims=claims), "A", train, hidden)
        assert result.verdict == "not_reproduced"
        assert str(capacity) in result.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"component": "0" * 64}, "digest"),
        ({"source": USEFUL.replace("return tail", "return  tail")}, "canonical"),
        ({"source": "import os\n"}, "line 1, column 1"),
        ({"source": "def on_insert():\n    while 1:\n        pass\n"}, "line 2"),
        ({"source": "def on_insert(:\n"}, "not Python"),
        ({"source": "\x00"}, "not "),
        ({"source": "(" * 8000}, "not Python"),
        ({"source": "def on_insert():\n    return head(0, " + "-" * 8000 + "1)\n"}, "deep"),
        ({"kind": "io_scheduling"}, "io_scheduling"),
    ],
)
def test_what_is_no_component_is_rejected_with_the_reason(
    bench: Bench, submit: Submit, train: list[Workload], hidden: list[Workload], change: dict[str, str], reason: str
) -> None:
    result = bench.judge(replace(submit(USEFUL), **change), "A", train, hidden)  # type: ignore[arg-type]
    assert result.verdict == "rejected"
    assert result.reason.startswith("static: ")
    assert reason in result.reason
    assert fits(result) <= ENVELOPE_BYTES_MAX


def test_a_component_that_loses_to_lru_where_nobody_tuned_it_is_rejected_as_not_useful(
    bench: Bench, submit: Submit, train: list[Workload], hidden: list[Workload]
) -> None:
    result = bench.judge(submit(USELESS, target="skewed"), "A", train, hidden)
    assert (result.verdict, failed(result)) == ("rejected", ["useful"])
    assert "skewed (hidden)" in result.reason
    assert (result.told, result.faulty) == ("useful: not on a hidden workload", False)  # nobody can test it at home
    assert "lru has" in result.reason
    assert len(result.hidden) == len(hidden)  # losses are shown


def test_two_validators_reach_the_same_digest(
    evaluator: Evaluator, submit: Submit, train: list[Workload], hidden: list[Workload]
) -> None:
    submission = submit(USEFUL)
    with Evaluator() as other:
        mine, yours = (Bench(one).judge(submission, "A", train, hidden) for one in (evaluator, other))
    assert mine == yours


def test_the_digest_differs_when_anything_differs(
    bench: Bench, submit: Submit, train: list[Workload], hidden: list[Workload]
) -> None:
    honest, shorter = submit(USEFUL), [workload("loops", list(hidden[0].words)[:400], part="hidden")]
    false = replace(honest, claims=(replace(honest.claims[0], counters={**honest.claims[0].counters, KIND.metric: 1}),))
    falser = replace(
        honest, claims=(replace(honest.claims[0], counters={**honest.claims[0].counters, KIND.metric: 2}),)
    )
    results = [
        bench.judge(honest, "A", train, hidden),
        bench.judge(honest, "A", train, hidden[:1]),
        bench.judge(honest, "A", train, shorter),
        bench.judge(submit(USELESS), "A", train, hidden),
        bench.judge(false, "A", train, hidden),
        bench.judge(falser, "A", train, hidden),
    ]
    for one, other in itertools.combinations(results, 2):
        assert one.digest != other.digest


def largest() -> str:
    """Return a component whose canonical source is as long as the language admits, and whose C is long too."""
    source = ""
    for count in range(400, 0, -1):
        steps = "".join("    register_a = register_a // ghost_frequency\n" for _ in range(count))
        head = "def on_insert(capacity, ghost_frequency):\n    register_a = capacity\n"
        tried = f"{head}{steps}    return head(0, register_a)\n"
        if len(tried) <= SOURCE_CHARACTERS_MAX:
            source = tried
            break
    missing = SOURCE_CHARACTERS_MAX - len(source)
    # Three mentions of the local make up the rest as far as it divides.
    return source.replace("register_a", "register_a" + "b" * (missing // source.count("register_a")))


def test_the_verdict_on_the_largest_component_with_the_most_hidden_workloads_fits_an_envelope(
    bench: Bench, submit: Submit, train: list[Workload]
) -> None:
    submission = submit(largest())
    assert SOURCE_CHARACTERS_MAX - 200 < len(submission.source) <= SOURCE_CHARACTERS_MAX
    most = [
        workload(f"{'n' * 60}-{number:03d}", [step % 7 for step in range(20 + number)], part="hidden")
        for number in range(HIDDEN_MAX + 1)
    ]
    result = bench.judge(submission, "A" * 64, train, most)
    assert len(result.hidden) == HIDDEN_MAX
    assert 0 < len(result.c_source) <= C_SOURCE_CHARACTERS_MAX
    # The C could be longer still: with all that the bound lets in, the message must fit.
    assert fits(replace(result, c_source="\n" * C_SOURCE_CHARACTERS_MAX)) <= ENVELOPE_BYTES_MAX


def test_c_that_fits_no_message_is_left_out_and_the_verdict_stands(
    bench: Bench, submit: Submit, train: list[Workload], hidden: list[Workload], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.bench.C_SOURCE_CHARACTERS_MAX", len(to_c(parse(USEFUL, KIND.form))) - 1)
    result = bench.judge(submit(USEFUL), "A", train, hidden)
    assert (result.verdict, result.c_source) == ("accepted", "")
