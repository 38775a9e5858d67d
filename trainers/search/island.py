"""One workload's search on one node.

::

    seeds ─▶ ┌ step: one evaluation ──────────────────────────────────────────────────────────┐
    adopt ─▶ │ select ▶ crossover | mutate | graft ▶ known source? behaviour? ▶ evaluate ▶ insert │ ─▶ best, finalists
    adopt_pattern ─▶ └────────────────────────────────────────────────┘

An island is deterministic: the same seed and the same order of calls give the same individuals. It keeps the
parents of all it evaluated, and for every function the imported programs and patterns it goes back to, so a
new best says who helped.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainers.policy.kind import Form
from trainers.policy.parse import complete, parse_expression
from trainers.policy.source import component_id
from trainers.policy.tree import Component, size
from trainers.search.memory import Known
from trainers.search.patterns import Pattern, graft
from trainers.search.population import Fitness, Individual, Population
from trainers.search.settings import Settings
from trainers.search.state import individual_of, individual_state, pattern_of, pattern_state, resume_rng, rng_state
from trainers.search.tuning import tune
from trainers.search.variation import crossover, mutate

__all__ = ["Ancestor", "Island"]

Evaluate = Callable[[Component], Fitness | None]
Probe = Evaluate  # the same on a few rows: tells behaviours apart, and what is hopeless


@dataclass(frozen=True, slots=True)
class Ancestor:
    """What is kept of everything ever evaluated."""

    origin: str
    parents: tuple[str, ...]
    score: float | None  # None: it failed


@dataclass(frozen=True, slots=True)
class _Candidate:
    component: Component
    origin: str
    parents: tuple[str, ...]
    credits: Mapping[str, frozenset[str]]


class Island:
    """Steady-state search: every `step` spends exactly one evaluation."""

    def __init__(
        self,
        form: Form,
        seeds: Sequence[Component],
        evaluate: Evaluate,
        rng: random.Random,
        settings: Settings | None = None,
        probe: Probe | None = None,
    ) -> None:
        if not seeds:
            raise ValueError("an island needs at least one seed")
        self.form = form
        self.settings = settings or Settings()
        self.population = Population(self.settings.population_max, self.settings.tournament)
        self.best: Individual | None = None
        self.seeds: list[Individual] = []  # those evaluated so far
        self.evaluations = 0
        self.since_improvement = 0  # evaluations since `best` changed
        self.known = Known[str, Ancestor](self.settings.known_max)  # by component id
        self.behaviours = Known[int, None](self.settings.known_max)  # digests on the probe
        self.uses: Counter[str] = Counter()  # imported id: new bests that go back to it
        self.gains: dict[str, float] = {}  # imported id: score that those new bests added
        self.probes = 0  # programs run on a few rows to tell whether they behave as one that is known
        self._evaluate = evaluate
        self._probe = probe
        self._bar: float | None = None  # what the best has on the probe
        self._rng = rng
        self._start = tuple(seeds)
        self._waiting = deque(seeds)
        self._patterns: deque[Pattern] = deque(maxlen=self.settings.patterns_max)

    def step(self) -> Individual | None:
        """Spend one evaluation; return the new best, or None where there is none."""
        return self._try(self._next_seed() or self._vary())

    def run(self, evaluations: int) -> None:
        """Spend that many evaluations."""
        for _ in range(evaluations):
            self.step()

    def adopt(self, component: Component, origin: str) -> Individual | None:
        """Take in a peer's component: evaluated here before it enters, never on the peer's word.

        Returns the individual, or None where it failed or its source is known. Spends one evaluation unless
        the source is known. Only functions that no member has are put to its credit.
        """
        name = component_id(component)
        if name in self.known:
            return None
        mine = {function for member in self.population for function in complete(member.component).functions.values()}
        new = [key for key, function in component.functions.items() if function not in mine]
        imported = dict.fromkeys(new, frozenset((name,)))
        before = self.evaluations
        self._try(_Candidate(component, origin, (), imported))
        newest = next((member for member in reversed(self.population.members) if member.id == name), None)
        return newest if self.evaluations > before else None

    def adopt_pattern(self, pattern: Pattern) -> None:
        """Make a peer's pattern available; it proves itself through the variants that carry it.

        Raises `PolicyError` where its source is outside of the language.
        """
        parse_expression(pattern.source, self.form, pattern.function)
        if pattern.id not in {known.id for known in self._patterns}:
            self._patterns.append(pattern)

    def finalists(self, count: int) -> list[Individual]:
        """Return the best ``count`` members, one a behaviour."""
        chosen: dict[int, Individual] = {}
        for individual in sorted(self.population, key=lambda member: -member.merit):
            chosen.setdefault(individual.fitness.digest, individual)
        return list(chosen.values())[:count]

    def lineage(self, name: str) -> list[str]:
        """Return the ids of a component's ancestors, itself first, each once."""
        found: dict[str, None] = {}
        pending = [name]
        while pending:
            here = pending.pop(0)
            if here not in found and here in self.known:
                found[here] = None
                pending.extend(self.known[here].parents)
        return list(found)

    def state(self) -> dict[str, Any]:
        """Return all that its further search depends on, but what is `known`, as JSON takes it."""
        members = [*self.population, *self.seeds, *([self.best] if self.best else [])]
        individuals = {id(member): member for member in members}  # a best may have left, a seed may be a member
        places = {name: place for place, name in enumerate(individuals)}
        return {
            "individuals": [individual_state(individual) for individual in individuals.values()],
            "population": [places[id(member)] for member in self.population],
            "seeds": [places[id(member)] for member in self.seeds],
            "best": places[id(self.best)] if self.best else None,
            "waiting": len(self._waiting),
            "evaluations": self.evaluations,
            "since_improvement": self.since_improvement,
            "bar": self._bar,
            "probes": self.probes,
            "uses": dict(self.uses),
            "gains": dict(self.gains),
            "patterns": [pattern_state(pattern) for pattern in self._patterns],
            "rng": rng_state(self._rng),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on where an island with the same seeds stood when it told its `state`; `known` is resumed by itself."""
        parsimony = self.settings.parsimony
        individuals = [individual_of(told, self.form, parsimony) for told in state["individuals"]]
        self.population.members = [individuals[place] for place in state["population"]]
        self.seeds = [individuals[place] for place in state["seeds"]]
        self.best = None if state["best"] is None else individuals[state["best"]]
        self._waiting = deque(self._start[len(self._start) - state["waiting"] :])
        self.evaluations, self.since_improvement = state["evaluations"], state["since_improvement"]
        self._bar, self.probes = state["bar"], state["probes"]
        self.uses, self.gains = Counter(state["uses"]), dict(state["gains"])
        self._patterns.clear()
        self._patterns.extend(pattern_of(told) for told in state["patterns"])
        resume_rng(self._rng, state["rng"])

    def _next_seed(self) -> _Candidate | None:
        while self._waiting:
            seed = self._waiting.popleft()
            if component_id(seed) not in self.known:
                return _Candidate(seed, "seed", (), {})
        return None

    def _vary(self) -> _Candidate:
        """Return a variant whose source is new, and its behaviour on the probe; or the last of many that are not."""
        probes_left = self.settings.probes_max if self._probe else 0
        for _ in range(self.settings.tries_max):
            candidate = self._variant()
            if component_id(candidate.component) in self.known:
                continue
            if not probes_left or self._is_promising(candidate.component):
                break
            probes_left -= 1
        return candidate

    def _is_promising(self, component: Component) -> bool:
        """Run the probe; tell whether nothing has behaved like this, and whether it is not far behind the best there.

        What fails is for the evaluation to say.
        """
        fitness = self._probed(component)
        if fitness is None:
            return True
        new = fitness.digest not in self.behaviours
        self.behaviours.add(fitness.digest, None)
        margin = self.settings.probe_margin
        return new and (margin is None or self._bar is None or fitness.score >= self._bar - margin)

    def _probed(self, component: Component) -> Fitness | None:
        self.probes += 1
        return self._probe(component) if self._probe else None

    def _variant(self) -> _Candidate:
        rng, settings = self._rng, self.settings
        if not len(self.population):  # every seed failed: something near one may not
            start = rng.choice(self._start)
            return _Candidate(mutate(start, self.form, rng), "mutation", (component_id(start),), {})
        growth = self.form.growth
        if growth.polish_share and rng.random() < growth.polish_share:
            parent = self.population.select(rng, growth.polish_tournament)
            return _Candidate(tune(parent.component, self.form, rng), "mutation", (parent.id,), parent.credits)
        parent = self.population.select(rng)
        kind = rng.random()
        grafted = self._grafted(parent) if self._patterns and kind < settings.graft_share else None
        if grafted is not None:
            return grafted
        if len(self.population) > 1 and kind < settings.graft_share + settings.crossover_share:
            other = self.population.select(rng)
            child, taken = crossover(parent.component, other.component, rng)
            origins = {**parent.credits, **{name: other.credits.get(name, frozenset()) for name in taken}}
            if rng.random() < 0.5:
                child = mutate(child, self.form, rng, changes_mean=settings.changes_mean)
            return _Candidate(child, "crossover", (parent.id, other.id), origins)
        if growth.tune_share and rng.random() < growth.tune_share:
            child = tune(parent.component, self.form, rng)
        else:
            child = mutate(parent.component, self.form, rng, changes_mean=settings.changes_mean)
        return _Candidate(child, "mutation", (parent.id,), parent.credits)

    def _grafted(self, parent: Individual) -> _Candidate | None:
        pattern = self._rng.choice(self._patterns)
        child = graft(pattern, parent.component, self._rng)
        if child is None:
            return None
        mine = parent.credits.get(pattern.function, frozenset()) | {pattern.id}
        return _Candidate(child, "graft", (parent.id,), {**parent.credits, pattern.function: mine})

    def _try(self, candidate: _Candidate) -> Individual | None:
        """Evaluate and insert; return the individual where it is the new best."""
        name = component_id(candidate.component)
        fitness = self._evaluate(candidate.component)
        self.evaluations += 1
        self.since_improvement += 1
        self.known.add(name, Ancestor(candidate.origin, candidate.parents, fitness.score if fitness else None))
        if fitness is None:
            return None
        nodes = size(candidate.component)
        merit = fitness.score - self.settings.parsimony * nodes
        individual = Individual(
            candidate.component, name, fitness, nodes, merit, candidate.origin, candidate.parents, candidate.credits
        )
        if candidate.origin == "seed":
            self.seeds.append(individual)
        self.population.insert(individual, self._rng)
        if self.best and merit <= self.best.merit:
            return None
        self._credit(individual, individual.score - self.best.score if self.best else 0.0)
        self.best = individual
        self.since_improvement = 0
        if self._probe and self.settings.probe_margin is not None:
            probed = self._probed(individual.component)
            self._bar = probed.score if probed else None
        return individual

    def _credit(self, individual: Individual, gain: float) -> None:
        """Count a new best for every import that its functions go back to."""
        helped: Iterable[str] = set().union(*individual.credits.values())
        for imported in sorted(helped):
            self.uses[imported] += 1
            self.gains[imported] = self.gains.get(imported, 0.0) + gain
