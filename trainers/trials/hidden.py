"""What hidden workloads say: whether anybody is starved, and whether it is of use where nobody could tune it."""

from __future__ import annotations

from mqtt_hub.protocol.bodies import HiddenScore
from trainers.arenas.evaluator import Counters
from trainers.trials.trial import HIDDEN_MAX, Outcome, Subject, Trial, failed, passed, skipped
from trainers.workloads.format import Workload

__all__ = ["Limits", "Useful"]


class Limits(Trial):
    """The kind's hard limit on what a run may do to anybody, however good its value is."""

    name = "limits"
    meaning = "nobody is starved on what it is meant for, hidden part included (kinds with a limit)"
    stage = 3
    hidden = True
    fault = False

    def run(self, subject: Subject) -> Outcome:
        """Hold the runs on the target to the limit."""
        if subject.kind.limit is None:
            return skipped("the kind has no limit besides its value")
        for workload in subject.aimed((*subject.train, *subject.hidden[:HIDDEN_MAX])):
            outcome = subject.run(workload)
            broken = subject.yardstick.over_the_limit(outcome, workload) if isinstance(outcome, Counters) else ""
            if broken:
                return failed(f"{workload.name} ({workload.part}): {broken}")
        return passed()


class Useful(Trial):
    """Ask that it beats the field's default where nobody could tune it: on its target's hidden part."""

    name = "useful"
    meaning = "on its target's hidden part it beats the field's default; every baseline is counted beside it"
    stage = 3
    hidden = True
    fault = False

    def run(self, subject: Subject) -> Outcome:
        """Score every hidden workload, losses too."""
        if not subject.hidden and subject.claims is None:
            return skipped("no hidden part was given")
        scores = (_score(subject, workload) for workload in subject.hidden[:HIDDEN_MAX])
        subject.scores = [score for score in scores if score is not None]
        aimed = [score for score in subject.scores if score.workload == subject.target] or subject.scores
        if not aimed:
            return failed("no hidden workload could be run with it")
        default = subject.kind.baseline
        if not any(score.value < score.baselines[default] for score in aimed):
            worst = aimed[0]
            return failed(
                f"{worst.workload} (hidden): {worst.value:.0f} {worst.metric},"
                f" {default} has {worst.baselines[default]:.0f}"
            )
        beaten = sum(score.value < min(score.baselines.values()) for score in subject.scores)
        return passed({"hidden_workloads": len(subject.scores), "better_than_every_baseline_on": beaten})


def _score(subject: Subject, workload: Workload) -> HiddenScore | None:
    outcome, kind, yardstick = subject.run(workload), subject.kind, subject.yardstick
    if not isinstance(outcome, Counters):
        return None
    baselines = yardstick.baselines(workload)
    bound = baselines.pop(kind.bound)
    return HiddenScore(
        workload=workload.name,
        id=workload.id,
        metric=kind.metric,
        capacity=workload.capacity,
        requests=workload.rows,
        value=yardstick.value(outcome, workload),
        bound=bound,
        baselines=baselines,
        picked=yardstick.picked(workload, subject.train),
        programs=yardstick.programs(workload),
    )
