"""The arena in C and the reference in Python are one machine: equal counters for any program on any trace."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.arenas.programs import crossed, random_component
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.page_replacement.kind import FORM
from trainers.policy.kind import Form
from trainers.policy.parse import parse
from trainers.policy.tree import Component
from trainers.workloads.format import Workload

Trace = Callable[[random.Random], Workload]


@pytest.mark.parametrize("make", [random_component, crossed])
def test_wasm_and_reference_give_equal_counters(
    make: Callable[[Form, random.Random], Component], evaluator: Evaluator, reference: Evaluator, trace: Trace
) -> None:
    rng = random.Random(make.__name__)
    for _ in range(60):
        made = trace(rng)
        evaluator.load(made)
        reference.load(made)
        component, capacity = make(FORM, rng), rng.randint(1, made.size + 1)
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
