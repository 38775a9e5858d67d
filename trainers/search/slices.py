"""Which requests are climbed, and which are kept for the final choice.

::

    train part   |──────── climbed: three cold slices ────────|─ unseen third ─|
    capacity       c(slice 1)     c(slice 2)     c(slice 3)        c and C         and the whole at C

C is the workload's capacity; c is the same share of the pages that the slice asks for. Three cold starts ask for
what does not hang on one long run. After the final choice they score as one run does; fewer choices fell below the
baseline (README.md has the numbers and their doubts). Together they have as many requests as one run over the
climbed part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

from trainers.policy.tree import Component
from trainers.search.objective import Mean, Objective
from trainers.search.population import Fitness

__all__ = ["climb", "measures"]

CLIMB_SHARE = 2 / 3
CLIMB_SLICES = 3

SliceObjective: TypeAlias = Callable[[int, int, int], Objective]  # (capacity, start, stop), on one workload
Measures: TypeAlias = Mapping[str, tuple[float, Callable[[Component], Fitness | None]]]


def climb(objective: SliceObjective, requests: Sequence[int], capacity: int) -> Mean:
    """Return the score that search climbs: the mean over cold slices of the first two thirds."""
    cut = _cut(requests)
    bounds = [cut * place // CLIMB_SLICES for place in range(CLIMB_SLICES + 1)]
    return Mean(
        [objective(_in_proportion(requests, capacity, start, stop), start, stop) for start, stop in pairwise(bounds)]
    )


def measures(objective: SliceObjective, requests: Sequence[int], capacity: int) -> Measures:
    """Return what the final choice goes by, as `final.choose` takes it (name: weight, evaluate)."""
    cut, end = _cut(requests), len(requests)
    return {
        "unseen third": (1.0, objective(capacity, cut, end)),
        "unseen third in proportion": (1.0, objective(_in_proportion(requests, capacity, cut, end), cut, end)),
        "whole": (1.0, objective(capacity, 0, end)),
    }


def _cut(requests: Sequence[int]) -> int:
    return min(len(requests), max(CLIMB_SLICES, int(len(requests) * CLIMB_SHARE)))


def _in_proportion(requests: Sequence[int], capacity: int, start: int, stop: int) -> int:
    """Return the share of the slice's pages that ``capacity`` is of all pages; at least one page."""
    return max(1, round(capacity * len(set(requests[start:stop])) / len(set(requests))))
