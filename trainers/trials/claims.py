"""From source to counters: whether it is a component, runs, does the same twice, and is as was claimed."""

from __future__ import annotations

from mqtt_hub.protocol.bodies import Claim
from trainers.arenas.evaluator import Counters, Failure
from trainers.policy import PolicyError, canonical, component_id, parse
from trainers.trials.trial import Outcome, Subject, Trial, failed, passed, skipped
from trainers.workloads.format import Workload

__all__ = ["Budget", "Claims", "Determinism", "Invariants", "Reproduction", "Static"]

RUNAWAYS = ("fuel", "timeout")  # failures that the budget answers for; any other breaks an invariant
NO_CLAIMS = "nobody claimed anything"


class Static(Trial):
    """Read the source; what passes is a component."""

    name = "static"
    meaning = "the source is in the language and within its bounds, and its name is its digest"
    stage = 0

    def run(self, subject: Subject) -> Outcome:
        """Set ``subject.component``."""
        kind = subject.kind
        if subject.meant_for not in ("", kind.name):
            return failed(f"a component for {subject.meant_for}; this bench judges {kind.name}")
        try:
            component = parse(subject.source, kind.form)
        except PolicyError as error:
            return failed(str(error))
        if subject.digest is not None and canonical(component) != subject.source:
            return failed("the source is not in canonical form, so its digest names something else")
        if subject.digest not in (None, component_id(component)):
            return failed("the component's name is not the digest of its source")
        subject.component = component
        subject.load()
        return passed()


class Claims(Trial):
    """See whether anything that is claimed can be counted here."""

    name = "claims"
    meaning = "counters are claimed on a workload that can be run here"
    stage = 1
    fault = False  # what a validator has is not theirs to know

    def run(self, subject: Subject) -> Outcome:
        """Look for the claims' workloads."""
        if subject.claims is None:
            return skipped(NO_CLAIMS)
        known = {workload.id for workload in subject.train}
        if any(claim.workload in known for claim in subject.claims):
            return passed()
        return failed("no claim on a workload that this validator has")


class Budget(Trial):
    """Run within the fuel that the kind gives."""

    name = "budget"
    meaning = "every run ends within its fuel, the number of instructions that a row may cost"
    stage = 1

    def run(self, subject: Subject) -> Outcome:
        """Look for runaways."""
        most = 0.0
        for workload, _claim, outcome in subject.runs():
            if isinstance(outcome, Counters):
                most = max(most, outcome.fuel / max(1, workload.rows))
            elif outcome.reason in RUNAWAYS:
                return failed(_broken(workload, outcome))
        return passed({"fuel_a_row": round(most, 1)} if most else {})


class Invariants(Trial):
    """Run without a trap: the arena asserts what must hold at every step."""

    name = "invariants"
    meaning = "the arena's own assertions hold: capacity never exceeded, nothing lost, work conserved"
    stage = 1

    def run(self, subject: Subject) -> Outcome:
        """Look for traps and crashes."""
        for workload, _claim, outcome in subject.runs():
            if isinstance(outcome, Failure) and outcome.reason not in RUNAWAYS:
                return failed(_broken(workload, outcome))
        return passed()


class Determinism(Trial):
    """Run everything a second time."""

    name = "determinism"
    meaning = "a second run comes to the same counters, fuel and behaviour"
    stage = 1

    def run(self, subject: Subject) -> Outcome:
        """Compare with a run that nothing remembers."""
        for workload, capacity, _claim in subject.places():
            first = subject.run(workload, capacity)
            if isinstance(first, Failure):
                return skipped("it does not run")
            if subject.evaluator.run(subject.parsed, workload.id, capacity) != first:
                return failed(f"{workload.name}: two runs differ")
        return passed()


class Reproduction(Trial):
    """Hold the claims to what is counted here."""

    name = "reproduction"
    meaning = "the claimed counters are those counted here, to the last one"
    stage = 1

    def run(self, subject: Subject) -> Outcome:
        """Compare every counter of the kind."""
        if subject.claims is None:
            return skipped(NO_CLAIMS)
        known, has = {workload.id: workload for workload in subject.train}, subject.kind.capacity
        for claim in subject.claims:
            if claim.workload in known and not has.low <= claim.capacity <= has.high:
                return failed(f"{known[claim.workload].name}: {claim.capacity} {has.unit} are beyond the arena's")
        for workload, counted_for, outcome in subject.runs():
            if isinstance(outcome, Failure):
                return skipped("it does not run")
            if counted_for is not None and (told := _contradiction(counted_for, workload, outcome)):
                return failed(told)
        return passed()


def _broken(workload: Workload, failure: Failure) -> str:
    return f"{workload.name}: {failure.reason}: {failure.detail}"


def _contradiction(claim: Claim, workload: Workload, counted: Counters) -> str:
    """Say which counter of the kind was claimed otherwise than counted; one not claimed is claimed as None."""
    for name, value in counted.values.items():
        if claim.counters.get(name) != value:
            return f"{workload.name}: claimed {claim.counters.get(name)} {name}, counted {value}"
    return ""
