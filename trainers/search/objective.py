"""Gap closed on one slice of one workload: the score that search climbs.

``score = (baseline - value) / (baseline - bound)``, values as the kind makes them of its counters: 0 is the
field's default policy, 1 what no policy can beat. The raw counters travel beside it. A candidate that fails
has no score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from trainers.arenas.evaluator import Counters, Failure
from trainers.arenas.kind import Kind
from trainers.policy.tree import Component
from trainers.search.population import Fitness

__all__ = ["Mean", "Objective", "Runner", "gap_closed"]


_FNV_PRIME = 0x100000001B3  # mixes the parts' digests in order


class Runner(Protocol):
    """What runs candidates: `trainers.arenas.evaluator.Evaluator`, or anything that counts as it does."""

    def run(
        self, candidate: Component, workload_id: str, capacity: int, *, start: int = 0, stop: int | None = None
    ) -> Counters | Failure:
        """Run a candidate on rows ``start..stop``, cold."""

    def baseline(
        self, name: str, workload_id: str, capacity: int, *, start: int = 0, stop: int | None = None
    ) -> Counters:
        """Run a baseline or the bound."""


def gap_closed(value: int, baseline: int, bound: int) -> float:
    """Return how much of the way from baseline to bound ``value`` has come; 0 where there is no way to go."""
    return (baseline - value) / (baseline - bound) if baseline != bound else 0.0


class Objective:
    """Scores components on rows ``start..stop`` at ``capacity``; callable, as `Island` wants it."""

    def __init__(
        self,
        runner: Runner,
        kind: Kind,
        workload_id: str,
        capacity: int,
        *,
        start: int = 0,
        stop: int | None = None,
    ) -> None:
        self.runner = runner
        self.kind = kind
        self.workload_id = workload_id
        self.capacity = capacity
        self.start, self.stop = start, stop
        self.reference, bound = (
            runner.baseline(name, workload_id, capacity, start=start, stop=stop).values
            for name in (kind.baseline, kind.bound)
        )
        self._value = kind.search_value or kind.value
        self.baseline, self.bound = (self._value(counters, self.reference) for counters in (self.reference, bound))

    def __call__(self, component: Component) -> Fitness | None:
        """Return the component's fitness, or None where it fails."""
        outcome = self.runner.run(component, self.workload_id, self.capacity, start=self.start, stop=self.stop)
        if isinstance(outcome, Failure):
            return None
        value = self._value(outcome.values, self.reference)
        counters = {**outcome.values, "fuel": outcome.fuel}
        return Fitness(gap_closed(value, self.baseline, self.bound), outcome.digest, counters)


class Mean:
    """The mean of several objectives, each no less than -1; a candidate that fails one fails all.

    Equal digests mean equal behaviour on every part. Counters are sums.
    """

    def __init__(self, parts: Sequence[Objective]) -> None:
        self.parts = tuple(parts)

    def __call__(self, component: Component) -> Fitness | None:
        """Return the component's fitness over all parts, or None where it fails one."""
        score, digest, counters = 0.0, 0, Counter[str]()
        for part in self.parts:
            fitness = part(component)
            if fitness is None:
                return None
            score += max(fitness.score, -1.0) / len(self.parts)
            digest = (digest * _FNV_PRIME ^ fitness.digest) & (1 << 64) - 1
            counters.update(fitness.counters)
        return Fitness(score, digest, dict(counters))
