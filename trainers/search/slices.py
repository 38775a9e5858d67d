"""Which rows are climbed, and what the final choice goes by.

::

    train part   |──────── climbed: three cold slices ────────|─ unseen third ─|   and the whole

    pages        |──────────────── climbed: the whole in one run ─────────────|    and at .7, .9, 1.1 and 1.4 capacities
    CPU, I/O     |──────────────── climbed: the whole in one run ─────────────|
    other days   |──────────────── two of them are climbed too ───────────────|    and the whole of each of four or six

Cuts are where the kind allows them. Three cold starts ask for what does not hang on one long run; a kind whose queues
take time to build up has one (`Kind.climb_slices`). Where the component is for another run of the same program, from
its start to its end, the whole is climbed (`climb_share`), and neighbouring capacities are what the choice sees for
the first time (`choice_percents`). README.md has the numbers and their doubts.

Another day is the kind's (`Kind.redraw`): the same load as it could have come. Where the value hangs on a few
rows, as a tail does, the best of a thousand on one day is partly luck.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import TypeAlias

from trainers.arenas.kind import Kind, Words
from trainers.arenas.registry import kind_of
from trainers.policy.tree import Component
from trainers.search.objective import Mean, Objective
from trainers.search.population import Fitness
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import Workload
from trainers.workloads.format import workload as made

__all__ = ["SliceObjective", "climb", "measures", "probe", "redrawn"]

PROBE_PARTS = 6  # a probe has at most a sixth of the rows

SliceObjective: TypeAlias = Callable[[int, int, int], Objective]  # (capacity, start, stop), on one workload
Measures: TypeAlias = Mapping[str, tuple[float, Callable[[Component], Fitness | None]]]


def redrawn(workload: Workload, numbers: Iterable[int]) -> dict[int, Workload]:
    """Return the workload as it could have come on these days, by number, as far as they fit the kind's limits."""
    redraw = kind_of(workload.kind).redraw
    if redraw is None:
        return {}
    found = {number: _like(workload, redraw(workload.words, number)) for number in sorted(numbers)}
    return {number: day for number, day in found.items() if day is not None}


def _like(workload: Workload, words: Words) -> Workload | None:
    """Return the workload with other rows; None where they would not fit the kind's limits."""
    width = kind_of(workload.kind).codec.width
    rows = (words[at : at + width] for at in range(0, len(words), width))
    try:
        return made(workload.name, rows, kind=workload.kind, part=workload.part, capacity=workload.capacity)
    except WorkloadError:
        return None


def climb(objective: SliceObjective, workload: Workload, days: Iterable[SliceObjective] = ()) -> Mean:
    """Return the score that search climbs: the mean over cold slices of the kind's share, and as much of other days."""
    kind, cut = kind_of(workload.kind), _cut(workload)
    inner = {kind.cut(workload.words, cut * place // kind.climb_slices) for place in range(1, kind.climb_slices)}
    bounds = sorted({0, cut, *(place for place in inner if 0 < place < cut)})
    parts = [objective(workload.capacity, start, stop) for start, stop in pairwise(bounds)]
    parts += [day(workload.capacity, 0, cut) for day in days]
    return Mean(parts)


def measures(objective: SliceObjective, workload: Workload, days: Iterable[SliceObjective] = ()) -> Measures:
    """Return what the final choice goes by, as `final.choose` takes it (name: weight, evaluate)."""
    kind, cut, end = kind_of(workload.kind), _cut(workload), workload.rows
    found: dict[str, tuple[float, Callable[[Component], Fitness | None]]] = {}
    if cut < end:
        found["unseen third"] = (1.0, objective(workload.capacity, cut, end))
    found["whole"] = (1.0, objective(workload.capacity, 0, end))
    for percent in kind.choice_percents:
        near = min(max(kind.capacity.low, workload.capacity * percent // 100), kind.capacity.high)
        # Bounded as what is climbed: beside a loop that fits by one page less, gaps are small and scores are not.
        found[f"whole at {percent} % of the capacity"] = (1.0, Mean([objective(near, 0, end)]))
    for number, day in enumerate(days, start=1):
        found[f"another day {number}"] = (1.0, Mean([day(workload.capacity, 0, end)]))
    return found


def probe(objective: SliceObjective, workload: Workload) -> Objective | None:
    """Return the score on a few rows of the climbed part, and what tells behaviours apart; None: the kind has none."""
    kind = kind_of(workload.kind)
    rows = min(kind.probe_rows, workload.rows // PROBE_PARTS)
    start = kind.cut(workload.words, workload.rows // 3)
    if not rows or start + rows > workload.rows:
        return None
    capacity = _in_proportion(kind, workload, start, start + rows)  # or a cache would not fill
    return objective(capacity, start, start + rows)


def _cut(workload: Workload) -> int:
    """Return the row at which what is climbed ends, near the kind's share of all; a tiny workload is climbed whole."""
    kind = kind_of(workload.kind)
    row = max(kind.climb_slices, int(workload.rows * kind.climb_share))
    cut = kind.cut(workload.words, row) if row < workload.rows else 0
    return cut if 0 < cut < workload.rows else workload.rows


def _in_proportion(kind: Kind, workload: Workload, start: int, stop: int) -> int:
    """Return the capacity for a slice."""
    if kind.in_proportion is None:
        return workload.capacity
    width = kind.codec.width
    return kind.in_proportion(workload.words, workload.capacity, workload.words[start * width : stop * width])
