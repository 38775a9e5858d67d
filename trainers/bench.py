"""The test bench for submitted components: every test in order, then the hidden workloads.

::

    submission ──▶ Subject ──▶ trials, stage by stage (trainers/trials) ──▶ outcomes, hidden scores
                                                                                    │
                                                    TEST_RESULT ◀── verdict ◀───────┘

A submitter's counters are claims; what this bench counts on its own machine is what stands. Everything in the
result but the engine's name follows from the submission and the workloads, so two honest validators publish
the same ``digest``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from mqtt_hub.protocol.bodies import (
    C_SOURCE_CHARACTERS_MAX,
    HiddenScore,
    OsComponentShare,
    TestOutcome,
    TestResult,
)
from mqtt_hub.protocol.codec import to_json
from mqtt_hub.protocol.submission import submission_id
from trainers.arenas.evaluator import Evaluator
from trainers.policy import to_c
from trainers.policy.tree import Component
from trainers.trials import TRIALS, Outcome, Subject, tried
from trainers.workloads.format import Workload
from trainers.yardstick import Yardstick

__all__ = ["Bench", "refused"]

REASON_CHARACTERS_MAX = 300
JUDGES = tuple(trial for trial in TRIALS if trial.judges)
HIDDEN_TESTS = tuple(trial.name for trial in JUDGES if trial.hidden)  # their names may be told, no more
# What no submitter can test: hidden workloads, what a validator has.
NOT_THEIR_FAULT = ("kind", *(trial.name for trial in JUDGES if not trial.fault))


@dataclass(slots=True)
class _Sheet:
    """The outcomes so far; what failed first is the verdict's reason."""

    tests: list[TestOutcome] = field(default_factory=list)

    def note(self, name: str, outcome: Outcome) -> None:
        """Write down one test."""
        self.tests.append(TestOutcome(name, outcome.outcome, outcome.reason[:REASON_CHARACTERS_MAX]))

    def first_failure(self) -> TestOutcome | None:
        """Return the first test that failed."""
        return next((test for test in self.tests if test.outcome == "failed"), None)


class Bench:
    """Judges components of one kind on the workloads it is given; baselines are counted once and kept."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._yardstick = Yardstick(evaluator)

    def judge(
        self, submission: OsComponentShare, submitter: str, train: Sequence[Workload], hidden: Sequence[Workload]
    ) -> TestResult:
        """Return the verdict on one submission; never raises for anything a submitter can send."""
        subject = Subject(
            kind=self._evaluator.kind,
            source=submission.source,
            evaluator=self._evaluator,
            yardstick=self._yardstick,
            train=train,
            hidden=hidden,
            meant_for=submission.kind,
            digest=submission.component,
            claims=submission.claims,
            target=submission.target,
        )
        sheet = _Sheet()
        for trial, outcome in tried(subject, JUDGES):
            sheet.note(trial.name, outcome)
        c_source = _c_source(subject.component) if subject.component is not None else ""
        return _result(submission, submitter, sheet, tuple(subject.scores), c_source)


def refused(submission: OsComponentShare, submitter: str, reason: str) -> TestResult:
    """Return the verdict on what no bench can judge: a component of a kind that is not known here."""
    sheet = _Sheet()
    sheet.note("kind", Outcome("failed", reason))
    return _result(submission, submitter, sheet, (), "")


def _result(
    submission: OsComponentShare, submitter: str, sheet: _Sheet, hidden: tuple[HiddenScore, ...], c_source: str
) -> TestResult:
    failed = sheet.first_failure()
    if failed is None:
        verdict, reason, told = "accepted", "every test passed", "every test passed"
    else:
        unproven = failed.name in ("reproduction", "determinism")
        verdict, reason = "not_reproduced" if unproven else "rejected", f"{failed.name}: {failed.reason}"
        told = f"{failed.name}: not on a hidden workload" if failed.name in HIDDEN_TESTS else reason
    faulty = failed is not None and failed.name not in NOT_THEIR_FAULT
    tests = tuple(sheet.tests)
    name = submission_id(submitter, submission)
    stands = to_json([name, submission.kind, submission.component, verdict, faulty, tests, hidden])
    return TestResult(
        kind=submission.kind,
        component=submission.component,
        submission=name,
        submitter=submitter,
        verdict=verdict,  # type: ignore[arg-type]
        faulty=faulty,
        reason=reason[:REASON_CHARACTERS_MAX],
        told=told[:REASON_CHARACTERS_MAX],
        tests=tests,
        hidden=hidden,
        digest=sha256(stands).hexdigest(),
        c_source=c_source,
    )


def _c_source(component: Component) -> str:
    """Return the C, or nothing where a component is so large that its C fits no message."""
    text = to_c(component)
    return text if len(text) <= C_SOURCE_CHARACTERS_MAX else ""
