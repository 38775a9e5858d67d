"""An island's state as JSON takes it, and back: components as canonical source, each individual once.

::

    Island.state() ──▶ {"individuals": […], "population": [0, 3, …], "best": 3, …, "rng": […]} ──▶ Island.resume()

What was ever evaluated (`Ancestor`) is not in it: it grows, so a checkpoint keeps it row by row.
"""

from __future__ import annotations

import random
from dataclasses import asdict
from typing import Any

from trainers.policy.kind import Form
from trainers.policy.parse import parse
from trainers.policy.source import canonical
from trainers.policy.tree import size
from trainers.search.memory import fitness_of, fitness_state
from trainers.search.patterns import Pattern
from trainers.search.population import Individual

__all__ = ["individual_of", "individual_state", "pattern_of", "pattern_state", "resume_rng", "rng_state"]


def individual_state(individual: Individual) -> dict[str, Any]:
    """Return an individual as JSON takes it; its size and merit follow from the rest."""
    return {
        "source": canonical(individual.component),
        "id": individual.id,
        "fitness": fitness_state(individual.fitness),
        "origin": individual.origin,
        "parents": individual.parents,
        "credits": {function: sorted(names) for function, names in sorted(individual.credits.items())},
    }


def individual_of(state: dict[str, Any], form: Form, parsimony: float) -> Individual:
    """Return the individual that `individual_state` told."""
    component, fitness = parse(state["source"], form), fitness_of(state["fitness"])
    nodes = size(component)
    return Individual(
        component=component,
        id=state["id"],
        fitness=fitness,
        nodes=nodes,
        merit=fitness.score - parsimony * nodes,
        origin=state["origin"],
        parents=tuple(state["parents"]),
        credits={function: frozenset(names) for function, names in state["credits"].items()},
    )


def pattern_state(pattern: Pattern) -> dict[str, Any]:
    """Return a pattern as JSON takes it."""
    return asdict(pattern)


def pattern_of(state: dict[str, Any]) -> Pattern:
    """Return the pattern that `pattern_state` told."""
    return Pattern(**state)


def rng_state(rng: random.Random) -> list[Any]:
    """Return where a generator stands."""
    version, words, gauss = rng.getstate()
    return [version, list(words), gauss]


def resume_rng(rng: random.Random, state: list[Any]) -> None:
    """Put a generator where `rng_state` found one."""
    version, words, gauss = state
    rng.setstate((version, tuple(words), gauss))
