"""Changes of what is only compared with others of its kind: a score.

::

    wait // 32 - cost ──lead─────▶ wait // 32 - cost + (256 if write == last_write else 0)
    wait // 32 - cost ──surcharge▶ wait // 32 - (cost + (256 if write != last_write else 0))
    wait // 32 - cost ──split────▶ wait // (16 if write == 1 else 32) - cost
    wait // 32 - cost ──weigh────▶ (wait + 1024) * 64 // cost      and back; a lead becomes a surcharge below

A lead is what a request, or a task, must be better by to pass over another, a surcharge what its price is raised by.
Two measures can be weighed by their difference or by their ratio; where one needs a factor that depends on the load,
the other may do without. What is told apart is often what the form says is worth it (`Growth.tests`): what grows at
random seldom is.
"""

from __future__ import annotations

from trainers.policy.kind import Unit
from trainers.policy.parse import parse_expression
from trainers.policy.tree import Binary, Conditional, Const, Expression, Name, Node
from trainers.search.grow import Grower
from trainers.search.units import Site, unit_of

__all__ = ["lead", "split", "surcharge", "weigh"]

_TOLD_SHARE = 0.7  # of tests, where the form names some
_SPLIT_MIN = 8  # smaller constants are no weights
_SIXTEENTHS = (4, 8, 10, 12, 20, 24, 32, 64)  # what the other of two constants is of the one
_LEAD_BITS = (3, 16)
_TESTED_SHARE = 0.75  # of surcharges
_RATIO_SCALES = (16, 64, 256, 1024)  # a ratio of integers needs digits after the point
_AGES = (4, 8, 16, 32, 64)  # what the first of two measures is divided by in a difference
_OFFSET_SHARE = 0.7  # of ratios: a constant is added above, so that what has just come is not worth nothing
_WHOLE = 2  # steps from a function's body to the whole of what it returns


def lead(site: Site, grower: Grower) -> Node | None:
    """Add to the whole score, or take from it, so much for what passes a test."""
    if site.wanted is not Unit.FREE or len(site.path) != _WHOLE:
        return None
    more = Conditional(_test(grower), Const(1 << grower.rng.randint(*_LEAD_BITS)), Const(0))
    return Binary(grower.rng.choice("+-"), site.node, more)  # type: ignore[arg-type]  # a score's place holds no statement


def surcharge(site: Site, grower: Grower) -> Node | None:
    """Add to what is read where a time is wanted so much for what passes a test, or always."""
    if not isinstance(site.node, Name) or site.wanted is not Unit.TIME or not grower.form.growth.time_bits:
        return None
    more: Expression = grower.constant(Unit.TIME)
    if grower.rng.random() < _TESTED_SHARE:
        more = Conditional(_test(grower), more, Const(0))
    return Binary("+", site.node, more)


def split(site: Site, grower: Grower) -> Node | None:
    """Make one constant two: another for what passes a test."""
    if not isinstance(site.node, Const) or abs(site.node.value) < _SPLIT_MIN:
        return None
    other = Const(site.node.value * grower.rng.choice(_SIXTEENTHS) // 16)
    return Conditional(_test(grower), other, site.node)


def _test(grower: Grower) -> Expression:
    """Return a test, often one of those that the form names."""
    rng = grower.rng
    told = grower.form.growth.tests
    if told and rng.random() < _TOLD_SHARE:
        return parse_expression(rng.choice(told), grower.form, grower.function.name)
    return grower.test(1)


def weigh(site: Site, grower: Grower) -> Node | None:
    """Make a ratio of a difference, with its lead as a surcharge below, or a difference of a ratio."""
    node, rng = site.node, grower.rng
    if not isinstance(node, Binary) or site.wanted is not Unit.FREE or isinstance(node.right, Const):
        return None
    if node.op == "//":
        return Binary("-", Binary("//", _unscaled(node.left), Const(rng.choice(_AGES))), node.right)
    difference = _difference(node)
    if difference is None:
        return None
    above, below = _unscaled(difference[0]), difference[1]
    unit = unit_of(above, grower.function)
    if unit is None:
        return None
    if rng.random() < _OFFSET_SHARE:
        above = Binary("+", above, grower.constant(unit))
    return Binary("//", Binary("*", above, Const(rng.choice(_RATIO_SCALES))), below)


def _difference(node: Binary) -> tuple[Expression, Expression] | None:
    """Return the two sides of a difference; a lead that follows it is dear to whom it passes over."""
    if node.op == "-" and not isinstance(node.right, Conditional):
        return node.left, node.right
    whole, more = node.left, node.right
    if node.op not in ("+", "-") or not isinstance(more, Conditional):
        return None
    if not isinstance(whole, Binary) or whole.op != "-" or isinstance(whole.right, Const):
        return None
    charge = more if node.op == "-" else Conditional(more.test, more.otherwise, more.then)
    return whole.left, Binary("+", whole.right, charge)


def _unscaled(node: Expression) -> Expression:
    """Return the node without the constants that it is multiplied with or divided by."""
    while isinstance(node, Binary) and node.op in ("*", "//") and isinstance(node.right, Const):
        node = node.left
    return node
