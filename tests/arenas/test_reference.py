"""The arena in C and the reference in Python are one machine: equal counters for any program on any trace."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from trainers.arenas.evaluate import classics
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.page_replacement.kind import FORM
from trainers.policy.kind import Function
from trainers.policy.parse import parse
from trainers.policy.tree import Component
from trainers.workloads.format import Workload

Trace = Callable[[random.Random], Workload]


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


def outcome(rng: random.Random, function: Function, depth: int) -> str:
    if not function.actions:
        return expression(rng, function, depth)
    action = rng.choice(function.actions)
    arguments = [expression(rng, function, depth) for _ in FORM.actions[action].arguments]
    return f"{action}({', '.join(arguments)})"


def random_component(rng: random.Random) -> Component:
    text = ""
    for function in FORM.functions.values():
        names = ", ".join(feature.name for feature in function.features)
        test = expression(rng, function, 2)
        yes, no = (outcome(rng, function, 2) for _ in range(2))
        text += f"def {function.name}({names}):\n"
        text += f"    if {test} > {rng.choice((0, 1, 5))}:\n        return {yes}\n    return {no}\n"
    return parse(text, FORM)


def crossed(rng: random.Random) -> Component:
    """Return one function of each classic: the programs that search meets most."""
    parents = list(classics("page_replacement").values())
    child = rng.choice(parents)
    for name in FORM.functions:
        given = rng.choice(parents).functions.get(name)
        child = child.with_function(given) if given else child
    return child


@pytest.mark.parametrize("make", [random_component, crossed])
def test_wasm_and_reference_give_equal_counters(
    make: Callable[[random.Random], Component], evaluator: Evaluator, reference: Evaluator, trace: Trace
) -> None:
    rng = random.Random(make.__name__)
    for _ in range(60):
        made = trace(rng)
        evaluator.load(made)
        reference.load(made)
        component, capacity = make(rng), rng.randint(1, made.size + 1)
        fast = evaluator.run(component, made.id, capacity)
        slow = reference.run(component, made.id, capacity)
        assert isinstance(fast, Counters)
        assert isinstance(slow, Counters)
        assert (fast.values, fast.digest) == (slow.values, slow.digest)


def test_every_feature_has_the_same_value_in_both(evaluator: Evaluator, reference: Evaluator, trace: Trace) -> None:
    """Each feature alone decides in turn, so a wrong value shows in the evictions."""
    rng = random.Random(5)
    made = trace(rng)
    evaluator.load(made)
    reference.load(made)
    for function in FORM.functions.values():
        for feature in function.features:
            name = feature.name
            text = {
                "on_insert": f"def on_insert({name}):\n    return head({name} % 3, {name})\n",
                "on_hit": f"def on_hit({name}):\n    return head({name} % 3, {name}) if {name} % 2 else keep({name})\n",
                "pick_queue": f"def pick_queue({name}):\n    return {name} % 4\n",
                "on_scan": f"def on_scan({name}):\n    return keep(0) if {name} % 2 else evict()\n",
                "adapt": f"def adapt({name}, register):\n    return register * 3 + {name}\n",
            }[function.name]
            if function.name != "on_insert":
                text += "def on_insert(register, chance):\n    return head((register + chance) % 4, register)\n"
            component = parse(text, FORM)
            for capacity in (3, max(1, made.size // 3)):
                fast = evaluator.run(component, made.id, capacity)
                slow = reference.run(component, made.id, capacity)
                assert isinstance(fast, Counters)
                assert isinstance(slow, Counters)
                assert (fast.values["misses"], fast.digest) == (slow.values["misses"], slow.digest), (
                    function.name,
                    name,
                )
