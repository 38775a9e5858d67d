"""Canonical source: one text for one tree, and the SHA-256 that names a component.

Functions in the form's order, parameters (the features that are read) in the order of their slots, four
spaces, no comments, parentheses only where Python needs them. Reading canonical source gives the same tree.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from trainers.policy.kind import Form
from trainers.policy.tree import (
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
    Return,
    Statement,
    locals_of,
    names,
)

__all__ = ["canonical", "component_id", "expression_source", "function_source", "parameters"]

# How tightly each operator binds: a Python operand of lower rank needs parentheses.
_RANK = {
    "or": 2, "and": 3, "not": 4, "==": 5, "!=": 5, "<": 5, "<=": 5, ">": 5, ">=": 5,
    "<<": 6, ">>": 6, "+": 7, "-": 7, "*": 8, "//": 8, "%": 8,
}  # fmt: skip
_CONDITIONAL, _NEGATION, _ATOM = 1, 9, 10


def canonical(component: Component) -> str:
    """Return the canonical source of the functions that the component gives."""
    return "\n".join(function_source(component.form, function) for function in component.functions.values())


def component_id(component: Component) -> str:
    """Return the SHA-256 of the canonical source, in hex."""
    return hashlib.sha256(canonical(component).encode()).hexdigest()


def parameters(form: Form, function: FunctionDef) -> tuple[str, ...]:
    """Return the features that the function reads, in the order of their slots."""
    read = names(function).difference(locals_of(function))
    seen = sorted(form.functions[function.name].features, key=lambda feature: feature.slot)
    return tuple(feature.name for feature in seen if feature.name in read)


@lru_cache(maxsize=4096)
def function_source(form: Form, function: FunctionDef) -> str:
    """Return one function as text that ends with a newline."""
    lines = [f"def {function.name}({', '.join(parameters(form, function))}):"]
    _block(function.body, "    ", lines)
    return "\n".join(lines) + "\n"


def expression_source(node: Expression) -> str:
    """Return an expression as text."""
    return _expression(node)[0]


def _block(body: tuple[Statement, ...], indent: str, lines: list[str]) -> None:
    for statement in body:
        if isinstance(statement, Return):
            lines.append(f"{indent}return {_expression(statement.value)[0]}")
        elif isinstance(statement, Assign):
            lines.append(f"{indent}{statement.name} = {_expression(statement.value)[0]}")
        else:
            _if(statement, indent, lines)


def _if(statement: If, indent: str, lines: list[str]) -> None:
    word = "if"
    while True:
        lines.append(f"{indent}{word} {_expression(statement.test)[0]}:")
        _block(statement.body, indent + "    ", lines)
        if len(statement.orelse) != 1 or not isinstance(statement.orelse[0], If):
            break
        word, statement = "elif", statement.orelse[0]
    if statement.orelse:
        lines.append(f"{indent}else:")
        _block(statement.orelse, indent + "    ", lines)


def _expression(node: Expression) -> tuple[str, int]:
    """Return the text and how tightly it binds."""
    if isinstance(node, Const):
        return str(node.value), _ATOM if node.value >= 0 else _NEGATION
    if isinstance(node, Name):
        return node.name, _ATOM
    if isinstance(node, Binary):
        return _binary(node)
    if isinstance(node, Conditional):
        test, then = _at_least(node.test, _CONDITIONAL + 1), _at_least(node.then, _CONDITIONAL + 1)
        return f"{then} if {test} else {_at_least(node.otherwise, _CONDITIONAL)}", _CONDITIONAL
    if isinstance(node, Act):
        return f"{node.action}({', '.join(_expression(argument)[0] for argument in node.arguments)})", _ATOM
    if node.op == "-":
        return f"-{_at_least(node.operand, _NEGATION)}", _NEGATION
    if node.op == "not":
        return f"not {_at_least(node.operand, _RANK['not'])}", _RANK["not"]
    return f"{node.op}({_expression(node.operand)[0]})", _ATOM


def _binary(node: Binary) -> tuple[str, int]:
    if node.op in ("min", "max"):
        left = _expression(node.left)[0]
        if isinstance(node.left, Binary) and node.left.op == node.op:
            left = left[4:-1]  # min(min(a, b), c) is min(a, b, c)
        return f"{node.op}({left}, {_expression(node.right)[0]})", _ATOM
    rank = _RANK[node.op]
    chained = rank == _RANK["<"]  # Python would read a < b < c as a chain
    return f"{_at_least(node.left, rank + chained)} {node.op} {_at_least(node.right, rank + 1)}", rank


def _at_least(node: Expression, rank: int) -> str:
    text, own = _expression(node)
    return text if own >= rank else f"({text})"
