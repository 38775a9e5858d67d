"""The test bench for submitted components: every test in order, then the hidden workloads.

::

    submission ──▶ static ──▶ budget, invariants, determinism, reproduction ──▶ total ──▶ agreement
                     │ fails                                                                │
                     └─────────────▶ TEST_RESULT ◀── useful ◀── hidden workloads ◀──────────┘

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
    Claim,
    HiddenScore,
    OsComponentShare,
    TestOutcome,
    TestResult,
)
from mqtt_hub.protocol.codec import to_json
from mqtt_hub.protocol.submission import submission_id
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.policy import PolicyError, canonical, component_id, parse, to_c
from trainers.policy.tree import Component
from trainers.workloads.format import Workload
from trainers.yardstick import Yardstick

__all__ = ["Bench", "refused"]

AGREEMENT_ROWS = 2_000  # the reference interpreter is slow; a disagreement shows early
REASON_CHARACTERS_MAX = 300
HIDDEN_MAX = 32  # hidden workloads in one verdict, by name: so many scores and the C source fit an envelope
HIDDEN_TESTS = ("useful",)  # what they say follows from hidden workloads: their names may be told, no more
NOT_THEIR_FAULT = ("useful", "claims", "kind")  # what no submitter can test: hidden workloads, what a validator has
RUNAWAYS = ("fuel", "timeout")  # failures that the budget test answers for; any other breaks an invariant


@dataclass(slots=True)
class _Sheet:
    """The outcomes so far; what failed first is the verdict's reason."""

    tests: list[TestOutcome] = field(default_factory=list)

    def note(self, name: str, failure: str) -> bool:
        """Write down one test: passed where there is no failure to tell of."""
        outcome = "failed" if failure else "passed"
        self.tests.append(TestOutcome(name, outcome, failure[:REASON_CHARACTERS_MAX]))  # type: ignore[arg-type]
        return not failure

    def first_failure(self) -> TestOutcome | None:
        """Return the first test that failed."""
        return next((test for test in self.tests if test.outcome == "failed"), None)


