"""Changes of what is only compared with others of its kind: a score.

::

    wait // 32 - cost ──lead──▶ wait // 32 - cost + (256 if write == last_write else 0)
    wait // 32 - cost ──weigh─▶ (wait + 1024) * 64 // cost      and back

A lead is what a request, or a task, must be better by to pass over another. Two measures can be weighed by their
difference or by their ratio; where one needs a factor that depends on the load, the other may do without.
"""

from __future__ import annotations

from itertools import permutations

from trainers.policy.kind import Unit
from trainers.policy.tree import Binary, Conditional, Const, Expression, Name, Node
from trainers.search.grow import Grower
from trainers.search.units import Site, unit_of

__all__ = ["lead", "weigh"]

_KIN_SHARE = 0.5  # of leads, where the function sees what something is and what it was last
_LEAD_BITS = (3, 16)
_RATIO_SCALES = (16, 64, 256, 1024)  # a ratio of integers needs digits after the point
_AGES = (4, 8, 16, 32, 64)  # what the first of two measures is divided by in a difference
_OFFSET_SHARE = 0.7  # of ratios: a constant is added above, so that what has just come is not worth nothing
_WHOLE = 2  # steps from a function's body to the whole of what it returns


def lead(site: Site, grower: Grower) -> Node | None:
    """Add to the whole score, or take from it, so much for what passes a test."""
    if site.wanted is not Unit.FREE or len(site.path) != _WHOLE:
        return None
    rng = grower.rng
    names = [feature.name for feature in grower.by_unit.get(Unit.INDEX, ())]
    kin = [(one, other) for one, other in permutations(names, 2) if other == f"last_{one}"]
    if kin and rng.random() < _KIN_SHARE:
        one, other = rng.choice(kin)
        test: Expression = Binary(rng.choice(("==", "!=")), Name(one), Name(other))
    else:
        test = grower.test(1)
    more = Conditional(test, Const(1 << rng.randint(*_LEAD_BITS)), Const(0))
    return Binary(rng.choice("+-"), site.node, more)  # type: ignore[arg-type]  # a score's place holds no statement


def weigh(site: Site, grower: Grower) -> Node | None:
    """Make a ratio of a difference, or a difference of a ratio."""
    node, rng = site.node, grower.rng
    if not isinstance(node, Binary) or site.wanted is not Unit.FREE or isinstance(node.right, Const):
        return None
    above = _unscaled(node.left)
    if node.op == "//":
        return Binary("-", Binary("//", above, Const(rng.choice(_AGES))), node.right)
    unit = unit_of(above, grower.function)
    if node.op != "-" or unit is None:
        return None
    if rng.random() < _OFFSET_SHARE:
        above = Binary("+", above, grower.constant(unit))
    return Binary("//", Binary("*", above, Const(rng.choice(_RATIO_SCALES))), node.right)


def _unscaled(node: Expression) -> Expression:
    """Return the node without the constants that it is multiplied with or divided by."""
    while isinstance(node, Binary) and node.op in ("*", "//") and isinstance(node.right, Const):
        node = node.left
    return node
