"""Which rows are climbed, and which are kept for the final choice.

::

    train part   |──────── climbed: three cold slices ────────|─ unseen third ─|
    capacity       c(slice 1)     c(slice 2)     c(slice 3)        c and C         and the whole at C

C is the workload's capacity; c is a share of it in proportion to the slice where the kind has one (pages that
the slice asks for, of all pages), else C. Cuts are where the kind allows them. Three cold starts ask for what
does not hang on one long run. After the final choice they score as one run does; fewer choices fell below the
baseline (README.md has the numbers and their doubts). Together they have as many rows as one run over the
climbed part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TypeAlias

from trainers.arenas.kind import Kind
from trainers.arenas.registry import kind_of
from trainers.policy.tree import Component
from trainers.search.objective import Mean, Objective
from trainers.search.population import Fitness
from trainers.workloads.format import Workload

__all__ = ["climb", "measures"]

CLIMB_SHARE = 2 / 3
CLIMB_SLICES = 3

SliceObjective: TypeAlias = Callable[[int, int, int], Objective]  # (capacity, start, stop), on one workload
Measures: TypeAlias = Mapping[str, tuple[float, Callable[[Component], Fitness | None]]]


def climb(objective: SliceObjective, workload: Workload) -> Mean:
    """Return the score that search climbs: the mean over cold slices of the first two thirds."""
    kind, cut = kind_of(workload.kind), _cut(workload)
    inner = {kind.cut(workload.words, cut * place // CLIMB_SLICES) for place in range(1, CLIMB_SLICES)}
    bounds = sorted({0, cut, *(place for place in inner if 0 < place < cut)})
    return Mean(
        [objective(_in_proportion(kind, workload, start, stop), start, stop) for start, stop in pairwise(bounds)]
    )


def measures(objective: SliceObjective, workload: Workload) -> Measures:
    """Return what the final choice goes by, as `final.choose` takes it (name: weight, evaluate)."""
    kind, cut, end = kind_of(workload.kind), _cut(workload), workload.rows
    capacities = {"unseen third": workload.capacity}
    if kind.in_proportion is not None:
        capacities["unseen third in proportion"] = _in_proportion(kind, workload, cut, end)
    unseen = {name: (1.0, objective(capacity, cut, end)) for name, capacity in capacities.items() if cut < end}
    return {**unseen, "whole": (1.0, objective(workload.capacity, 0, end))}


def _cut(workload: Workload) -> int:
    """Return the row at which what is climbed ends, near two thirds of all; a tiny workload is climbed whole."""
    row = max(CLIMB_SLICES, int(workload.rows * CLIMB_SHARE))
    cut = kind_of(workload.kind).cut(workload.words, row) if row < workload.rows else 0
    return cut if 0 < cut < workload.rows else workload.rows


def _in_proportion(kind: Kind, workload: Workload, start: int, stop: int) -> int:
    """Return the capacity for a slice."""
    if kind.in_proportion is None:
        return workload.capacity
    width = kind.codec.width
    return kind.in_proportion(workload.words, workload.capacity, workload.words[start * width : stop * width])
