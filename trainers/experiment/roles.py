"""Patterns across kinds: a feature is read as the one that plays its part in the other kind.

::

    io_scheduling, pick_score:  (wait + cost) * 1024 // cost
                                 │ waiting: since_wake   │ size: ewma
    cpu_scheduling, run_score:  (since_wake + ewma) * 1024 // ewma          highest response ratio next

The role of a feature is what it says of the thing that waits: a page in memory, a task, a request. A pattern is
translated where its function has a counterpart, that sees for every feature of the pattern another of the same role,
and where what comes out is well-typed there: like is compared with like, and names are not counted with. `scramble`
is the control: the same pattern in the same place, over features of any role but the right one.

docs/experiments.md tells what was found, and why trainers do not do this.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from trainers.policy.kind import Feature, Form, Function, Unit
from trainers.policy.parse import parse_expression
from trainers.policy.source import expression_source
from trainers.policy.tree import COMPARISONS, Binary, Conditional, Expression, Name, Node, children, names, rebuild
from trainers.search.grow import COMPARABLE
from trainers.search.patterns import TEST, Pattern
from trainers.search.units import unit_of

__all__ = ["ROLES", "Foreign", "Reading", "Role", "Untranslatable", "role_of", "scramble", "translate", "well_typed"]

Reading: TypeAlias = Callable[[Pattern, Form, Form], Pattern]  # `translate` or `scramble`: of a kind, in another

SCRAMBLES_MAX = 100  # random readings tried before a pattern has none that is well-typed


class Role(StrEnum):
    """What a feature says; a function has one too: when it is asked."""

    RECENCY = "recency"  # how long it was not wanted
    FREQUENCY = "frequency"  # how often, or how much, it was served so far
    SIZE = "size"  # how much it asks for
    WAITING = "waiting"  # how long it has been here
    OLDEST = "oldest"  # the same of who has been here longest
    QUEUED = "queued"  # how many are here
    ROOM = "room"  # how many can be served
    OWN = "own"  # the component's own note on it
    OTHERS = "others"  # such notes on the others
    STATE = "state"  # what the component notes of the whole
    SEATED = "seated"  # whether the machine is at it now
    CLOCK = "clock"
    NONE = "none"  # that of no feature of another kind

    CHOOSE = "choose"  # a function: who goes next
    ARRIVE = "arrive"
    SERVE = "serve"
    ADAPT = "adapt"


# Kind: role: the features and functions that play it, the plainest first. Every one is named once.
ROLES: Mapping[str, Mapping[Role, tuple[str, ...]]] = MappingProxyType(
    {
        "page_replacement": {
            Role.CHOOSE: ("on_scan", "pick_queue"),
            Role.ARRIVE: ("on_insert",),
            Role.SERVE: ("on_hit",),
            Role.ADAPT: ("adapt",),
            Role.RECENCY: ("age", "ghost_age", "last_gap", "ghost_rank"),
            Role.FREQUENCY: ("frequency", "ghost_frequency", "popularity", "newcomer"),
            Role.WAITING: ("residency",),
            Role.OLDEST: ("oldest0", "oldest1", "oldest2", "oldest3"),
            Role.QUEUED: ("size0", "size1", "size2", "size3"),
            Role.ROOM: ("capacity",),
            Role.OWN: ("mark",),
            Role.STATE: ("register",),
            Role.NONE: (
                *("hit_rate", "ghost_rate", "chance", "ghost_queue", "queue"),
                *("popularity0", "popularity1", "popularity2", "popularity3"),
            ),
        },
        "cpu_scheduling": {
            Role.CHOOSE: ("run_score",),
            Role.ARRIVE: ("on_wake",),
            Role.SERVE: ("on_run",),
            Role.ADAPT: ("on_period",),
            Role.RECENCY: ("slept",),
            Role.FREQUENCY: ("bursts", "used", "total", "slice_used", "ran"),
            Role.SIZE: ("ewma", "last_burst", "mean_burst"),
            Role.WAITING: ("wait", "since_wake"),
            Role.QUEUED: ("n_run",),
            Role.ROOM: ("cpus",),
            Role.OWN: ("reg",),
            Role.OTHERS: ("min_reg", "mean_reg"),
            Role.SEATED: ("current",),
            Role.CLOCK: ("now",),
            Role.NONE: ("slice", "load", "weight", "expired"),
        },
        "io_scheduling": {
            Role.CHOOSE: ("pick_score",),
            Role.ARRIVE: ("on_stream",),
            Role.SERVE: ("on_serve",),
            Role.ADAPT: ("next0", "next1"),
            Role.RECENCY: ("sgap",),
            Role.FREQUENCY: ("sserved",),
            Role.SIZE: ("cost", "len"),
            Role.WAITING: ("wait",),
            Role.OLDEST: ("old_read", "old_write"),
            Role.QUEUED: ("n_queued", "n_reads", "n_writes", "squeued", "backlog"),
            Role.OWN: ("sreg",),
            Role.OTHERS: ("min_sreg",),
            Role.STATE: ("g0", "g1"),
            Role.SEATED: ("same",),
            Role.CLOCK: ("now",),
            Role.NONE: ("offset", "forward", "distance", "write", "last_write", "alike"),
        },
    }
)


class Untranslatable(Exception):  # noqa: N818 — no error: most patterns have no counterpart, and that is counted
    """Why a pattern says nothing in another kind: ``function``, ``feature`` or ``units``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Foreign:
    """A pattern of another kind."""

    kind: str
    giver: str  # the node that mined it
    pattern: Pattern


