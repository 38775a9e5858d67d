"""Where an expression stands and what it may measure: the types that search varies within.

::

    function body ──sites──▶ Site(path, node, wanted): TEST | ACTION | a unit

A sub-expression is only replaced by one that fits its place: a time by a time, a test by a test. Without this
search adds ages to queue numbers and lives off wrap-around.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from trainers.policy.kind import Form, Function, Unit
from trainers.policy.tree import (
    COMPARISONS,
    Act,
    Binary,
    Conditional,
    Expression,
    FunctionDef,
    If,
    Name,
    Node,
    Return,
    Statement,
    Unary,
    children,
    rebuild,
)

__all__ = ["Place", "Site", "Wanted", "argument_unit", "find_node", "replace_node", "sites", "unit_of"]


class Place(Enum):
    """A place that wants no measure."""

    TEST = "test"
    ACTION = "action"
    STATEMENT = "statement"


Wanted: TypeAlias = Place | Unit
Path: TypeAlias = tuple[int, ...]  # child numbers from the function's body downwards


@dataclass(frozen=True, slots=True)
class Site:
    """A node, the way to it, and what its place wants."""

    path: Path
    node: Node
    wanted: Wanted


def unit_of(node: Expression, function: Function) -> Unit | None:
    """Return what an expression measures; None for constants, truth and locals, which fit anywhere."""
    if isinstance(node, Name):
        feature = function.feature(node.name)
        return feature.unit if feature else None
    if isinstance(node, Binary):
        if node.op in COMPARISONS:
            return None
        left, right = unit_of(node.left, function), unit_of(node.right, function)
        if node.op in ("*", "//", "<<", ">>") and left is not None and right is not None:
            return Unit.FREE
        return _common(left, right)
    if isinstance(node, Conditional):
        return _common(unit_of(node.then, function), unit_of(node.otherwise, function))
    if isinstance(node, Unary):
        return unit_of(node.operand, function) if node.op in ("-", "abs") else None
    return None


def _common(one: Unit | None, other: Unit | None) -> Unit | None:
    """Return the unit of two things together: what is free takes the measure of its neighbour."""
    return other if one in (None, Unit.FREE) and other is not None else one


def argument_unit(form: Form, name: str) -> Unit:
    """Return the unit of an action's argument: that of the feature of its name, where there is one."""
    features = (function.feature(name) for function in form.functions.values())
    return next((feature.unit for feature in features if feature), Unit.FREE)


def sites(form: Form, function: FunctionDef) -> list[Site]:
    """Return every place of a function at which something else could stand."""
    declared = form.functions[function.name]
    found: list[Site] = []
    for place, statement in enumerate(function.body):
        found.extend(_statement_sites(statement, (place,), form, declared))
    return found


def _statement_sites(statement: Statement, path: Path, form: Form, function: Function) -> Iterator[Site]:
    yield Site(path, statement, Place.STATEMENT)
    if isinstance(statement, If):
        yield from _sites(statement.test, (*path, 0), Place.TEST, form, function)
        for place, inner in enumerate((*statement.body, *statement.orelse), start=1):
            yield from _statement_sites(inner, (*path, place), form, function)
    elif isinstance(statement, Return):
        wanted = Place.ACTION if function.actions else function.unit
        yield from _sites(statement.value, (*path, 0), wanted, form, function)
    else:
        wanted = unit_of(statement.value, function) or Unit.FREE
        yield from _sites(statement.value, (*path, 0), wanted, form, function)


def _sites(node: Expression, path: Path, wanted: Wanted, form: Form, function: Function) -> Iterator[Site]:
    yield Site(path, node, wanted)
    for place, (child, below) in enumerate(zip(children(node), _wants(node, wanted, form, function), strict=True)):
        yield from _sites(child, (*path, place), below, form, function)  # type: ignore[arg-type]


def _wants(node: Expression, wanted: Wanted, form: Form, function: Function) -> Sequence[Wanted]:
    """Return what each child's place wants."""
    unit = wanted if isinstance(wanted, Unit) else Unit.FREE
    if isinstance(node, Conditional):
        return (Place.TEST, wanted, wanted)
    if isinstance(node, Act):
        return [argument_unit(form, name) for name, _, _, _ in form.actions[node.action].arguments]
    if isinstance(node, Unary):
        return (wanted if node.op == "not" else unit_of(node.operand, function) or unit,)
    if not isinstance(node, Binary):
        return ()
    if node.op in COMPARISONS:
        side = _common(unit_of(node.left, function), unit_of(node.right, function)) or Unit.FREE
        return (side, side)
    if node.op in ("and", "or"):
        return (wanted, wanted)
    if node.op in ("*", "//", "%", "<<", ">>"):
        return (unit_of(node.left, function) or unit, unit_of(node.right, function) or Unit.FREE)
    side = _common(unit_of(node.left, function), unit_of(node.right, function)) or unit
    return (side, side) if unit is Unit.FREE else (unit, unit)


def find_node(function: FunctionDef, path: Path) -> Node:
    """Return the node at ``path``."""
    node: Node = function.body[path[0]]
    for place in path[1:]:
        node = children(node)[place]
    return node


def replace_node(function: FunctionDef, path: Path, new: Node | None) -> FunctionDef:
    """Return the function with the node at ``path`` replaced; None takes a statement out."""
    body = list(function.body)
    replaced = _replaced(body[path[0]], path[1:], new)
    body[path[0] : path[0] + 1] = [] if replaced is None else [replaced]  # type: ignore[list-item]
    return FunctionDef(function.name, tuple(body))


def _replaced(node: Node, path: Path, new: Node | None) -> Node | None:
    if not path:
        return new
    parts = list(children(node))
    below = _replaced(parts[path[0]], path[1:], new)
    if below is not None:
        parts[path[0]] = below
        return rebuild(node, tuple(parts))
    if not isinstance(node, If):
        raise TypeError(node)  # only a statement can be taken out
    at, cut = path[0] - 1, len(node.body)
    body, orelse = list(node.body), list(node.orelse)
    (body if at < cut else orelse).pop(at if at < cut else at - cut)
    return If(node.test, tuple(body), tuple(orelse)) if body else None
