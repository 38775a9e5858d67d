"""One workload's study on one node: an island, what peers sent for it, and what was made of it.

::

    train part ──┬─ climbed: what the island sees, the first two thirds or all of it (search/slices.py)
                 └─ measures for the final choice: the last third, other capacities or other days, and the whole

The hidden part is not here: trainers never get it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mqtt_hub.protocol.bodies import SOURCE_CHARACTERS_MAX, Claim
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.kind import Kind
from trainers.arenas.registry import kind_of
from trainers.policy import Component, canonical, component_id, parse
from trainers.search.final import Choice, choose, standing
from trainers.search.island import Evaluate, Island
from trainers.search.memory import Measured, forget_oldest
from trainers.search.objective import Objective
from trainers.search.patterns import Pattern, ablate
from trainers.search.population import Fitness, Individual
from trainers.search.settings import Settings
from trainers.search.slices import SliceObjective, climb, measures, probe, redrawn
from trainers.workloads.format import Workload

__all__ = ["Meter", "Study"]

REMEMBERED_MAX = 256  # results of each final measure: finalists, seeds, rivals and a few ablations
WAITING_MAX = 32  # programs of peers, the oldest is dropped: better ones follow
ADOPTED_A_ROUND_MAX = 8
ABLATION_EVALUATIONS_MAX = 24
PATTERNS_MAX = 2  # shared from one best
AUTHORS_MAX = 16  # named in one message
CREDITED_MAX = 10_000  # imports of which it is known whose they are; what is older helps without a name


class Meter:
    """The evaluators, and how many candidates were measured with them: the budget is counted here."""

    def __init__(self, evaluators: Evaluators) -> None:
        self.evaluators = evaluators
        self.evaluations = 0

    def of(self, kind: Kind) -> Gauge:
        """Return what runs candidates of a kind."""
        return Gauge(self.evaluators.of(kind.name))


class Gauge:
    """One kind's evaluator, for candidates that could be shared."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    def run(
        self, candidate: Component, workload_id: str, capacity: int, *, start: int = 0, stop: int | None = None
    ) -> Counters | Failure:
        """Run a candidate. One whose source fits no message fails: it could never be shared."""
        characters = len(canonical(candidate))
        if characters > SOURCE_CHARACTERS_MAX:
            return Failure("invalid", f"{characters} characters of canonical source, at most {SOURCE_CHARACTERS_MAX}")
        return self._evaluator.run(candidate, workload_id, capacity, start=start, stop=stop)

    def baseline(
        self, name: str, workload_id: str, capacity: int, *, start: int = 0, stop: int | None = None
    ) -> Counters:
        """Run a baseline."""
        return self._evaluator.baseline(name, workload_id, capacity, start=start, stop=stop)


@dataclass(frozen=True, slots=True)
class Import:
    """A peer's program that waits to be evaluated here."""

    component: Component
    authors: frozenset[str]
    score: float  # as its author claims it: decides the order, nothing else


