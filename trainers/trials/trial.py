"""What a trial is, and what it tries: one component of one kind, and the workloads that it is tried on.

::

    Trial.run(Subject) ──▶ Outcome: passed | failed | skipped, one line why, figures

Trials ask the subject for runs and scores; it counts each once, whichever trials look at it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from mqtt_hub.protocol.bodies import Claim, HiddenScore
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.arenas.kind import Kind
from trainers.policy.tree import Component
from trainers.workloads.format import Workload
from trainers.yardstick import Yardstick

__all__ = ["HIDDEN_MAX", "Outcome", "Subject", "Trial", "failed", "passed", "skipped"]

HIDDEN_MAX = 32  # hidden workloads in one verdict, by name: so many scores and the C source fit an envelope


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended. ``figures`` are numbers for people, by name; no verdict hangs on them."""

    outcome: Literal["passed", "failed", "skipped"]
    reason: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


def passed(figures: Mapping[str, float] | None = None, *, reason: str = "") -> Outcome:
    """Return that nothing is wrong."""
    return Outcome("passed", reason, figures or {})


def failed(reason: str) -> Outcome:
    """Return what is wrong."""
    return Outcome("failed", reason)


def skipped(reason: str) -> Outcome:
    """Return why there was nothing to try."""
    return Outcome("skipped", reason)


@dataclass(kw_only=True)
class Subject:
    """One component, and what it is tried on. ``claims`` None: nobody claimed anything, as when people check."""

    kind: Kind
    source: str
    evaluator: Evaluator
    yardstick: Yardstick
    train: Sequence[Workload]
    hidden: Sequence[Workload]
    meant_for: str = ""  # the kind that the submitter named; empty: this one
    digest: str | None = None  # the submitter's name for it; None: it has none, and need not be canonical
    claims: Sequence[Claim] | None = None
    target: str = ""  # the workload that it is meant for, by name
    component: Component | None = None  # what `Static` read
    scores: list[HiddenScore] = field(default_factory=list)  # what `Useful` counted
    _runs: dict[tuple[str, int], Counters | Failure] = field(default_factory=dict)

    @property
    def parsed(self) -> Component:
        """Return the component. Only the trial that reads it runs without."""
        if self.component is None:
            raise AssertionError("a trial before the source was read")
        return self.component

    def load(self) -> None:
        """Make the workloads known to the evaluator."""
        for workload in (*self.train, *self.hidden):
            self.evaluator.load(workload)

    def run(self, workload: Workload, capacity: int | None = None) -> Counters | Failure:
        """Return the component's run on a whole workload, at its own capacity where none is given."""
        key = (workload.id, workload.capacity if capacity is None else capacity)
        if key not in self._runs:
            self._runs[key] = self.evaluator.run(self.parsed, *key)
        return self._runs[key]

    def places(self) -> list[tuple[Workload, int, Claim | None]]:
        """Return where it must run: what is claimed and can be, or every workload of train where nobody claims."""
        if self.claims is None:
            return [(workload, workload.capacity, None) for workload in self.train]
        known, has = {workload.id: workload for workload in self.train}, self.kind.capacity
        return [
            (known[claim.workload], claim.capacity, claim)
            for claim in self.claims
            if claim.workload in known and has.low <= claim.capacity <= has.high
        ]

    def runs(self) -> Iterator[tuple[Workload, Claim | None, Counters | Failure]]:
        """Yield the runs at these places up to the first failure: one is enough, each may take all the time."""
        for workload, capacity, claim in self.places():
            outcome = self.run(workload, capacity)
            yield workload, claim, outcome
            if isinstance(outcome, Failure):
                return

    def aimed(self, workloads: Sequence[Workload]) -> list[Workload]:
        """Return those of the target's name, or all where none has it."""
        return [workload for workload in workloads if workload.name == self.target] or list(workloads)


class Trial(ABC):
    """One test. Trials run in the order of their stages; after a stage with a failure no other is begun."""

    name: ClassVar[str]
    meaning: ClassVar[str]  # one line for people
    stage: ClassVar[int]
    judges: ClassVar[bool] = True  # a verdict hangs on it; else it only informs
    hidden: ClassVar[bool] = False  # it says what follows from hidden workloads: for validators and observers only
    fault: ClassVar[bool] = True  # the submitter could have found out

    @abstractmethod
    def run(self, subject: Subject) -> Outcome:
        """Try the subject; never raises for anything that a submitter can send."""
