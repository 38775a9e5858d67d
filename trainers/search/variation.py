"""Mutation, crossover and graft: new components from old ones, each well-typed and well-formed.

::

    mutate      a few small changes, mostly in one function: a constant moved, a feature swapped, a test grown …
    crossover   whole functions of two parents ("my on_insert, your on_scan"), now and then one sub-expression
    graft       a pattern that helped elsewhere, put where it fits
    tune        constants moved a little, nothing else (`trainers.search.tuning`)

Every function returned has passed the language's own checker and has been simplified, so that a variant that
only looks different is recognised by its source.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from trainers.policy.errors import PolicyError
from trainers.policy.kind import Form, Unit
from trainers.policy.parse import complete, parse
from trainers.policy.simplify import idle_functions, simplify_function
from trainers.policy.source import function_source
from trainers.policy.tree import (
    BINARY,
    COMPARISONS,
    Act,
    Assign,
    Binary,
    Component,
    Conditional,
    Const,
    Expression,
    FunctionDef,
    If,
    Name,
    Node,
    Return,
    Unary,
    children,
    is_action,
    size,
)
from trainers.search.grow import Grower
from trainers.search.scores import lead, split, surcharge, weigh
from trainers.search.units import Place, Site, replace_node, sites

__all__ = ["FUNCTION_NODES_MAX", "crossover", "mutate", "mutate_function", "sound", "transplant"]

FUNCTION_NODES_MAX = 40  # larger ones did not score better, and nobody reads them
_CHANGES_MAX = 6
_TRIES_MAX = 20
_SAME_KIND = (("+", "-", "min", "max"), ("*", "//", "%"), ("<<", ">>"), ("and", "or"), COMPARISONS)


def sound(form: Form, function: FunctionDef) -> FunctionDef | None:
    """Return the function simplified, or None where the language or the size limit refuses it."""
    try:
        checked = parse(function_source(form, function), form).functions[function.name]
    except PolicyError:
        return None
    simple = simplify_function(form, checked)
    return simple if size(simple) <= FUNCTION_NODES_MAX else None


def mutate(component: Component, form: Form, rng: random.Random, *, changes_mean: float = 1.6) -> Component:
    """Return a variant: a geometric number of changes, none where the component's idle functions are."""
    whole = complete(component)
    idle = idle_functions(component)
    lively = [name for name in whole.functions if name not in idle]
    changes = 1
    while changes < _CHANGES_MAX and rng.random() < 1 - 1 / changes_mean:
        changes += 1
    for _ in range(changes):
        name = rng.choice(lively)
        if idle and rng.random() < 0.03:
            name = rng.choice(sorted(idle))  # or a register could never begin to matter
        function = mutate_function(whole.functions[name], form, rng)
        whole = whole.with_function(function)
        component = component.with_function(function)
    return component


def mutate_function(function: FunctionDef, form: Form, rng: random.Random) -> FunctionDef:
    """Return the function with one change; the function itself if none that was tried is sound."""
    for _ in range(_TRIES_MAX):
        changed = _change(function, form, rng)
        if changed is not None and changed != function:
            good = sound(form, changed)
            if good is not None and good != function:
                return good
    return function


def crossover(one: Component, other: Component, rng: random.Random) -> tuple[Component, frozenset[str]]:
    """Return ``one`` with some of ``other``'s functions, and their names."""
    mine, yours = complete(one), complete(other)
    differing = [name for name in mine.functions if mine.functions[name] != yours.functions[name]]
    if not differing:
        return one, frozenset()
    taken = [name for name in differing if rng.random() < 0.4] or [rng.choice(differing)]
    if len(taken) == len(differing) > 1:
        taken.remove(rng.choice(taken))
    child = one
    for name in taken:
        child = child.with_function(yours.functions[name])
    return child, frozenset(taken)


def transplant(
    part: Expression, function: FunctionDef, form: Form, rng: random.Random, fits: Callable[[Site], bool]
) -> FunctionDef | None:
    """Return the function with ``part`` at one of the sites that it fits, or None where there is none."""
    places = [site for site in sites(form, function) if fits(site)]
    rng.shuffle(places)
    for site in places[:_TRIES_MAX]:
        new: Node = part
        if site.wanted is Place.TEST and rng.random() < 0.5:
            new = Binary(rng.choice(("and", "or")), site.node, part)  # type: ignore[arg-type]
        good = sound(form, replace_node(function, site.path, new))
        if good is not None and good != function:
            return good
    return None


