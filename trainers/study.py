"""One workload's study on one node: an island, what peers sent for it, and what was made of it.

::

    train part ──┬─ climb: the first two thirds, what the island sees
                 └─ measures for the final choice: the last third, and the whole at 0.7 C, C and 1.4 C

The hidden part is not here: trainers never get it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mqtt_hub.protocol.bodies import Claim
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.arenas.page_replacement.kind import KIND
from trainers.policy import Component, component_id
from trainers.search.final import Choice, choose
from trainers.search.island import Evaluate, Island
from trainers.search.objective import Objective
from trainers.search.patterns import Pattern, ablate
from trainers.search.population import Individual
from trainers.workloads.format import Workload

__all__ = ["Meter", "Study"]

CLIMB_SHARE = 2 / 3
FINALISTS = 10
WAITING_MAX = 32  # programs of peers, the oldest is dropped: better ones follow
ADOPTED_A_ROUND_MAX = 8
ABLATION_EVALUATIONS_MAX = 24
PATTERNS_MAX = 2  # shared from one best


class Meter:
    """The evaluator, and how many candidates it has run: the budget is counted here."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.evaluations = 0

    def run(
        self, candidate: Component, workload_id: str, capacity: int, *, start: int = 0, stop: int | None = None
    ) -> Counters | Failure:
        """Run a candidate and count it."""
        self.evaluations += 1
        return self.evaluator.run(candidate, workload_id, capacity, start=start, stop=stop)

    def baseline(
        self, name: str, workload_id: str, capacity: int, *, start: int = 0, stop: int | None = None
    ) -> Counters:
        """Run a baseline; no part of the budget."""
        return self.evaluator.baseline(name, workload_id, capacity, start=start, stop=stop)


@dataclass(frozen=True, slots=True)
class Import:
    """A peer's program that waits to be evaluated here."""

    component: Component
    authors: frozenset[str]
    score: float  # as its author claims it: decides the order, nothing else


class Study:
    """The search for one workload."""

    def __init__(self, workload: Workload, seeds: Sequence[Component], meter: Meter, rng: random.Random) -> None:
        self.workload = workload
        self._meter, self._rng = meter, rng
        meter.evaluator.load(workload)
        length, capacity = len(workload.requests), workload.capacity
        cut = max(1, int(length * CLIMB_SHARE))

        def objective(weight_capacity: float, start: int, stop: int) -> Evaluate:
            return Objective(
                meter, workload.id, max(1, round(capacity * weight_capacity)),
                baseline=KIND.baseline, bound=KIND.bound, start=start, stop=stop,
            )  # fmt: skip

        self.island = Island(KIND.form, seeds, objective(1.0, 0, cut), rng)
        self._whole = objective(1.0, 0, length)
        self._measures = {
            "unseen third": (1.0, objective(1.0, cut, length)),
            "whole": (1.0, self._whole),
            "whole at 0.7 C": (0.5, objective(0.7, 0, length)),
            "whole at 1.4 C": (0.5, objective(1.4, 0, length)),
        }
        self._waiting: list[Import] = []
        self._authors: dict[str, frozenset[str]] = {}  # of what was imported, by id
        self.shared: set[str] = set()  # ids and patterns already told to peers
        self.shared_score = 0.0
        self.submitted = ""
        self.submitted_mean = 0.0
        self.chosen_at = 0  # evaluations of the island at the last choice

    @property
    def best_score(self) -> float:
        """The gap closed by the best, on the climbed part."""
        return self.island.best.score if self.island.best else 0.0

    def offer(self, component: Component, authors: Iterable[str], score: float) -> None:
        """Keep a peer's program for the next round."""
        self._waiting.append(Import(component, frozenset(authors), score))
        if len(self._waiting) > WAITING_MAX:
            del self._waiting[0]

    def offer_pattern(self, pattern: Pattern, author: str) -> None:
        """Make a peer's pattern available."""
        self._authors[pattern.id] = frozenset((author,))
        self.island.adopt_pattern(pattern)

    def adopt_waiting(self) -> list[Individual]:
        """Evaluate what peers sent, best claims first; returns what entered the population."""
        self._waiting.sort(key=lambda item: -item.score)
        taken, self._waiting = self._waiting[:ADOPTED_A_ROUND_MAX], []
        entered = []
        for item in taken:
            name = component_id(item.component)
            self._authors.setdefault(name, item.authors)
            individual = self.island.adopt(item.component, "peer")
            if individual is not None:
                entered.append(individual)
        return entered

    def choose(self) -> Choice | None:
        """Return the component to stand for this study, or None when nothing runs to its end."""
        self.chosen_at = self.island.evaluations
        try:
            return choose([*self.island.finalists(FINALISTS), *self.island.seeds], self._measures)
        except ValueError:
            return None

    def mine(self) -> list[Pattern]:
        """Return the patterns of the best, by ablation."""
        best = self.island.best
        if best is None:
            return []
        found = ablate(best, self._whole, evaluations_max=ABLATION_EVALUATIONS_MAX, rng=self._rng)
        return [pattern for pattern in found if pattern.id not in self.shared][:PATTERNS_MAX]

    def claim(self, component: Component) -> Claim | None:
        """Return the raw counters on the whole train part; None when it does not run to its end."""
        fitness = self._whole(component)
        if fitness is None:
            return None
        return Claim(self.workload.id, self.workload.capacity, dict(fitness.counters))

    def authors(self, individual: Individual, me: str) -> tuple[str, ...]:
        """Return who has a part in it: this node, and whoever's material its functions go back to."""
        imported = set().union(*individual.credits.values()) if individual.credits else set()
        names = {name for origin in imported for name in self._authors.get(origin, ())}
        if individual.id in self._authors:
            return tuple(sorted(self._authors[individual.id]))[:16]  # a peer's program as it came
        return tuple(sorted(names | {me}))[:16]
