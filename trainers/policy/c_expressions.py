"""C expressions: the text of an integer or an action, with no more parentheses than the compilers want.

An operator is written plainly where the operands' ranges prove that C means the same; elsewhere it is a call
of a helper from `trainers.policy.c_helpers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trainers.policy.arithmetic import INT64_MIN
from trainers.policy.ranges import FULL, Known, assume, is_truth, range_of
from trainers.policy.tree import COMPARISONS, Act, Binary, Conditional, Const, Expression, Name, Unary

__all__ = ["Expressions"]

_HELPED = {
    "+": "add_wrap", "-": "sub_wrap", "*": "mul_wrap", "//": "div_floor", "%": "mod_floor",
    "<<": "shift_left", ">>": "shift_right", "min": "min_s64", "max": "max_s64", "or": "or_s64",
}  # fmt: skip
_PLAIN = {"+": "+", "-": "-", "*": "*", "//": "/", "%": "%", "<<": "<<", ">>": ">>"}
# How tightly C binds, and what an operand needs to stand without parentheses (more than the grammar asks for,
# as much as the compilers' warnings do).
_TERNARY, _ATOM, _CAST = 1, 12, 11
_RANK = {"||": 2, "&&": 3, "<": 6, "<<": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10}
_FLOOR = {2: 6, 3: 6, 6: 9, 8: 11, 9: 10, 10: 11}


class Expressions:
    """Writes the expressions of one function; ``used`` collects the helpers and actions they call."""

    def __init__(self, names: Mapping[str, str], used: set[str]) -> None:
        self.names = names
        self.used = used

    def test(self, node: Expression, known: Known) -> tuple[str, int]:
        """Return C that is true where ``node`` is not 0, and how tightly it binds."""
        if isinstance(node, Binary) and node.op in COMPARISONS:
            left, right = self.value(node.left, known), self.value(node.right, known)
            return _joined(left, node.op, right, _RANK["<"])
        if isinstance(node, Binary) and node.op in ("and", "or"):
            op = "&&" if node.op == "and" else "||"
            after = assume(node.left, node.op == "and", known)
            return _joined(self.test(node.left, known), op, self.test(node.right, after), _RANK[op])
        if isinstance(node, Unary) and node.op == "not":
            if is_truth(node.operand):
                return f"!({self.test(node.operand, known)[0]})", _CAST
            return _joined(self.value(node.operand, known), "==", ("0", _ATOM), _RANK["<"])
        if isinstance(node, Name):
            return self.value(node, known)
        return _joined(self.value(node, known), "!=", ("0", _ATOM), _RANK["<"])

    def value(self, node: Expression, known: Known) -> tuple[str, int]:
        """Return C for an integer or an action, and how tightly it binds."""
        if isinstance(node, Const):
            return _constant(node.value)
        if isinstance(node, Name):
            return self.names[node.name], _ATOM
        if isinstance(node, Conditional):
            return self._conditional(node, known)
        if isinstance(node, Act):
            return self._call(node.action, node.arguments, known)
        if is_truth(node):
            return self.test(node, known)
        if isinstance(node, Unary):
            if node.op == "-" and range_of(node.operand, known)[0] > INT64_MIN and _is_wide(node.operand):
                text, rank = self.value(node.operand, known)
                return f"-{text}" if rank >= _ATOM else f"-({text})", _CAST
            name = {"-": "neg_wrap", "abs": "abs_s64", "ilog2": "ilog2_s64"}[node.op]
            return self._call(name, (node.operand,), known)
        return self._binary(node, known)

    def _binary(self, node: Binary, known: Known) -> tuple[str, int]:
        if node.op == "and":  # what is false is 0
            return self._conditional(Conditional(node.left, node.right, Const(0)), known)
        if node.op in _PLAIN and _is_safe(node, known):
            left, right = self.value(node.left, known), self.value(node.right, known)
            if not _is_wide(node.left) and (not _is_wide(node.right) or node.op in ("<<", ">>")):
                left = f"(s64)({left[0]})", _CAST
            op = _PLAIN[node.op]
            return _joined(left, op, right, _RANK["<<" if op == ">>" else op])
        return self._call(_HELPED[node.op], (node.left, node.right), known)

    def _conditional(self, node: Conditional, known: Known) -> tuple[str, int]:
        test, test_rank = self.test(node.test, known)
        then, then_rank = self.value(node.then, assume(node.test, True, known))
        otherwise, otherwise_rank = self.value(node.otherwise, assume(node.test, False, known))
        parts = ((test, test_rank), (then, then_rank), (otherwise, otherwise_rank))
        test, then, otherwise = (text if rank > _TERNARY else f"({text})" for text, rank in parts)
        return f"{test} ? {then} : {otherwise}", _TERNARY

    def _call(self, name: str, arguments: Iterable[Expression], known: Known) -> tuple[str, int]:
        self.used.add(name)
        return f"{name}({', '.join(self.value(argument, known)[0] for argument in arguments)})", _ATOM


def _joined(left: tuple[str, int], op: str, right: tuple[str, int], rank: int) -> tuple[str, int]:
    """Return ``left op right`` with the parentheses that C or its compilers' warnings ask for."""
    floor = _FLOOR[rank]
    chains = rank in (_RANK["||"], _RANK["&&"], _RANK["+"], _RANK["*"])
    first = left[0] if left[1] >= floor or (chains and left[1] == rank) else f"({left[0]})"
    second = right[0] if right[1] >= floor else f"({right[0]})"
    return f"{first} {op} {second}", rank


def _constant(value: int) -> tuple[str, int]:
    if value == INT64_MIN:
        return "(-9223372036854775807LL - 1)", _ATOM
    text = str(value) if -(1 << 31) < value < 1 << 31 else f"{value}LL"
    return (text, _ATOM) if value >= 0 else (text, _CAST)


def _is_wide(node: Expression) -> bool:
    """Tell whether C computes ``node`` in 64 bits: constants and truth values alone would be ints."""
    if isinstance(node, Const):
        return not -(1 << 31) < node.value < 1 << 31
    if isinstance(node, Conditional):
        return _is_wide(node.then) or _is_wide(node.otherwise)
    if isinstance(node, Binary) and node.op == "and":
        return not is_truth(node) and _is_wide(node.right)
    return not is_truth(node)


def _is_safe(node: Binary, known: Known) -> bool:
    """Tell whether C's plain operator means the same for every value the operands can have."""
    a, b = range_of(node.left, known), range_of(node.right, known)
    if node.op in ("//", "%"):
        return a[0] >= 0 and b[0] > 0
    if node.op == ">>":
        return b[0] >= 0 and b[1] <= 63
    if node.op == "<<":
        return a[0] >= 0 and b[0] >= 0 and b[1] <= 63 and a[1] << b[1] < 1 << 63
    if node.op == "*":
        corners = [x * y for x in a for y in b]
        return FULL[0] <= min(corners) and max(corners) <= FULL[1]
    low, high = (a[0] + b[0], a[1] + b[1]) if node.op == "+" else (a[0] - b[1], a[1] - b[0])
    return FULL[0] <= low and high <= FULL[1]
