"""Which values an expression can have, given what the form promises about its features.

::

    Known: {Name("mark"): (0, 255), <mark < 3>: (1, 1), …}     ── range_of(expression, known) ──▶ (low, high)
             at the start: the features' declared bounds
             in a branch:  plus what its test says (`assume`);  after it: what both sides leave (`join`)

The simplifier removes what these ranges decide; the C face writes plain operators where they prove that
nothing can overflow. A range is never too narrow; where an operation could wrap it is all of 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from trainers.policy.arithmetic import BINARY_MEANING, INT64_MAX, INT64_MIN, UNARY_MEANING
from trainers.policy.kind import Function
from trainers.policy.tree import COMPARISONS, Binary, Conditional, Const, Expression, Name, Unary, names

__all__ = ["FULL", "INVERSE", "Known", "Range", "assign", "assume", "is_truth", "join", "range_of", "start"]

Range: TypeAlias = tuple[int, int]  # low..high, both possible
Known: TypeAlias = Mapping[Expression, Range]

FULL: Range = (INT64_MIN, INT64_MAX)
INVERSE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


def start(function: Function) -> Known:
    """Return what is known when a function is entered."""
    return {Name(feature.name): (feature.low, feature.high) for feature in function.features}


def assign(known: Known, name: str, value: Range) -> Known:
    """Return what is known after ``name`` was assigned a value of that range."""
    kept = {expression: found for expression, found in known.items() if name not in names(expression)}
    kept[Name(name)] = value
    return kept


def join(one: Known, other: Known) -> Known:
    """Return what holds whichever of two paths was taken."""
    return {expression: _union(one[expression], other[expression]) for expression in one if expression in other}


def is_truth(node: Expression) -> bool:
    """Tell whether the value can only be 0 or 1 by its form."""
    if isinstance(node, Binary):
        return node.op in COMPARISONS or (node.op in ("and", "or") and is_truth(node.left) and is_truth(node.right))
    return isinstance(node, Unary) and node.op == "not"


def assume(test: Expression, truth: bool, known: Known) -> Known:  # noqa: FBT001 — the second half of a claim
    """Return what is known where ``test`` came out as ``truth``."""
    if isinstance(test, Unary) and test.op == "not":
        return assume(test.operand, not truth, known)
    if isinstance(test, Binary) and test.op == ("and" if truth else "or"):
        return assume(test.right, truth, assume(test.left, truth, known))
    if isinstance(test, Binary) and test.op in COMPARISONS:
        inverse = Binary(INVERSE[test.op], test.left, test.right)
        held = int(truth)
        known = {**known, test: (held, held), inverse: (1 - held, 1 - held)}
        op = test.op if truth else INVERSE[test.op]
        known = _narrow(test.left, op, range_of(test.right, known), known)
        return _narrow(test.right, _MIRRORED[op], range_of(test.left, known), known)
    return _narrow(test, "!=" if truth else "==", (0, 0), known)


def _narrow(node: Expression, op: str, other: Range, known: Known) -> Known:
    """Return what is known once ``node op`` something within ``other`` holds."""
    if not isinstance(node, Name):
        return known
    low, high = range_of(node, known)
    if op in ("<", "<=", "=="):
        high = min(high, other[1] - (op == "<"))
    if op in (">", ">=", "=="):
        low = max(low, other[0] + (op == ">"))
    if op == "!=" and other[0] == other[1]:
        low, high = low + (low == other[0]), high - (high == other[0])
    return {**known, node: (low, high)} if low <= high else known  # a path that is never taken: leave it


def range_of(node: Expression, known: Known) -> Range:
    """Return the bounds of an integer expression."""
    if isinstance(node, Const):
        return node.value, node.value
    if isinstance(node, Name):
        return known.get(node, FULL)
    if isinstance(node, Conditional):
        return _choice(node, known)
    if isinstance(node, Unary):
        return _unary(node.op, range_of(node.operand, known))
    if not isinstance(node, Binary):
        raise TypeError(node)  # an action has no range
    if node.op in COMPARISONS and node in known:
        return known[node]
    a, b = range_of(node.left, known), range_of(node.right, known)
    if a[0] == a[1] and b[0] == b[1]:
        value = BINARY_MEANING[node.op](a[0], b[0])
        return value, value
    return _BINARY[node.op](a, b)


def _choice(node: Conditional, known: Known) -> Range:
    test = range_of(node.test, known)
    if test == (0, 0):
        return range_of(node.otherwise, known)
    if not test[0] <= 0 <= test[1]:
        return range_of(node.then, known)
    return _union(range_of(node.then, known), range_of(node.otherwise, known))


def _union(a: Range, b: Range) -> Range:
    return min(a[0], b[0]), max(a[1], b[1])


def _hull(values: Iterable[int]) -> Range:
    """Return the range of a monotone operation from its corners; all of 64 bits where it could wrap."""
    values = list(values)
    low, high = min(values), max(values)
    return (low, high) if low >= INT64_MIN and high <= INT64_MAX else FULL


def _unary(op: str, a: Range) -> Range:
    if a[0] == a[1] or op == "ilog2":
        return UNARY_MEANING[op](a[0]), UNARY_MEANING[op](a[1])
    if op == "not":
        return (0, 0) if a[0] > 0 or a[1] < 0 else (0, 1)
    if op == "-":
        return _hull((-a[0], -a[1]))
    return _hull((0, -a[0], a[1])) if a[0] < 0 < a[1] else _hull((abs(a[0]), abs(a[1])))


def _divide(a: Range, b: Range) -> Range:
    signs = [(max(b[0], 1), b[1]), (b[0], min(b[1], -1))]
    corners = [x // y for low, high in signs if low <= high for x in a for y in (low, high)]
    return _hull([*corners, *([0] if b[0] <= 0 <= b[1] else [])])


def _remainder(a: Range, b: Range) -> Range:
    if a[0] >= 0 and a[1] < b[0]:
        return a
    high = min(max(b[1] - 1, 0), a[1]) if a[0] >= 0 and b[0] >= 0 else max(b[1] - 1, 0)
    return min(b[0] + 1, 0), high


def _shift(a: Range, b: Range, move: Callable[[int, int], int]) -> Range:
    counts = b if b[0] >= 0 and b[1] <= 63 else (0, 63)
    return _hull(move(x, y) for x in a for y in counts)


def _less(a: Range, b: Range) -> Range:
    return (1, 1) if a[1] < b[0] else (0, 0) if a[0] >= b[1] else (0, 1)


def _equal(a: Range, b: Range) -> Range:
    return (0, 0) if a[1] < b[0] or b[1] < a[0] else (0, 1)


def _not(a: Range) -> Range:
    return 1 - a[1], 1 - a[0]


def _and(a: Range, b: Range) -> Range:
    return b if a[0] > 0 or a[1] < 0 else (0, 0) if a == (0, 0) else _union(b, (0, 0))


def _or(a: Range, b: Range) -> Range:
    return a if a[0] > 0 or a[1] < 0 else b if a == (0, 0) else _union((a[0] + (a[0] == 0), a[1] - (a[1] == 0)), b)


_BINARY: Mapping[str, Callable[[Range, Range], Range]] = {
    "+": lambda a, b: _hull((a[0] + b[0], a[1] + b[1])),
    "-": lambda a, b: _hull((a[0] - b[1], a[1] - b[0])),
    "*": lambda a, b: _hull(x * y for x in a for y in b),
    "//": _divide,
    "%": _remainder,
    "<<": lambda a, b: _shift(a, b, lambda x, y: x << y),
    ">>": lambda a, b: _shift(a, b, lambda x, y: x >> y),
    "min": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "max": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "and": _and,
    "or": _or,
    "==": _equal,
    "!=": lambda a, b: _not(_equal(a, b)),
    "<": _less,
    "<=": lambda a, b: _not(_less(b, a)),
    ">": lambda a, b: _less(b, a),
    ">=": lambda a, b: _not(_less(a, b)),
}