def _change(function: FunctionDef, form: Form, rng: random.Random) -> FunctionDef | None:
    """Return the function with one unchecked change, or None where the kind of change found no place."""
    grower = Grower(form, form.functions[function.name], rng)
    places = sites(form, function)
    ways: Sequence[tuple[Callable[..., Node | None], float]] = (
        (_nudge, 3.0), (_regrow, 2.0), (_swap_name, 1.5), (_swap_operator, 1.5), (_hoist, 1.5), (_wrap, 1.5),
        (_other_action, 2.0), (_swap_branches, 0.5),
    )  # fmt: skip
    if form.growth.scores and grower.is_score:
        ways = (*ways, (lead, 2.0), (surcharge, 3.0), (weigh, 2.0), (split, 3.0))
    if rng.random() < 0.25:
        return _restructure(function, grower, places)
    way = rng.choices([way for way, _ in ways], [weight for _, weight in ways])[0]
    rng.shuffle(places)
    for site in places:
        if site.wanted is Place.STATEMENT:
            continue
        new = way(site, grower)
        if new is not None:
            return replace_node(function, site.path, new)
    return None


def _nudge(site: Site, grower: Grower) -> Node | None:
    """Move a constant."""
    if not isinstance(site.node, Const):
        return None
    value, rng = site.node.value, grower.rng
    if isinstance(site.wanted, Unit) and rng.random() < 0.2:
        return grower.constant(site.wanted)
    return Const(rng.choice((value + 1, value - 1, value * 2, value // 2, value + (value >> 2), value - (value >> 2))))


def _regrow(site: Site, grower: Grower) -> Node | None:
    """Put something new of the same type in its place."""
    return grower.grow(site.wanted, grower.rng.choice((1, 1, 2, 3)))


def _swap_name(site: Site, grower: Grower) -> Node | None:
    """Read another feature of the same unit."""
    return grower.feature(site.wanted) if isinstance(site.node, Name) and isinstance(site.wanted, Unit) else None


def _swap_operator(site: Site, grower: Grower) -> Node | None:
    """Use another operator of the same sort."""
    node = site.node
    if not isinstance(node, Binary) or node.op not in BINARY:
        return None
    family = next(family for family in _SAME_KIND if node.op in family)
    return Binary(grower.rng.choice(family), node.left, node.right)


def _hoist(site: Site, grower: Grower) -> Node | None:
    """Put a part in the place of the whole."""
    parts = children(site.node)
    if isinstance(site.node, Conditional):
        parts = parts[1:]
    elif isinstance(site.node, Act) or (isinstance(site.node, Binary) and site.node.op in COMPARISONS):
        return None
    return grower.rng.choice(parts) if parts else None


def _wrap(site: Site, grower: Grower) -> Node | None:
    """Make the node a part of something larger."""
    node, rng = site.node, grower.rng
    assert not isinstance(node, (Assign, Return, If))  # noqa: S101 — the caller passed statements by
    if site.wanted is Place.TEST:
        return Unary("not", node) if rng.random() < 0.2 else Binary(rng.choice(("and", "or")), node, grower.test(1))
    other = grower.grow(site.wanted, 1)
    if site.wanted is Place.ACTION or site.wanted is Unit.INDEX or rng.random() < 0.4:
        pair = (node, other) if rng.random() < 0.5 else (other, node)
        return Conditional(grower.test(1), *pair)
    return grower.scaled(node) if rng.random() < 0.4 else Binary(rng.choice(("+", "-", "min", "max")), node, other)


def _other_action(site: Site, grower: Grower) -> Node | None:
    """Take another action, or the same one with another argument."""
    if not isinstance(site.node, Act):
        return None
    if grower.rng.random() < 0.5 or not site.node.arguments:
        return grower.action(0)
    places = grower.form.actions[site.node.action].arguments
    at = grower.rng.randrange(len(places))
    name, low, high, _ = places[at]
    arguments = list(site.node.arguments)
    arguments[at] = grower.argument(name, low, high)
    return Act(site.node.action, tuple(arguments))


def _swap_branches(site: Site, _grower: Grower) -> Node | None:
    """Turn a choice round."""
    node = site.node
    return Conditional(node.test, node.otherwise, node.then) if isinstance(node, Conditional) else None


def _restructure(function: FunctionDef, grower: Grower, places: list[Site]) -> FunctionDef | None:
    """Add an early return, take a statement out, or turn an ``if`` round."""
    rng = grower.rng
    wanted = Place.ACTION if grower.function.actions else grower.function.unit
    if rng.random() < 0.5:
        early = If(grower.test(2), (Return(grower.grow(wanted, 1)),), ())
        return FunctionDef(function.name, (early, *function.body))
    statements = [site for site in places if site.wanted is Place.STATEMENT]
    site = rng.choice(statements)
    node = site.node
    if isinstance(node, If) and node.orelse and rng.random() < 0.5:
        return replace_node(function, site.path, If(node.test, node.orelse, node.body))
    if isinstance(node, Return) and not is_action(node.value) and not children(node.value):
        return replace_node(function, site.path, Return(grower.grow(wanted, 2)))
    return replace_node(function, site.path, None)
