"""Algebra on one node whose parts are already simple: each rule keeps the value and adds no node."""

from __future__ import annotations

from trainers.policy.arithmetic import INT64_MIN, wrap
from trainers.policy.ranges import INVERSE, is_truth
from trainers.policy.tree import COMPARISONS, Act, Binary, Conditional, Const, Expression, Unary

__all__ = ["rewrite", "rewrite_test"]

_COMMUTES = ("+", "*", "min", "max", "==", "!=")
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_ITSELF = ("min", "max", "and", "or")  # x op x is x


def rewrite_test(node: Expression) -> Expression:
    """Return an expression that is true where ``node`` is: only its truth is wanted."""
    if isinstance(node, Binary) and node.right == Const(0) and node.op == "!=":
        return rewrite_test(node.left)
    if isinstance(node, Unary) and node.op in ("-", "abs"):
        return rewrite_test(node.operand)
    if isinstance(node, Unary) and node.op == "not":
        return rewrite(Unary("not", rewrite_test(node.operand)))
    if isinstance(node, Binary) and node.op in ("and", "or"):
        return rewrite(Binary(node.op, rewrite_test(node.left), rewrite_test(node.right)))
    return node


def rewrite(node: Expression) -> Expression:
    """Return ``node`` or a simpler expression of the same value."""
    if isinstance(node, Unary):
        return _unary(node)
    if isinstance(node, Conditional):
        return _conditional(node)
    return _binary(node) if isinstance(node, Binary) else node


def _unary(node: Unary) -> Expression:
    inner = node.operand
    if isinstance(inner, Unary) and inner.op == node.op:
        if node.op == "-" or (node.op == "not" and is_truth(inner.operand)):
            return inner.operand
        return inner if node.op == "abs" else node
    if node.op == "not" and isinstance(inner, Binary) and inner.op in COMPARISONS:
        return Binary(INVERSE[inner.op], inner.left, inner.right)
    if node.op == "-" and isinstance(inner, Binary) and inner.op == "-":
        return Binary("-", inner.right, inner.left)
    if node.op == "abs" and isinstance(inner, Unary) and inner.op == "-":
        return Unary("abs", inner.operand)
    return node


def _conditional(node: Conditional) -> Expression:
    if node.then == node.otherwise:
        return node.then
    if isinstance(node.test, Unary) and node.test.op == "not":
        return Conditional(node.test.operand, node.otherwise, node.then)
    if is_truth(node.test) and not isinstance(node.then, Act):
        if (node.then, node.otherwise) == (Const(1), Const(0)):
            return node.test
        if (node.then, node.otherwise) == (Const(0), Const(1)):
            return rewrite(Unary("not", node.test))
    return node


def _binary(node: Binary) -> Expression:
    op, a, b = node.op, node.left, node.right
    if isinstance(a, Const) and not isinstance(b, Const) and (op in _COMMUTES or op in _MIRRORED):
        return _binary(Binary(_MIRRORED.get(op, op), b, a))
    if a == b:
        if op in _ITSELF:
            return a
        if op in ("-", "%"):
            return Const(0)
        if op in COMPARISONS:
            return Const(int(op in ("==", "<=", ">=")))
    if isinstance(b, Const):
        return _with_constant(op, a, b.value)
    if isinstance(b, Unary) and b.op == "-" and op in ("+", "-"):
        return Binary("-" if op == "+" else "+", a, b.operand)
    if op == "-" and a == Const(0):
        return _unary(Unary("-", b))
    if op in ("min", "max") and isinstance(a, Binary) and a.op == op and b in (a.left, a.right):
        return a
    return node


def _with_constant(op: str, a: Expression, c: int) -> Expression:  # noqa: C901 — one rule a line
    """Return ``a op c``; a constant is on the right by now."""
    if (op in ("+", "-", "or") and c == 0) or (op in ("*", "//") and c == 1):
        return a
    if op in ("<<", ">>") and not 0 < c <= 63:
        return Binary(op, a, Const(c & 63)) if c & 63 else a
    if op in ("+", "-") and isinstance(a, Binary) and a.op in ("+", "-") and isinstance(a.right, Const):
        inner = a.right.value if a.op == "+" else -a.right.value
        return _with_constant("+", a.left, wrap(inner + (c if op == "+" else -c)))
    if op in ("+", "-") and INT64_MIN < c < 0:
        return Binary("-" if op == "+" else "+", a, Const(-c))
    if op in ("min", "max") and isinstance(a, Binary) and a.op == op and isinstance(a.right, Const):
        return Binary(op, a.left, Const(min(a.right.value, c) if op == "min" else max(a.right.value, c)))
    if op in ("and", "or") and is_truth(a):
        if op == "and" and c == 1:
            return a
        if op == "and" and c == 0:
            return Const(0)
    if op == "*" and c == -1:
        return _unary(Unary("-", a))
    if op in COMPARISONS and is_truth(a) and c in (0, 1) and op in ("==", "!="):
        return a if (op == "==") == (c == 1) else _unary(Unary("not", a))
    if op in COMPARISONS and isinstance(a, Binary) and a.op == "-" and c == 0 and op in ("==", "!="):
        return Binary(op, a.left, a.right)
    return Binary(op, a, Const(c))
