"""The reference interpreter: a component as plain Python functions.

Slow, and the truth that WebAssembly and C are compared with; it also runs components where wasmtime has no
wheel. Each expression becomes a closure over (features by slot, locals by name), so that a tree is walked
once and not once a call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from trainers.policy.arithmetic import BINARY_MEANING, UNARY_MEANING, clamp
from trainers.policy.kind import Form, Function
from trainers.policy.parse import complete
from trainers.policy.tree import (
    Act,
    Assign,
    Binary,
    Component,
    Conditional,
    Const,
    Expression,
    Name,
    Return,
    Statement,
    Unary,
)

__all__ = ["interpret"]

_Value: TypeAlias = Callable[[Sequence[int], dict[str, int]], int]
_Run: TypeAlias = Callable[[Sequence[int], dict[str, int]], int | None]  # None: went on without returning


def interpret(component: Component) -> Mapping[str, Callable[[Sequence[int]], int]]:
    """Return every function of the form as ``features by slot -> integer``."""
    whole = complete(component)
    return {
        name: _function(_block(function.body, component.form, component.form.functions[name]))
        for name, function in whole.functions.items()
    }


def _function(run: _Run) -> Callable[[Sequence[int]], int]:
    def call(features: Sequence[int]) -> int:
        value = run(features, {})
        if value is None:  # the checker proved that every path returns
            raise AssertionError
        return value

    return call


def _block(body: tuple[Statement, ...], form: Form, function: Function) -> _Run:
    steps = [_statement(statement, form, function) for statement in body]

    def run(features: Sequence[int], own: dict[str, int]) -> int | None:
        for step in steps:
            value = step(features, own)
            if value is not None:
                return value
        return None

    return run


def _statement(statement: Statement, form: Form, function: Function) -> _Run:
    if isinstance(statement, Return):
        return _value(statement.value, form, function)
    if isinstance(statement, Assign):
        name, value = statement.name, _value(statement.value, form, function)

        def assign(features: Sequence[int], own: dict[str, int]) -> None:
            own[name] = value(features, own)

        return assign
    test = _value(statement.test, form, function)
    body, orelse = _block(statement.body, form, function), _block(statement.orelse, form, function)
    return lambda features, own: body(features, own) if test(features, own) else orelse(features, own)


def _value(node: Expression, form: Form, function: Function) -> _Value:
    match node:
        case Const(constant):
            return lambda _features, _own: constant
        case Name(name):
            feature = function.feature(name)
            if feature is None:
                return lambda _features, own: own[name]
            slot = feature.slot
            return lambda features, _own: features[slot]
        case Unary(op, operand):
            meaning1, inner = UNARY_MEANING[op], _value(operand, form, function)
            return lambda features, own: meaning1(inner(features, own))
        case Binary(op, left, right):
            meaning2, a, b = BINARY_MEANING[op], _value(left, form, function), _value(right, form, function)
            return lambda features, own: meaning2(a(features, own), b(features, own))
        case Conditional(test, then, otherwise):
            c, a, b = (_value(part, form, function) for part in (test, then, otherwise))
            return lambda features, own: a(features, own) if c(features, own) else b(features, own)
        case Act(action, arguments):
            return _action(action, [_value(argument, form, function) for argument in arguments], form)


def _action(name: str, arguments: list[_Value], form: Form) -> _Value:
    action = form.actions[name]
    places = [
        (value, low, high, shift) for value, (_, low, high, shift) in zip(arguments, action.arguments, strict=True)
    ]

    def act(features: Sequence[int], own: dict[str, int]) -> int:
        code = action.code << 16
        for value, low, high, shift in places:
            code |= clamp(value(features, own), low, high) << shift
        return code

    return act
