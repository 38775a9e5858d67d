"""The tests that a component must pass, one small class each; bench and people run the same ones.

::

    stage 0   static                                                   source ──▶ component
          1   claims, budget, invariants, determinism, reproduction    it runs, as was said
          2   total, bound, renaming, agreement                        whatever the machine, and not by cheating
          3   limits, useful                                           on what nobody could tune it to
          4   ablation, c                                              for people: no verdict hangs on them

After a stage with a failure no other is begun: hidden workloads are not for guessing at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trainers.trials.claims import Budget, Claims, Determinism, Invariants, Reproduction, Static
from trainers.trials.hidden import Limits, Useful
from trainers.trials.insight import Ablation, CompiledC
from trainers.trials.machine import Agreement, Bound, Renaming, Total
from trainers.trials.trial import HIDDEN_MAX, Outcome, Subject, Trial

__all__ = ["HIDDEN_MAX", "TRIALS", "Outcome", "Subject", "Trial", "tried"]

TRIALS: tuple[Trial, ...] = (
    Static(), Claims(), Budget(), Invariants(), Determinism(), Reproduction(), Total(), Bound(), Renaming(),
    Agreement(), Limits(), Useful(), Ablation(), CompiledC(),
)  # fmt: skip


def tried(
    subject: Subject, trials: tuple[Trial, ...] = TRIALS, *, begin: Callable[[str], None] = lambda _trial: None
) -> Iterator[tuple[Trial, Outcome]]:
    """Yield each trial with its outcome, up to the end of the first stage in which one failed.

    ``begin`` is told each one's name before it.
    """
    last = trials[-1].stage
    for trial in trials:
        if trial.stage > last:
            return
        begin(trial.name)
        outcome = trial.run(subject)
        if outcome.outcome == "failed":
            last = trial.stage
        yield trial, outcome
