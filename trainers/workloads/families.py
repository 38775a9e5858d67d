"""Generated workloads: a kind declares families, a seed makes one instance, another seed its hidden part.

::

    trainers/arenas/KIND/families.py     FAMILIES = {"zipf": Family(rows, meaning, length), …}
    rows(random.Random("zipf 7"), length) ─▶ what the kind's codec collects ─▶ Workload

Same family, seed and length: the same rows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any

from trainers.arenas.registry import DEFAULT, kind_of
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import Workload, workload

__all__ = ["Family", "families_of", "generate", "two_parts"]

LENGTH_MAX = 1 << 24


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of load. ``rows(rng, length)`` is pure but for the generator it is given."""

    rows: Callable[[random.Random, int], Iterable[Any]]
    meaning: str
    length: int  # of one part where nobody says otherwise, in the family's own unit: requests, units of time
    capacity: int | None = None  # of the machine that it is meant for; None: the kind's default


def families_of(kind: str) -> Mapping[str, Family]:
    """Return the families that a kind declares, by name; none where it has no ``families`` module."""
    module = f"{kind_of(kind).package}.families"
    try:
        families: Mapping[str, Family] = import_module(module).FAMILIES
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return MappingProxyType({})
    return families


def generate(
    family: str,
    seed: str,
    *,
    kind: str = DEFAULT,
    part: str = "whole",
    length: int | None = None,
    capacity: int | None = None,
    name: str | None = None,
) -> Workload:
    """Make one instance of a family; any text is a seed. Raises `WorkloadError` where there is no such family."""
    known = families_of(kind)
    if family not in known:
        names = ", ".join(known) or "none"
        raise WorkloadError(f"{kind} has no family {family[:80]!r}", hint=f"known: {names}")
    declared = known[family]
    if length is not None and not 1 <= length <= LENGTH_MAX:
        raise WorkloadError(f"{family}: a length of {length}; 1..{LENGTH_MAX} are possible")
    rows = declared.rows(random.Random(f"{family} {seed}"), length or declared.length)
    return workload(
        name or family,
        rows,
        kind=kind,
        part=part,
        capacity=declared.capacity if capacity is None else capacity,
        origin=f"generated, seed {seed!r}: {declared.meaning}",
    )


def two_parts(family: str, seed: str, **options: Any) -> tuple[Workload, Workload]:
    """Split by seed: two instances of the same load that have no request in common, train and hidden."""
    train, hidden = (generate(family, f"{seed} {part}", part=part, **options) for part in ("train", "hidden"))
    return train, hidden
