"""Random expressions of a wanted type: small ones often, large ones seldom.

A measure is a feature of its unit, a feature scaled by a constant, the sum, difference, smaller or larger of
two of its kind, or a choice between two. A test compares two of a kind, or a measure with a plausible
constant. Times, sizes and counts are also compared with multiples of each other (an age in requests against
a capacity in pages says how many times the cache could have turned over), but never added. A score, which is only
compared with other scores, is of any of these, a ratio of two, or a bonus for what passes a test.
"""

from __future__ import annotations

import random

from trainers.policy.kind import Feature, Form, Function, Unit
from trainers.policy.tree import Act, Binary, Conditional, Const, Expression, Name, Unary
from trainers.search.units import Place, Wanted, argument_unit

__all__ = ["COMPARABLE", "Grower"]

COMPARABLE = {
    Unit.TIME: (Unit.SIZE, Unit.TIME),
    Unit.SIZE: (Unit.TIME, Unit.COUNT),
    Unit.COUNT: (Unit.SIZE, Unit.COUNT),
}
_NOTE_SHARE = 0.2  # of what goes into a mark or a register: a time, a size or a count to remember
_NAMES_SHARE = 0.5  # of tests of a name: against another, where there is one
_SCALES = (2, 2, 3, 4, 5, 8, 10, 16)
_SCORE_SHARE = 0.8  # of what goes into a score
_RATIO_SHARE = 0.2  # of those, where there is room for it
_BONUS_SHARE = 0.3
_RATIO_SCALES = (16, 64, 256, 1024)  # a ratio of integers needs digits after the point


