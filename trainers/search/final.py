"""The final choice: what did best on the training slice may have learned it by heart.

The finalists and all seeds are measured again, on slices, capacities or days too that the search did not climb;
the best mean of all measures wins, and its evidence is kept beside it. A seed may well win: then search found
nothing better, and the choice says so.

::

    finalists, seeds ── standing: what a validator would count, hardly worse than the textbook's ──▶ choose ──▶ Choice

Measures see more than the verdict (other days, other capacities), so the best by them can be a program that does
badly on the load as it is. What the textbook beats by the plain value, on all that may be seen and by more than the
kind's slack, does not stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from trainers.policy.simplify import simplify
from trainers.policy.source import component_id
from trainers.policy.tree import Component
from trainers.search.island import Evaluate
from trainers.search.population import Individual

__all__ = ["Choice", "choose", "standing"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen component, simplified, and what it was chosen by."""

    component: Component
    id: str
    individual: Individual
    evidence: Mapping[str, float]  # measure: score
    mean: float  # of the evidence, by weight
    candidates: int  # that were compared


def standing(
    candidates: Iterable[Component],
    textbook: Iterable[Component],
    value: Callable[[Component], int | None],
    *,
    slack_percents: int = 0,
) -> frozenset[Component]:
    """Return the candidates whose ``value`` is at most ``slack_percents`` above the lowest of the ``textbook``.

    None is the value of a program that fails: as a candidate it is out, in the textbook it says nothing.
    """
    lowest = min((found for found in map(value, textbook) if found is not None), default=None)
    valued = [(candidate, value(candidate)) for candidate in candidates]
    return frozenset(
        one
        for one, found in valued
        if found is not None and (lowest is None or 100 * found <= (100 + slack_percents) * lowest)
    )


def choose(candidates: Iterable[Individual], measures: Mapping[str, tuple[float, Evaluate]]) -> Choice:
    """Return the candidate with the best weighted mean over ``measures`` (name: weight, evaluate).

    Candidates of equal behaviour are measured once each all the same: equal on the training slice is not equal
    elsewhere. Of equals the smaller wins, then the earlier. A candidate that fails a measure is out.
    """
    chosen: Choice | None = None
    total = sum(weight for weight, _ in measures.values())
    unique = list({individual.id: individual for individual in candidates}.values())
    for individual in unique:
        evidence: dict[str, float] = {}
        for name, (_, evaluate) in measures.items():
            fitness = evaluate(individual.component)
            if fitness is None:
                break
            evidence[name] = fitness.score
        if len(evidence) < len(measures):
            continue
        mean = sum(measures[name][0] * score for name, score in evidence.items()) / total
        if chosen is None or (mean, -individual.nodes) > (chosen.mean, -chosen.individual.nodes):
            simple = simplify(individual.component)
            chosen = Choice(simple, component_id(simple), individual, evidence, mean, len(unique))
    if chosen is None:
        raise ValueError("no candidate ran to its end on every measure")
    return chosen