class Bench:
    """Judges components of one kind on the workloads it is given; baselines are counted once and kept."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._kind = evaluator.kind
        self._reference = Evaluator(self._kind.name, engine="reference")
        self._yardstick = Yardstick(evaluator)

    def judge(
        self, submission: OsComponentShare, submitter: str, train: Sequence[Workload], hidden: Sequence[Workload]
    ) -> TestResult:
        """Return the verdict on one submission; never raises for anything a submitter can send."""
        sheet, scores, c_source = _Sheet(), [], ""
        component = self._static(submission, sheet)
        if component is not None:
            for workload in (*train, *hidden):
                self._evaluator.load(workload)
            if self._runs(submission, component, train, sheet):
                self._total(component, train, sheet)
                self._agreement(component, train, sheet)
                if "limits" in self._kind.tests:
                    self._limits(component, submission.target, (*train, *hidden[:HIDDEN_MAX]), sheet)
                scores = [self._score(component, workload, train) for workload in hidden[:HIDDEN_MAX]]
                self._useful(submission.target, [score for score in scores if score is not None], sheet)
            c_source = _c_source(component)
        return _result(submission, submitter, sheet, tuple(s for s in scores if s is not None), c_source)

    def _static(self, submission: OsComponentShare, sheet: _Sheet) -> Component | None:
        if submission.kind != self._kind.name:
            sheet.note("static", f"a component for {submission.kind}; this bench judges {self._kind.name}")
            return None
        try:
            component = parse(submission.source, self._kind.form)
        except PolicyError as error:
            sheet.note("static", str(error))
            return None
        if canonical(component) != submission.source:
            sheet.note("static", "the source is not in canonical form, so its digest names something else")
        elif component_id(component) != submission.component:
            sheet.note("static", "the component's name is not the digest of its source")
        else:
            sheet.note("static", "")
            return component
        return None

    def _runs(
        self, submission: OsComponentShare, component: Component, train: Sequence[Workload], sheet: _Sheet
    ) -> bool:
        """Run every claimed workload twice: within budget, without a trap, the same both times, as claimed."""
        known = {workload.id: workload for workload in train}
        claims = [claim for claim in submission.claims if claim.workload in known]
        budget = invariants = differs = untrue = ""
        for claim in claims:
            workload = known[claim.workload]
            has = self._kind.capacity
            if not has.low <= claim.capacity <= has.high:
                untrue = untrue or f"{workload.name}: {claim.capacity} {has.unit} are beyond the arena's"
                continue
            first, second = (self._evaluator.run(component, workload.id, claim.capacity) for _ in range(2))
            if isinstance(first, Failure):
                broken = f"{workload.name}: {first.reason}: {first.detail}"
                budget, invariants = (broken, "") if first.reason in RUNAWAYS else ("", broken)
                break  # one is enough, and each may take all the time there is
            if first != second:
                differs = differs or f"{workload.name}: two runs differ"
            else:
                untrue = untrue or _contradiction(claim, workload, first)
        sheet.note("claims", "" if claims else "no claim on a workload that this validator has")
        sheet.note("budget", budget)
        sheet.note("invariants", invariants)
        sheet.note("determinism", differs)
        sheet.note("reproduction", untrue)
        return sheet.first_failure() is None

    def _total(self, component: Component, train: Sequence[Workload], sheet: _Sheet) -> None:
        """Run at the extremes of the model: the least machine, and one larger than the workload can use."""
        failure, has = "", self._kind.capacity
        for workload in train[:1]:
            for capacity in (has.low, max(has.low, min(workload.size + 1, has.high))):
                outcome = self._evaluator.run(component, workload.id, capacity)
                if isinstance(outcome, Failure):
                    failure = f"{workload.name} at {capacity} {has.unit}: {outcome.reason}: {outcome.detail}"
                elif better := self._yardstick.beyond_the_bound(outcome, workload, capacity):
                    failure = f"{workload.name} at {capacity} {has.unit}: {better}"
        sheet.note("total", failure)

    def _agreement(self, component: Component, train: Sequence[Workload], sheet: _Sheet) -> None:
        """Hold the engine to the reference interpreter, digest of the behaviour included."""
        failure = ""
        for workload in train[:1]:
            stop = min(AGREEMENT_ROWS, workload.rows)
            counted = self._evaluator.run(component, workload.id, workload.capacity, stop=stop)
            self._reference.load(workload)
            expected = self._reference.run(component, workload.id, workload.capacity, stop=stop)
            if _behaviour(counted) != _behaviour(expected):
                failure = f"{workload.name}: {self._evaluator.engine} and the reference interpreter differ"
        sheet.note("agreement", failure)

    def _limits(self, component: Component, target: str, workloads: Sequence[Workload], sheet: _Sheet) -> None:
        """Hold it to the kind's hard limits on what it is meant for, hidden part included."""
        failure = ""
        for workload in [item for item in workloads if item.name == target] or workloads:
            outcome = self._evaluator.run(component, workload.id, workload.capacity)
            broken = self._yardstick.over_the_limit(outcome, workload) if isinstance(outcome, Counters) else ""
            if broken:
                failure = failure or f"{workload.name} ({workload.part}): {broken}"
        sheet.note("limits", failure)

    def _score(self, component: Component, workload: Workload, train: Sequence[Workload]) -> HiddenScore | None:
        outcome = self._evaluator.run(component, workload.id, workload.capacity)
        if isinstance(outcome, Failure):
            return None
        baselines = self._yardstick.baselines(workload)
        bound = baselines.pop(self._kind.bound)
        return HiddenScore(
            workload=workload.name,
            id=workload.id,
            metric=self._kind.metric,
            capacity=workload.capacity,
            requests=workload.rows,
            value=self._yardstick.value(outcome, workload),
            bound=bound,
            baselines=baselines,
            picked=self._yardstick.picked(workload, train),
            programs=self._yardstick.programs(workload),
        )

    def _useful(self, target: str, scores: Sequence[HiddenScore], sheet: _Sheet) -> None:
        """Ask that it beats the field's default where nobody could tune it: on its target's hidden part."""
        aimed = [score for score in scores if score.workload == target] or list(scores)
        if not aimed:
            sheet.note("useful", "no hidden workload could be run with it")
            return
        better = [score for score in aimed if score.value < score.baselines[self._kind.baseline]]
        worst = aimed[0]
        sheet.note(
            "useful",
            ""
            if better
            else f"{worst.workload} (hidden): {worst.value:.0f} {self._kind.metric},"
            f" {self._kind.baseline} has {worst.baselines[self._kind.baseline]:.0f}",
        )


def refused(submission: OsComponentShare, submitter: str, reason: str) -> TestResult:
    """Return the verdict on what no bench can judge: a component of a kind that is not known here."""
    sheet = _Sheet()
    sheet.note("kind", reason)
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


def _behaviour(outcome: Counters | Failure) -> object:
    """Return what any engine must agree on: not the fuel, which only WebAssembly has."""
    return (outcome.values, outcome.digest) if isinstance(outcome, Counters) else outcome


def _contradiction(claim: Claim, workload: Workload, counted: Counters) -> str:
    """Say which counter of the kind was claimed otherwise than counted; one not claimed is claimed as None."""
    for name, value in counted.values.items():
        if claim.counters.get(name) != value:
            return f"{workload.name}: claimed {claim.counters.get(name)} {name}, counted {value}"
    return ""


def _c_source(component: Component) -> str:
    """Return the C, or nothing where a component is so large that its C fits no message."""
    text = to_c(component)
    return text if len(text) <= C_SOURCE_CHARACTERS_MAX else ""
