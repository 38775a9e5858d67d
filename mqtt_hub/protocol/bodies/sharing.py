"""PATTERN_SHARE, CODE_SHARE and OS_COMPONENT_SHARE: what was found, for others to build on or to be judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mqtt_hub.protocol.bodies.fields import Count, Counters, Digest, Kind, Name, Named, Number, Source
from mqtt_hub.protocol.bounds import Items, Text, Whole

__all__ = ["Claim", "CodeShare", "OsComponentShare", "PatternShare"]


@dataclass(frozen=True, slots=True)
class Claim:
    """Raw counters that a component is said to reach on one workload at one capacity."""

    workload: Digest
    capacity: Annotated[int, Whole(1, 2**31)]
    counters: Counters


@dataclass(frozen=True, slots=True)
class PatternShare:
    """A sub-expression that helped: ``gain`` is the score lost when it is taken out (ablation)."""

    kind: Kind
    function: Name
    expression: Annotated[str, Text(1024, characters_min=1)]
    unit: Annotated[str, Text(16)]
    gain: Number
    uses: Count
    workload: Digest
    component: Digest


@dataclass(frozen=True, slots=True)
class CodeShare(Named):
    """A whole program with what it is claimed to reach, for others to build on."""

    kind: Kind
    component: Digest
    source: Source
    authors: Annotated[tuple[Name, ...], Items(16)]
    parents: Annotated[tuple[Digest, ...], Items(16)]
    claims: Annotated[tuple[Claim, ...], Items(32)]


@dataclass(frozen=True, slots=True)
class OsComponentShare(Named):
    """A component submitted for validation; ``target`` is the name of the workload it was made for."""

    kind: Kind
    component: Digest
    source: Source
    authors: Annotated[tuple[Name, ...], Items(16)]
    parents: Annotated[tuple[Digest, ...], Items(16)]
    claims: Annotated[tuple[Claim, ...], Items(32)]
    target: Annotated[str, Text(128)]
