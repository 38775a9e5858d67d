"""A form made for tests, with features of all 64 bits, and random programs in it."""

from __future__ import annotations

import random
from types import MappingProxyType

import pytest

from trainers.policy import Action, Component, Feature, Form, Function, Unit
from trainers.policy.arithmetic import INT64_MAX, INT64_MIN
from trainers.policy.tree import (
    BINARY,
    UNARY,
    Act,
    Assign,
    Binary,
    Conditional,
    Const,
    Expression,
    FunctionDef,
    If,
    Name,
    Return,
    Statement,
    Unary,
    always_returns,
    depth,
)

_WIDE = tuple(Feature(name, Unit.FREE, INT64_MIN, INT64_MAX, "any 64 bits", slot) for slot, name in enumerate("abc"))
_NARROW = (
    Feature("register", Unit.FREE, -1000, 1000, "what adapt returned last", 3),
    Feature("mark", Unit.FREE, 0, 255, "the policy's own note", 4),
    Feature("queue", Unit.INDEX, 0, 3, "one of four", 5),
    Feature("age", Unit.TIME, 0, 1 << 40, "requests since then", 6),
)
_ACTIONS = (
    Action("head", 0, (("queue", 0, 3, 8), ("mark", 0, 255, 0))),
    Action("keep", 2, (("mark", 0, 255, 0),)),
    Action("evict", 3, ()),
)
_FUNCTIONS = (
    Function("decide", _WIDE + _NARROW, ("head", "keep", "evict"), "def decide():\n    return evict()\n", "what to do"),
    Function("count", _WIDE + _NARROW, (), "def count():\n    return 0\n", "how many", high=9),
    Function(
        "adapt",
        _WIDE + _NARROW,
        (),
        "def adapt(register):\n    return register\n",
        "new register",
        writes=("register",),
    ),
)
FORM = Form(
    kind="test",
    name="small",
    functions=MappingProxyType({function.name: function for function in _FUNCTIONS}),
    actions=MappingProxyType({action.name: action for action in _ACTIONS}),
    features_at=128,
    own_marks=("mark",),
)
EXTREMES = (
    INT64_MIN,
    INT64_MIN + 1,
    -(1 << 31),
    -1,
    0,
    1,
    2,
    3,
    63,
    64,
    255,
    1 << 31,
    1 << 32,
    INT64_MAX - 1,
    INT64_MAX,
)


class ProgramMaker:
    """Well-formed random components; the same seed gives the same one."""

    form = FORM

    def component(self, seed: int) -> Component:
        """Return a component of all three functions."""
        rng = random.Random(seed)
        return Component(FORM, {name: self._function(name, rng) for name in FORM.functions})

    def inputs(self, seed: int, count: int) -> list[list[int]]:
        """Return rows of features by slot within their declared bounds, extremes first."""
        rng = random.Random(seed)
        rows = [[feature.low for feature in _WIDE + _NARROW], [feature.high for feature in _WIDE + _NARROW]]
        while len(rows) < count:
            row = []
            for feature in _WIDE + _NARROW:
                near = rng.choice(EXTREMES) if rng.random() < 0.7 else rng.randint(-40, 40)
                inside = feature.low <= near <= feature.high
                row.append(
                    near if inside else rng.choice((feature.low, feature.high, rng.randint(feature.low, feature.high)))
                )
            rows.append(row)
        return rows

    def _function(self, name: str, rng: random.Random) -> FunctionDef:
        while True:
            readable = [feature.name for feature in _WIDE + _NARROW]
            function = FunctionDef(name, self._block(name, readable, rng, 3, must_return=True))
            if depth(function) <= 40:
                return function

    def _block(
        self, name: str, readable: list[str], rng: random.Random, levels: int, *, must_return: bool
    ) -> tuple[Statement, ...]:
        body: list[Statement] = []
        readable = list(readable)
        for _ in range(rng.randint(0 if must_return else 1, 2)):
            if levels and rng.random() < 0.5:
                nested = rng.random() < 0.3
                then = self._block(name, readable, rng, levels - 1, must_return=nested)
                ways: list[tuple[Statement, ...]] = [
                    (),
                    self._block(name, readable, rng, levels - 1, must_return=False),
                ]
                body.append(If(self._value(readable, rng, 3), then, rng.choice(ways)))
                if always_returns(tuple(body)):
                    return tuple(body)
            else:
                local = rng.choice(("x", "int", "min_s64"))
                body.append(Assign(local, self._value(readable, rng, 4)))
                readable.append(local)
        if must_return:
            body.append(Return(self._returned(name, readable, rng, 3)))
        return tuple(body)

    def _returned(self, name: str, readable: list[str], rng: random.Random, levels: int) -> Expression:
        allowed = FORM.functions[name].actions
        if not allowed:
            return self._value(readable, rng, 5)
        if levels and rng.random() < 0.4:
            then, otherwise = (self._returned(name, readable, rng, levels - 1) for _ in range(2))
            return Conditional(self._value(readable, rng, 3), then, otherwise)
        action = FORM.actions[rng.choice(allowed)]
        return Act(action.name, tuple(self._value(readable, rng, 3) for _ in action.arguments))

    def _value(self, readable: list[str], rng: random.Random, levels: int) -> Expression:
        kind = rng.random()
        if not levels or kind < 0.2:
            if rng.random() < 0.6:
                return Name(rng.choice(readable))
            return Const(rng.choice(EXTREMES) if rng.random() < 0.5 else rng.randint(-8, 70))
        if kind < 0.35:
            op = rng.choice(UNARY)
            operand = self._value(readable, rng, levels - 1)
            return operand if op == "-" and isinstance(operand, Const) else Unary(op, operand)
        if kind < 0.5:
            test, then, otherwise = (self._value(readable, rng, levels - 1) for _ in range(3))
            return Conditional(test, then, otherwise)
        left, right = (self._value(readable, rng, levels - 1) for _ in range(2))
        return Binary(rng.choice(BINARY), left, right)


@pytest.fixture(scope="session")
def programs() -> ProgramMaker:
    return ProgramMaker()
