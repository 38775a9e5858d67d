"""What a component is compared with on one workload: baselines, bound and the textbook's programs, counted once.

::

    counters ── kind.value(counters, those of the default baseline on the same rows) ──▶ value, lower is better
"""

from __future__ import annotations

from collections.abc import Sequence

from trainers.arenas.classics import classics
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.kind import Values
from trainers.workloads.format import Workload

__all__ = ["Yardstick"]


class Yardstick:
    """Values on whole workloads at their own capacities; what was counted is kept."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self.kind = evaluator.kind
        self._unit: dict[str, Values] = {}  # workload id -> counters of the default baseline
        self._baselines: dict[str, dict[str, int]] = {}  # workload id -> values by name, the bound's too
        self._programs: dict[str, dict[str, int]] = {}  # workload id -> values by name

    def value(self, outcome: Counters, workload: Workload) -> int:
        """Return the kind's value of a run on the workload."""
        if workload.id not in self._unit:
            counted = self._evaluator.baseline(self.kind.baseline, workload.id, workload.capacity)
            self._unit[workload.id] = counted.values
        return self.kind.value(outcome.values, self._unit[workload.id])

    def over_the_limit(self, outcome: Counters, workload: Workload) -> str:
        """Say why a run is not acceptable whatever its value; empty where it is."""
        self.value(outcome, workload)
        return self.kind.limit(outcome.values, self._unit[workload.id]) if self.kind.limit else ""

    def baselines(self, workload: Workload) -> dict[str, int]:
        """Return the values of every baseline and of the bound, by name."""
        if workload.id not in self._baselines:
            self._evaluator.load(workload)
            self._baselines[workload.id] = {
                name: self.value(self._evaluator.baseline(name, workload.id, workload.capacity), workload)
                for name in (*self.kind.baselines, self.kind.bound)
            }
        return dict(self._baselines[workload.id])

    def oracles(self, workload: Workload) -> dict[str, int]:
        """Return the values of those who know the future but prove nothing."""
        self._evaluator.load(workload)
        return {
            name: self.value(self._evaluator.baseline(name, workload.id, workload.capacity), workload)
            for name in self.kind.oracles
        }

    def programs(self, workload: Workload) -> dict[str, int]:
        """Return what the textbook's programs reach: where search starts, so that it gets no credit for them."""
        if workload.id not in self._programs:
            self._evaluator.load(workload)
            outcomes = {
                name: self._evaluator.run(program, workload.id, workload.capacity)
                for name, program in classics(self.kind.name).items()
            }
            self._programs[workload.id] = {
                name: self.value(outcome, workload)
                for name, outcome in outcomes.items()
                if isinstance(outcome, Counters)
            }
        return dict(self._programs[workload.id])

    def picked(self, workload: Workload, train: Sequence[Workload]) -> str:
        """Return the baseline that one would pick on the train part of the same name; empty where there is none."""
        twin = next((item for item in train if item.name == workload.name), None)
        if twin is None:
            return ""
        on_train = self.baselines(twin)
        return min(self.kind.baselines, key=lambda name: (on_train[name], name))

    def beyond_the_bound(self, outcome: Counters, workload: Workload, capacity: int) -> str:
        """Say so where a value is lower than what is proven: the arena was cheated, or the proof is wrong."""
        if capacity == workload.capacity:
            value, least = self.value(outcome, workload), self.baselines(workload)[self.kind.bound]
        else:
            unit, bound = (
                self._evaluator.baseline(name, workload.id, capacity).values
                for name in (self.kind.baseline, self.kind.bound)
            )
            value, least = (self.kind.value(counters, unit) for counters in (outcome.values, bound))
        return f"{value} {self.kind.metric} where {least} are the proven bound" if value < least else ""