class Grower:
    """Grows expressions for one function of a form."""

    def __init__(self, form: Form, function: Function, rng: random.Random) -> None:
        self.form = form
        self.function = function
        self.rng = rng
        # A score is only compared with others of its kind: any measure will do, and so will a ratio of two.
        self.is_score = function.unit is Unit.FREE and not function.actions and not function.writes
        self.by_unit: dict[Unit, list[Feature]] = {}
        for feature in function.features:
            self.by_unit.setdefault(feature.unit, []).append(feature)

    def grow(self, wanted: Wanted, levels: int) -> Expression:
        """Return an expression for a place, at most ``levels`` operators deep."""
        if wanted is Place.TEST:
            return self.test(levels)
        if wanted is Place.ACTION:
            return self.action(levels)
        if wanted is Unit.FREE and self.rng.random() < (_SCORE_SHARE if self.is_score else _NOTE_SHARE):
            return self.anything(levels)
        if isinstance(wanted, Unit):
            return self.measure(wanted, levels)
        raise TypeError(wanted)

    def anything(self, levels: int) -> Expression:
        """Return a measure of any unit but a name; for a score also a ratio of two, or a bonus under a condition."""
        rng = self.rng
        units = [unit for unit in self.by_unit if unit is not Unit.INDEX]
        unit = rng.choice(units)
        kind = rng.random() if self.is_score and levels > 0 else 1.0
        if kind < _RATIO_SHARE:
            scaled = Binary("*", self.measure(unit, levels - 1), Const(rng.choice(_RATIO_SCALES)))
            return Binary("//", scaled, self.measure(rng.choice(units), levels - 1))
        if kind < _RATIO_SHARE + _BONUS_SHARE:
            return Conditional(self.test(1), Const(1 << rng.randint(3, 16)), Const(0))
        return self.measure(unit, levels)

    def test(self, levels: int) -> Expression:
        """Return a comparison, or two of them joined."""
        rng = self.rng
        if levels > 1 and rng.random() < 0.2:
            return Binary(rng.choice(("and", "or")), self.test(levels - 1), self.test(levels - 1))
        units = [unit for unit, features in self.by_unit.items() for _ in features[:3]]
        unit = rng.choice(units)
        if unit is Unit.INDEX:
            op, one = rng.choice(("==", "!=")), self.feature(unit)
            others = [Name(feature.name) for feature in self.by_unit[unit] if Name(feature.name) != one]
            other = rng.choice(others) if others and rng.random() < _NAMES_SHARE else self.constant(unit)
            return Binary(op, one, other)
        left = self.measure(unit, levels - 1)
        if isinstance(left, Const):
            left = self.feature(unit)
        return Binary(rng.choice(("<", ">", "<=", ">=", ">", "==")), left, self.other_side(unit, levels - 1))

    def other_side(self, unit: Unit, levels: int) -> Expression:
        """Return something that a measure of ``unit`` is worth comparing with."""
        rng = self.rng
        if unit in (Unit.RATE, Unit.FREE) or rng.random() < 0.3:
            return self.constant(unit)
        others = [other for other in COMPARABLE.get(unit, ()) if other in self.by_unit]
        if others and rng.random() < 0.5:
            return self.scaled(self.feature(rng.choice(others)))
        return self.measure(unit, levels)

    def action(self, levels: int) -> Expression:
        """Return an action that the function may take, or a choice between two."""
        if levels > 0 and self.rng.random() < 0.25:
            return Conditional(self.test(1), self.action(levels - 1), self.action(levels - 1))
        action = self.form.actions[self.rng.choice(self.function.actions)]
        arguments = [self.argument(name, low, high) for name, low, high, _ in action.arguments]
        return Act(action.name, tuple(arguments))

    def argument(self, name: str, low: int, high: int) -> Expression:
        """Return an action's argument: a small constant, or the feature it echoes, moved by one."""
        rng = self.rng
        if self.function.feature(name) and rng.random() < 0.4:
            echo = Name(name)
            return rng.choice((echo, echo, Binary("+", echo, Const(1)), Binary("-", echo, Const(1))))
        if argument_unit(self.form, name) is Unit.INDEX:
            return Const(rng.randint(low, min(high, low + 2)))
        return Const(rng.choice((low, low, low + 1, low + 2, low + 3, rng.randint(low, high))))

    def measure(self, unit: Unit, levels: int) -> Expression:
        """Return an expression of one unit."""
        rng = self.rng
        if unit is Unit.INDEX:
            return self.index(levels)
        if levels <= 0 or rng.random() < 0.5:
            return self.feature(unit) if unit in self.by_unit and rng.random() < 0.8 else self.constant(unit)
        kind = rng.random()
        if kind < 0.4:
            return self.scaled(self.measure(unit, levels - 1))
        if kind < 0.8:
            op = rng.choice(("+", "-", "min", "max"))
            return Binary(op, self.measure(unit, levels - 1), self.measure(unit, levels - 1))
        if kind < 0.9 or unit is not Unit.FREE:
            return Conditional(self.test(levels - 1), self.measure(unit, levels - 1), self.measure(unit, levels - 1))
        return Unary("ilog2", self.feature(rng.choice(list(self.by_unit))))  # what has no unit may note any magnitude

    def index(self, levels: int) -> Expression:
        """Return one of the small numbers that name a queue: a choice, or a constant."""
        if levels > 0 and self.rng.random() < 0.5:
            return Conditional(self.test(levels - 1), self.index(levels - 1), self.index(levels - 1))
        features = self.by_unit.get(Unit.INDEX)
        if features and self.rng.random() < 0.2:
            return Name(self.rng.choice(features).name)
        return self.constant(Unit.INDEX)

    def feature(self, unit: Unit) -> Expression:
        """Return a feature of that unit; a constant where the function sees none."""
        features = self.by_unit.get(unit)
        return Name(self.rng.choice(features).name) if features else self.constant(unit)

    def scaled(self, node: Expression) -> Expression:
        """Return the node times or divided by a small number, or both."""
        rng = self.rng
        if isinstance(node, Const) or rng.random() < 0.2:
            return node
        if rng.random() < 0.25:
            return Binary("//", Binary("*", node, Const(rng.choice((2, 3, 5, 7, 9)))), Const(rng.choice(_SCALES)))
        return Binary(rng.choice(("*", "//")), node, Const(rng.choice(_SCALES)))

    def constant(self, unit: Unit) -> Const:
        """Return a constant that is plausible for the unit."""
        rng = self.rng
        if unit is Unit.INDEX:
            return Const(rng.choice((0, 0, 1, 1, 2, 3)))
        if unit is Unit.RATE:
            return Const(rng.choice((32, 64, 128, 256, 512, 768, rng.randint(0, 1024))))
        if unit is Unit.COUNT:
            return Const(rng.choice((0, 1, 1, 2, 2, 3, 4, 8)))
        if unit is Unit.TIME and self.form.growth.time_bits:
            return Const(1 << rng.randint(*self.form.growth.time_bits))
        if unit in (Unit.TIME, Unit.SIZE):
            return Const(rng.choice((0, 1, 2, 4, 1 << rng.randint(3, 12))))
        return Const(rng.choice((0, 0, 1, 1, 2, 3, rng.randint(0, 16), 1 << rng.randint(3, 10))))
