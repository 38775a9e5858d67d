"""The component and the machine: at its extremes, beyond what is possible, with other names, interpreted."""

from __future__ import annotations

from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.trials.trial import Outcome, Subject, Trial, failed, passed, skipped
from trainers.workloads.renaming import renamed

__all__ = ["Agreement", "Bound", "Renaming", "Total"]

AGREEMENT_ROWS = 2_000  # the reference interpreter is slow; a disagreement shows early


class Total(Trial):
    """Run where nobody tuned it: on the least machine, and on one larger than the workload can use."""

    name = "total"
    meaning = "it runs at the machine's extremes, where its features take values it never saw"
    stage = 2

    def run(self, subject: Subject) -> Outcome:
        """Run the first workload at both ends of the kind's capacity."""
        has = subject.kind.capacity
        for workload in subject.train[:1]:
            for capacity in (has.low, max(has.low, min(workload.size + 1, has.high))):
                outcome = subject.run(workload, capacity)
                if isinstance(outcome, Failure):
                    return failed(f"{workload.name} at {capacity} {has.unit}: {outcome.reason}: {outcome.detail}")
                if better := subject.yardstick.beyond_the_bound(outcome, workload, capacity):
                    return failed(f"{workload.name} at {capacity} {has.unit}: {better}")
        return passed()


class Bound(Trial):
    """Nobody is better than what is proven: whoever is has cheated the arena, or the proof is wrong."""

    name = "bound"
    meaning = "no run is better than the proven bound: the arena was not cheated"
    stage = 2

    def run(self, subject: Subject) -> Outcome:
        """Hold every run so far to the bound at its capacity."""
        for workload, capacity, _claim in subject.places():
            outcome = subject.run(workload, capacity)
            if isinstance(outcome, Counters):
                better = subject.yardstick.beyond_the_bound(outcome, workload, capacity)
                if better:
                    return failed(f"{workload.name}: {better}")
        return passed()


class Renaming(Trial):
    """Metamorphic: what pages, tasks or streams are called is nobody's business."""

    name = "renaming"
    meaning = "metamorphic: other numbers for pages, tasks or streams change no counter and no decision"
    stage = 2

    def run(self, subject: Subject) -> Outcome:
        """Run the first workload a second time with its names dealt out anew."""
        for workload in subject.train[:1]:
            other = renamed(workload)
            if other is None:
                return skipped("the kind's rows have no names")
            subject.evaluator.load(other)
            first = subject.run(workload)
            if _behaviour(first) != _behaviour(subject.run(other)):
                return failed(f"{workload.name}: other names, another result")
        return passed()


class Agreement(Trial):
    """Hold the engine to the reference interpreter, digest of the behaviour included."""

    name = "agreement"
    meaning = "WebAssembly and the reference interpreter take the same decisions"
    stage = 2

    def run(self, subject: Subject) -> Outcome:
        """Run the beginning of the first workload on both."""
        engine = subject.evaluator
        if engine.engine == "reference":
            return passed()  # with itself it agrees; a validator without WebAssembly comes to the same verdict
        reference = Evaluator(subject.kind.name, engine="reference")
        for workload in subject.train[:1]:
            reference.load(workload)
            stop = min(AGREEMENT_ROWS, workload.rows)
            ours, truth = (
                runs.run(subject.parsed, workload.id, workload.capacity, stop=stop) for runs in (engine, reference)
            )
            if _behaviour(ours) != _behaviour(truth):
                return failed(f"{workload.name}: {engine.engine} and the reference interpreter differ")
        return passed()


def _behaviour(outcome: Counters | Failure) -> object:
    """Return what must be equal: not the fuel, which only WebAssembly has."""
    return (outcome.values, outcome.digest) if isinstance(outcome, Counters) else outcome
