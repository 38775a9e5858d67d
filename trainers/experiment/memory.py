"""A program is run once on the same rows, whichever node, arm or round asks: the budget counts it all the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.arenas.evaluators import Evaluators
from trainers.policy.source import component_id
from trainers.policy.tree import Component

__all__ = ["RememberingEvaluators"]

REMEMBERED_MAX = 200_000  # outcomes, about 100 MB


class _RememberingEvaluator(Evaluator):
    """An evaluator that knows what it has run."""

    def __init__(self, kind: str, *, engine: str) -> None:
        super().__init__(kind, engine=engine)
        self._known: OrderedDict[tuple[str, str, int, int, int | None], Counters | Failure] = OrderedDict()
        self._baselines: dict[tuple[str, str, int, int, int | None], Counters] = {}

    def run(
        self,
        candidate: Component | Iterable[bytes],
        workload_id: str,
        capacity: int,
        *,
        start: int = 0,
        stop: int | None = None,
    ) -> Counters | Failure:
        """Run a candidate, or remember what it came to. A time-out is chance and is not remembered."""
        if not isinstance(candidate, Component):
            return super().run(candidate, workload_id, capacity, start=start, stop=stop)
        key = (component_id(candidate), workload_id, capacity, start, stop)
        if key in self._known:
            return self._known[key]
        outcome = super().run(candidate, workload_id, capacity, start=start, stop=stop)
        if isinstance(outcome, Counters) or outcome.reason in ("fuel", "trap"):
            self._known[key] = outcome
            if len(self._known) > REMEMBERED_MAX:
                self._known.popitem(last=False)
        return outcome

    def baseline(
        self, name: str, workload_id: str, capacity: int, *, start: int = 0, stop: int | None = None
    ) -> Counters:
        """Run a baseline, or remember what it came to: there are few, and every study begins with them."""
        key = (name, workload_id, capacity, start, stop)
        if key not in self._baselines:
            self._baselines[key] = super().baseline(name, workload_id, capacity, start=start, stop=stop)
        return self._baselines[key]


class RememberingEvaluators(Evaluators):
    """Evaluators by kind that know what they have run."""

    def of(self, kind: str) -> Evaluator:
        """Return the kind's evaluator."""
        if kind not in self._evaluators:
            self._evaluators[kind] = _RememberingEvaluator(kind, engine=self.engine)
        return self._evaluators[kind]