def role_of(kind: str, name: str) -> Role:
    """Return the role of a feature or a function; `Role.NONE` where the kind or the name has none."""
    return next((role for role, players in ROLES.get(kind, {}).items() if name in players), Role.NONE)


def translate(pattern: Pattern, source: Form, target: Form) -> Pattern:
    """Return the pattern as ``target`` reads it; raises `Untranslatable`."""
    part = parse_expression(pattern.source, source, pattern.function)
    said = [one for one in source.functions[pattern.function].features if one.name in names(part)]
    asked = role_of(source.kind, pattern.function)
    functions = [target.functions[name] for name in _players(target.kind, asked)]
    readings = [(_reading(said, source.kind, function, target.kind), function) for function in functions]
    for reading, function in readings:
        found = reading and _read(pattern, part, reading, function)
        if found:
            return found
    reason = "units" if any(reading for reading, _function in readings) else "feature" if functions else "function"
    raise Untranslatable(reason)


def scramble(pattern: Pattern, source: Form, target: Form) -> Pattern:
    """Return what `translate` does, for the same places, over features of other roles; raises `Untranslatable`.

    It is drawn at random, the same each time. Where no other features fit, the reason is ``scramble``.
    """
    right = translate(pattern, source, target)
    function, rng = target.functions[right.function], random.Random(pattern.id)
    part = parse_expression(pattern.source, source, pattern.function)
    seen = [(feature.name, role_of(target.kind, feature.name)) for feature in function.features]
    others = {
        name: [other for other, role in seen if role is not role_of(source.kind, name)] for name in sorted(names(part))
    }
    for _ in range(SCRAMBLES_MAX):
        reading = {name: rng.choice(some) for name, some in others.items() if some}
        if len(set(reading.values())) == len(others):
            found = _read(pattern, part, reading, function)
            if found is not None and found.unit == right.unit:
                return found
    raise Untranslatable("scramble")


def well_typed(node: Node, function: Function) -> bool:
    """Tell whether like is compared and added with like, as far as units are known, and no name is counted with."""
    if isinstance(node, (Binary, Conditional)):
        sides = (node.left, node.right) if isinstance(node, Binary) else (node.then, node.otherwise)
        if not _like(node.op if isinstance(node, Binary) else "", sides, function):
            return False
    return all(well_typed(child, function) for child in children(node))


def _like(op: str, sides: Sequence[Expression], function: Function) -> bool:
    units = {unit for side in sides if (unit := unit_of(side, function)) is not None}
    if op in ("+", "-", "min", "max", "*", "//", "%", "<<", ">>") and Unit.INDEX in units:
        return False
    if len(units - {Unit.FREE}) < 2 or op in ("and", "or", "*", "//", "%", "<<", ">>"):
        return True
    one, other = units
    return op in COMPARISONS and (one in COMPARABLE.get(other, ()) or other in COMPARABLE.get(one, ()))


def _players(kind: str, role: Role) -> tuple[str, ...]:
    return () if role is Role.NONE else ROLES.get(kind, {}).get(role, ())


def _reading(said: Iterable[Feature], source: str, function: Function, target: str) -> dict[str, str] | None:
    """Return for each feature another of its role that ``function`` sees, no two the same; of its unit if there is."""
    reading: dict[str, str] = {}
    for one in sorted(said, key=lambda feature: feature.name):
        players = (function.feature(name) for name in _players(target, role_of(source, one.name)))
        seen = [player for player in players if player and player.name not in reading.values()]
        if not seen:
            return None
        reading[one.name] = next((player for player in seen if player.unit is one.unit), seen[0]).name
    return reading


def _read(pattern: Pattern, part: Expression, reading: Mapping[str, str], function: Function) -> Pattern | None:
    """Return the pattern over other features, or None where it is not well-typed."""
    said = _renamed(part, reading)
    unit = unit_of(said, function)
    if not well_typed(said, function) or (unit is Unit.INDEX and pattern.unit not in (TEST, unit.value)):
        return None
    measure = pattern.unit if pattern.unit in (TEST, Unit.FREE) or unit is None else unit.value
    return replace(pattern, function=function.name, source=expression_source(said), unit=measure, uses=0)


def _renamed(node: Node, reading: Mapping[str, str]) -> Expression:
    if isinstance(node, Name):
        return Name(reading[node.name])
    return rebuild(node, tuple(_renamed(child, reading) for child in children(node)))  # type: ignore[return-value]
