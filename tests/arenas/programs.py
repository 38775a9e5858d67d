"""Random programs of any kind's form: nonsense over every feature, and children of the classics."""

from __future__ import annotations

import random

from trainers.arenas.classics import classics
from trainers.policy.kind import Form, Function
from trainers.policy.parse import parse
from trainers.policy.tree import Component

__all__ = ["crossed", "expression", "random_component"]


def expression(rng: random.Random, function: Function, depth: int) -> str:
    """Return a random integer expression over everything that the function sees."""
    if depth == 0 or rng.random() < 0.2:
        constant = rng.choice((0, 1, 2, 3, 10, 255, 1024, 1 << 31, (1 << 63) - 1))
        return rng.choice((rng.choice(function.features).name, str(constant)))
    left, right = (expression(rng, function, depth - 1) for _ in range(2))
    operator = rng.choice(("+", "-", "*", "//", "%", "<", ">=", "=="))
    if operator in ("<", ">=", "=="):
        return f"(1 if {left} {operator} {right} else 0)"
    return rng.choice((f"({left} {operator} {right})", f"min({left}, {right})", f"max({left}, {right})"))


def _outcome(form: Form, rng: random.Random, function: Function, depth: int) -> str:
    if not function.actions:
        return expression(rng, function, depth)
    action = rng.choice(function.actions)
    arguments = [expression(rng, function, depth) for _ in form.actions[action].arguments]
    return f"{action}({', '.join(arguments)})"


def random_component(form: Form, rng: random.Random) -> Component:
    """Return a program that gives every function of the form, each a random choice between two results."""
    text = ""
    for function in form.functions.values():
        names = ", ".join(feature.name for feature in function.features)
        test = expression(rng, function, 2)
        yes, no = (_outcome(form, rng, function, 2) for _ in range(2))
        text += f"def {function.name}({names}):\n"
        text += f"    if {test} > {rng.choice((0, 1, 5))}:\n        return {yes}\n    return {no}\n"
    return parse(text, form)


def crossed(form: Form, rng: random.Random) -> Component:
    """Return one function of each classic: the programs that search meets most."""
    parents = list(classics(form.kind).values())
    child = rng.choice(parents)
    for name in form.functions:
        given = rng.choice(parents).functions.get(name)
        child = child.with_function(given) if given else child
    return child
