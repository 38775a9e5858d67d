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
from trainers.arenas.classics import classics
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.arenas.kind import Values
from trainers.policy import PolicyError, canonical, component_id, parse, to_c
from trainers.policy.tree import Component
from trainers.workloads.format import Workload

__all__ = ["Bench", "refused"]

AGREEMENT_ROWS = 2_000  # the reference interpreter is slow; a disagreement shows early
REASON_CHARACTERS_MAX = 300
HIDDEN_MAX = 32  # hidden workloads in one verdict, by name: so many scores and the C source fit an envelope
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
        self._textbook: dict[str, dict[str, int]] = {}  # workload id -> values by name
        self._baselines: dict[str, dict[str, int]] = {}  # workload id -> values by name, the bound's too
        self._yardsticks: dict[str, Values] = {}  # workload id -> counters of the default baseline

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
        sheet.note("budget", budget)
        sheet.note("invariants", invariants)
        sheet.note("determinism", differs)
        sheet.note("reproduction", untrue or ("" if claims else "no claim on a workload that this validator has"))
        return sheet.first_failure() is None

    def _total(self, component: Component, train: Sequence[Workload], sheet: _Sheet) -> None:
        """Run at the extremes of the model: the least machine, and one larger than the workload can use."""
        failure, has = "", self._kind.capacity
        for workload in train[:1]:
            for capacity in (has.low, max(has.low, min(workload.size + 1, has.high))):
                outcome = self._evaluator.run(component, workload.id, capacity)
                if isinstance(outcome, Failure):
                    failure = f"{workload.name} at {capacity} {has.unit}: {outcome.reason}: {outcome.detail}"
                elif better := self._better_than_the_bound(outcome, workload, capacity):
                    failure = f"{workload.name} at {capacity} {has.unit}: {better}"
        sheet.note("total", failure)

    def _better_than_the_bound(self, outcome: Counters, workload: Workload, capacity: int) -> str:
        """Say so where a value is below what is proven: then the arena was cheated, or the proof is wrong."""
        yardstick, bound = (
            self._evaluator.baseline(name, workload.id, capacity).values
            for name in (self._kind.baseline, self._kind.bound)
        )
        value, least = (self._kind.value(counters, yardstick) for counters in (outcome.values, bound))
        return f"{value} {self._kind.metric} where {least} are the proven bound" if value < least else ""

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

    def _score(self, component: Component, workload: Workload, train: Sequence[Workload]) -> HiddenScore | None:
        outcome = self._evaluator.run(component, workload.id, workload.capacity)
        if isinstance(outcome, Failure):
            return None
        counted = dict(self._counted(workload))
        bound = counted.pop(self._kind.bound)
        twin = next((item for item in train if item.name == workload.name), None)
        picked = ""
        if twin is not None:
            on_train = self._counted(twin)
            picked = min(self._kind.baselines, key=lambda name: (on_train[name], name))
        return HiddenScore(
            workload=workload.name,
            id=workload.id,
            metric=self._kind.metric,
            capacity=workload.capacity,
            requests=workload.rows,
            value=self._value(outcome, workload),
            bound=bound,
            baselines=counted,
            picked=picked,
            programs=self._programs(workload),
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

    def _programs(self, workload: Workload) -> dict[str, int]:
        """Return what the textbook's programs reach: where search starts, so that it gets no credit for them."""
        if workload.id not in self._textbook:
            outcomes = {
                name: self._evaluator.run(program, workload.id, workload.capacity)
                for name, program in classics(self._kind.name).items()
            }
            self._textbook[workload.id] = {
                name: self._value(outcome, workload)
                for name, outcome in outcomes.items()
                if isinstance(outcome, Counters)
            }
        return self._textbook[workload.id]

    def _value(self, outcome: Counters, workload: Workload) -> int:
        """Return the kind's value of a run on a whole workload, measured by the default baseline's."""
        if workload.id not in self._yardsticks:
            counted = self._evaluator.baseline(self._kind.baseline, workload.id, workload.capacity)
            self._yardsticks[workload.id] = counted.values
        return self._kind.value(outcome.values, self._yardsticks[workload.id])

    def _counted(self, workload: Workload) -> dict[str, int]:
        if workload.id not in self._baselines:
            self._evaluator.load(workload)
            self._baselines[workload.id] = {
                name: self._value(self._evaluator.baseline(name, workload.id, workload.capacity), workload)
                for name in (*self._kind.baselines, self._kind.bound)
            }
        return self._baselines[workload.id]


def refused(submission: OsComponentShare, submitter: str, reason: str) -> TestResult:
    """Return the verdict on what no bench can judge: a component of a kind that is not known here."""
    sheet = _Sheet()
    sheet.note("static", reason)
    return _result(submission, submitter, sheet, (), "")


def _result(
    submission: OsComponentShare, submitter: str, sheet: _Sheet, hidden: tuple[HiddenScore, ...], c_source: str
) -> TestResult:
    failed = sheet.first_failure()
    if failed is None:
        verdict, reason = "accepted", "every test passed"
    else:
        unproven = failed.name in ("reproduction", "determinism")
        verdict, reason = "not_reproduced" if unproven else "rejected", f"{failed.name}: {failed.reason}"
    tests = tuple(sheet.tests)
    stands = to_json([submission.kind, submission.component, verdict, tests, hidden])
    return TestResult(
        kind=submission.kind,
        component=submission.component,
        submitter=submitter,
        verdict=verdict,  # type: ignore[arg-type]
        reason=reason[:REASON_CHARACTERS_MAX],
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
