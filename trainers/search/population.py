"""A bounded population in steady state: one newcomer at a time, one leaves when it is full.

A newcomer that behaves exactly like a member (same digest of the whole run) is still taken in: it is another
way to write the same behaviour, and rejecting it was measured to hurt. Only when the population is full does
it first stand against its likes, so that no behaviour takes over.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from trainers.policy.tree import Component

__all__ = ["Fitness", "Individual", "Population"]


@dataclass(frozen=True, slots=True)
class Fitness:
    """How well a component did: ``score`` is the gap closed (1 is the bound, 0 the baseline)."""

    score: float
    digest: int  # of the whole run: equal for programs that behave alike
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Individual:
    """An evaluated component, where it came from and whose material is in it."""

    component: Component
    id: str  # SHA-256 of the canonical source
    fitness: Fitness
    nodes: int
    merit: float  # score less the price of its size: what selection looks at
    origin: str  # "seed", "mutation", "crossover", "graft", or what `Island.adopt` was told
    parents: tuple[str, ...]  # ids, kept even when a parent has left
    credits: Mapping[str, frozenset[str]] = field(default_factory=dict)  # function: imported ids it goes back to

    @property
    def score(self) -> float:
        """Return the gap closed."""
        return self.fitness.score


class Population:
    """At most ``size_max`` individuals."""

    def __init__(self, size_max: int, tournament: int) -> None:
        self.size_max = size_max
        self.tournament = tournament
        self.members: list[Individual] = []

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Individual]:
        return iter(self.members)

    def select(self, rng: random.Random, tournament: int | None = None) -> Individual:
        """Return the best of a few members drawn at random."""
        drawn = [self.members[rng.randrange(len(self.members))] for _ in range(tournament or self.tournament)]
        return max(drawn, key=lambda individual: individual.merit)

    def insert(self, newcomer: Individual, rng: random.Random) -> Individual | None:
        """Take the newcomer in; return who had to leave, if anyone."""
        self.members.append(newcomer)
        if len(self.members) <= self.size_max:
            return None
        likes = [place for place, member in enumerate(self.members) if member.fitness.digest == newcomer.fitness.digest]
        if len(likes) > max(2, self.size_max // 10):
            places = likes
        else:
            places = [rng.randrange(len(self.members)) for _ in range(self.tournament)]
        worst = min(places, key=lambda place: (self.members[place].merit, -place))
        return self.members.pop(worst)

    def best(self) -> Individual:
        """Return the member of the highest merit; the earliest of equals."""
        return max(self.members, key=lambda individual: individual.merit)