class Study:
    """The search for one workload."""

    def __init__(
        self,
        workload: Workload,
        *,
        seeds: Sequence[Component],
        rivals: Sequence[Component],
        meter: Meter,
        rng: random.Random,
    ) -> None:
        self.workload = workload
        self.kind = kind_of(workload.kind)
        self._meter, self._rng = meter, rng
        gauge = meter.of(self.kind)

        def on(rows: Workload) -> SliceObjective:
            meter.evaluators.of(rows.kind).load(rows)
            return lambda capacity, start, stop: Objective(gauge, self.kind, rows.id, capacity, start=start, stop=stop)

        climb_days, choice_days = self.kind.climb_days, self.kind.choice_days
        days = {number: on(day) for number, day in redrawn(workload, {*climb_days, *choice_days}).items()}
        climbed_days, other_days = ([days[one] for one in some if one in days] for some in (climb_days, choice_days))
        climbed = self._counted(climb(on(workload), workload, climbed_days))
        settings = Settings.of(self.kind)
        self.island = Island(self.kind.form, seeds, climbed, rng, settings, probe=probe(on(workload), workload))
        self._measures = {
            name: (weight, Measured(self._counted(evaluate), REMEMBERED_MAX))
            for name, (weight, evaluate) in measures(on(workload), workload, other_days).items()
        }
        self._whole = self._measures["whole"][1]
        self._reference = gauge.baseline(self.kind.baseline, workload.id, workload.capacity).values
        self._rivals = rivals
        self._waiting: list[Import] = []
        self._authors: dict[str, frozenset[str]] = {}  # of what was imported, by id
        self.shared: set[str] = set()  # ids and patterns already told to peers
        self.shared_score = 0.0
        self.submitted = ""
        self.submitted_mean = 0.0
        self.chosen_at = 0  # evaluations of the island at the last choice
        self.heard = 0  # programs and patterns that peers sent, whatever became of them

    @property
    def best_score(self) -> float:
        """The gap closed by the best, on the climbed part."""
        return self.island.best.score if self.island.best else 0.0

    def offer(self, component: Component, authors: Iterable[str], score: float) -> None:
        """Keep a peer's program for the next round."""
        self.heard += 1
        self._waiting.append(Import(component, frozenset(authors), score))
        if len(self._waiting) > WAITING_MAX:
            del self._waiting[0]

    def offer_pattern(self, pattern: Pattern, author: str) -> None:
        """Make a peer's pattern available; raises `PolicyError` where it is none of this language.

        ``author`` is empty where nobody says whose it is; a pattern that this node shared itself stays its own.
        """
        if pattern.id in self.shared:
            return
        self.heard += 1
        self.island.adopt_pattern(pattern)
        if author:
            self._note_authors(pattern.id, frozenset((author,)))

    def _note_authors(self, imported: str, authors: frozenset[str]) -> None:
        self._authors.setdefault(imported, authors)
        forget_oldest(self._authors, CREDITED_MAX)

    def adopt_waiting(self) -> list[Individual]:
        """Evaluate what peers sent, best claims first; returns what entered the population."""
        self._waiting.sort(key=lambda item: -item.score)
        taken, self._waiting = self._waiting[:ADOPTED_A_ROUND_MAX], []
        entered = []
        for item in taken:
            name = component_id(item.component)
            if name not in self.island.known:  # what was found here as well is no import
                self._note_authors(name, item.authors)
            individual = self.island.adopt(item.component, "peer")
            if individual is not None:
                entered.append(individual)
        return entered

    def choose(self) -> Choice | None:
        """Return the component to stand for this study, hardly worse than what it started from; None: nothing ran."""
        self.chosen_at = self.island.evaluations
        candidates = [*self.island.finalists(self.kind.finalists), *self.island.seeds]
        start = [seed.component for seed in self.island.seeds]
        stand = self._standing((one.component for one in candidates), start)
        try:
            return choose((one for one in candidates if one.component in stand), self._measures)
        except ValueError:
            return None

    def stands(self, choice: Choice) -> bool:
        """Say whether a choice is hardly worse than the whole textbook, by the plain value; else nobody is told."""
        chosen = choice.individual.component
        return chosen in self._standing([chosen], self._rivals)

    def bar(self) -> float:
        """Return the best mean that the textbook's own choice would have: nothing below it is worth telling."""
        total = sum(weight for weight, _evaluate in self._measures.values())
        means = [0.0]  # the default policy itself
        for rival in self._standing(self._rivals, self._rivals):
            scored = [(weight, evaluate(rival)) for weight, evaluate in self._measures.values()]
            if all(fitness is not None for _weight, fitness in scored):
                means.append(sum(weight * fitness.score for weight, fitness in scored if fitness) / total)
        return max(means)

    def mine(self) -> list[Pattern]:
        """Return the patterns of the best, by ablation."""
        best = self.island.best
        if best is None:
            return []
        found = ablate(best, self._whole, evaluations_max=ABLATION_EVALUATIONS_MAX, rng=self._rng)
        own = [pattern for pattern in found if pattern.id not in self.shared][:PATTERNS_MAX]
        return [replace(pattern, uses=self.island.uses[pattern.id]) for pattern in own]

    def claim(self, component: Component) -> Claim | None:
        """Return the raw counters on the whole train part; None when it does not run to its end."""
        fitness = self._whole(component)
        if fitness is None:
            return None
        return Claim(self.workload.id, self.workload.capacity, dict(fitness.counters))

    def _standing(self, candidates: Iterable[Component], textbook: Iterable[Component]) -> frozenset[Component]:
        return standing(candidates, textbook, self._value, slack_percents=self.kind.slack_percents)

    def _value(self, component: Component) -> int | None:
        """Return what a validator would make of the whole train part; None where it fails."""
        fitness = self._whole(component)
        return None if fitness is None else self.kind.value(fitness.counters, self._reference)

    def authors(self, individual: Individual, me: str) -> tuple[str, ...]:
        """Return who has a part in it: this node, and whoever's material its functions go back to."""
        imported = set().union(*individual.credits.values()) if individual.credits else set()
        names = {name for origin in imported for name in self._authors.get(origin, ())}
        if individual.id in self._authors:
            return tuple(sorted(self._authors[individual.id]))[:AUTHORS_MAX]  # a peer's program as it came
        return tuple(sorted([me, *sorted(names - {me})[: AUTHORS_MAX - 1]]))

    def state(self) -> dict[str, Any]:
        """Return all that its further search depends on, but what its island knows, as JSON takes it."""
        return {
            "island": self.island.state(),
            "measured": {name: measured.state() for name, (_weight, measured) in self._measures.items()},
            "waiting": [[canonical(one.component), sorted(one.authors), one.score] for one in self._waiting],
            "authors": {name: sorted(authors) for name, authors in self._authors.items()},
            "shared": sorted(self.shared),
            "shared_score": self.shared_score,
            "submitted": self.submitted,
            "submitted_mean": self.submitted_mean,
            "chosen_at": self.chosen_at,
            "heard": self.heard,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on where a study of the same workload, from the same seeds, stood when it told its `state`."""
        self.island.resume(state["island"])
        for name, (_weight, measured) in self._measures.items():
            measured.resume(state["measured"][name])
        form = self.kind.form
        self._waiting = [
            Import(parse(source, form), frozenset(authors), score) for source, authors, score in state["waiting"]
        ]
        self._authors = {name: frozenset(authors) for name, authors in state["authors"].items()}
        self.shared = set(state["shared"])
        self.shared_score = state["shared_score"]
        self.submitted, self.submitted_mean = state["submitted"], state["submitted_mean"]
        self.chosen_at, self.heard = state["chosen_at"], state["heard"]

    def _counted(self, evaluate: Evaluate) -> Evaluate:
        def counted(component: Component) -> Fitness | None:
            self._meter.evaluations += 1
            return evaluate(component)

        return counted
