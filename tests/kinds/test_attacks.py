"""Components that try to exploit the arena are caught, or proven harmless: for every kind.

::

    overflow, extremes   what a function returns is clamped: the run ends, above the bound, as the interpreter's does
    constants            all ties: the machine's own order decides, which no name has a part in
    the edge of fuel     the largest program ends or is out of fuel, twice the same; one instruction less is too little
    names                no feature tells one page, task or stream from another: renaming changes nothing
    the trace by heart   gains what it remembers on the train part, and nothing on the hidden part
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from trainers.arenas import evaluator as evaluation
from trainers.arenas.evaluate import bundled, classics
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.arenas.kind import Kind
from trainers.arenas.page_replacement.kind import KIND as PAGES
from trainers.policy import Component, canonical, parse
from trainers.policy.arithmetic import INT64_MAX, INT64_MIN
from trainers.policy.kind import Function
from trainers.policy.tree import DEPTH_MAX, NODES_MAX, size
from trainers.search.variation import mutate
from trainers.trials import Subject, tried
from trainers.workloads.format import Workload, workload
from trainers.workloads.renaming import renamed
from trainers.yardstick import Yardstick

ROWS = 250
CONSTANTS = (INT64_MIN, INT64_MIN + 1, -1, 0, 1, 1 << 31, 1 << 40, INT64_MAX)


def returning(kind: Kind, value: str) -> Component:
    """Return a component of which every function returns ``value``, a number or the arguments of an action."""
    functions = kind.form.functions.values()
    texts = (f"def {function.name}():\n    return {_result(kind, function, value)}\n" for function in functions)
    return parse("\n".join(texts), kind.form)


def _result(kind: Kind, function: Function, value: str) -> str:
    if not function.actions:
        return value
    action = kind.form.actions[function.actions[0]]
    return f"{action.name}({', '.join(value for _ in action.arguments)})"


def overflowing(kind: Kind) -> Iterator[Component]:
    """Yield components whose results wrap around, over and over."""
    for function in kind.form.functions.values():
        for feature in function.features:
            powers = f"{feature.name} * {INT64_MAX} * {feature.name} - {INT64_MAX} * 3"
            text = f"def {function.name}({feature.name}):\n    return {_result(kind, function, powers)}\n"
            yield parse(text, kind.form)


def harmless(kind: Kind, evaluator: Evaluator, reference: Evaluator, attack: Component, made: Workload) -> None:
    """Hold a run to the reference interpreter and to the bound, with other names too."""
    evaluator.load(made)
    reference.load(made)
    found = evaluator.run(attack, made.id, made.capacity, stop=ROWS)
    truth = reference.run(attack, made.id, made.capacity, stop=ROWS)
    assert isinstance(found, Counters), found
    assert isinstance(truth, Counters)
    assert (found.values, found.digest) == (truth.values, truth.digest)
    assert all(value >= 0 for value in found.values.values())
    unit, bound = (
        evaluator.baseline(name, made.id, made.capacity, stop=ROWS).values for name in (kind.baseline, kind.bound)
    )
    assert kind.value(found.values, unit) >= kind.value(bound, unit)
    if other := renamed(made):
        evaluator.load(other)
        again = evaluator.run(attack, other.id, other.capacity, stop=ROWS)
        assert isinstance(again, Counters)
        assert (again.values, again.digest) == (found.values, found.digest)


def test_constants_are_harmless(kind: Kind, evaluator: Evaluator, reference: Evaluator) -> None:
    made = bundled(kind.name)[0]
    for value in CONSTANTS:
        text = str(value) if value > INT64_MIN else f"{value + 1} - 1"
        harmless(kind, evaluator, reference, returning(kind, text), made)


def test_overflow_is_harmless(kind: Kind, evaluator: Evaluator, reference: Evaluator) -> None:
    made = bundled(kind.name)[-1]
    attacks = list(overflowing(kind))
    for attack in random.Random(1).sample(attacks, min(len(attacks), 24)):
        harmless(kind, evaluator, reference, attack, made)


def test_names_are_nobody_s_business(kind: Kind, evaluator: Evaluator, reference: Evaluator) -> None:
    rng = random.Random(2)
    programs = list(classics(kind.name).values())
    for made in bundled(kind.name)[:4]:
        harmless(kind, evaluator, reference, mutate(rng.choice(programs), kind.form, rng), made)


def largest(kind: Kind) -> Component:
    """Return about the largest program there may be: divisions as deep and as many as the language admits."""
    functions = list(kind.form.functions.values())
    share = (NODES_MAX - 40) // len(functions)
    texts = []
    for function in functions:
        name = function.features[0].name
        lines, cost = [f"def {function.name}({name}):", f"    x = {name}"], 2
        while cost + DEPTH_MAX < share:
            terms = " // ".join(["x", *[f"({name} + {step})" for step in range(1, DEPTH_MAX // 6)]])
            lines.append(f"    x = {terms} % 1000003")
            cost += 4 * (DEPTH_MAX // 6)
        texts.append("\n".join([*lines, f"    return {_result(kind, function, 'x')}"]))
    return parse("\n\n".join(texts) + "\n", kind.form)


def test_the_largest_program_ends_or_is_out_of_fuel_and_twice_the_same(kind: Kind, evaluator: Evaluator) -> None:
    made, attack = bundled(kind.name)[0], largest(kind)
    assert size(attack) > NODES_MAX * 0.6
    evaluator.load(made)
    first, second = (evaluator.run(attack, made.id, made.capacity, stop=ROWS) for _ in range(2))
    assert first == second
    assert isinstance(first, Counters) or first.reason == "fuel"


def test_the_end_of_fuel_is_the_same_twice_and_never_another_result(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, program = bundled(kind.name)[0], next(iter(classics(kind.name).values()))
    with Evaluator(kind.name, engine="wasm") as plenty:
        plenty.load(made)
        needed = plenty.run(program, made.id, made.capacity, stop=ROWS)
    assert isinstance(needed, Counters)
    ended = []
    with Evaluator(kind.name, engine="wasm", fuel_per_step_max=0) as exact:
        exact.load(made)
        for fuel in (needed.fuel, needed.fuel - 1, needed.fuel - 100, needed.fuel // 2, needed.fuel):
            monkeypatch.setattr(evaluation, "FUEL_TO_START", fuel)
            first, second = (exact.run(program, made.id, made.capacity, stop=ROWS) for _ in range(2))
            assert first == second
            if isinstance(first, Counters):  # fuel is looked at where loops and functions begin, not in between
                assert (first.values, first.digest) == (needed.values, needed.digest)
            ended.append(first.reason if isinstance(first, Failure) else "counted")
    assert (ended[0], ended[2:]) == ("counted", ["fuel", "fuel", "counted"])


def recency(seed: int, part: str) -> Workload:
    """Return requests that LRU is made for: a page of the last few, and of them rather the last."""
    rng, stack, pages = random.Random(seed), list(range(200)), []
    for _ in range(1500):
        page = stack.pop(min(int(rng.expovariate(1 / 18)), len(stack) - 1))
        stack.insert(0, page)
        pages.append(page)
    return workload("shop", pages, part=part, capacity=30)


def by_heart(exceptions: list[int]) -> Component:
    """Return LRU with a clock (misses) in its register, which does otherwise at the misses that it remembers."""
    known = " or ".join(f"register == {miss}" for miss in exceptions) or "0"
    return parse(
        f"def on_insert(register):\n    return tail(0, 0) if {known} else head(0, 0)\n\n"
        "def on_hit(mark):\n    return head(0, mark)\n\ndef adapt(register):\n    return register + 1\n",
        PAGES.form,
    )


def test_a_trace_learnt_by_heart_gains_on_the_train_part_and_is_rejected_for_the_hidden_part() -> None:
    train, hidden = recency(1, "train"), recency(2, "hidden")
    with Evaluator(PAGES.name, engine="wasm") as running:
        running.load(train)

        def misses(exceptions: list[int]) -> int:
            outcome = running.run(by_heart(exceptions), train.id, train.capacity)
            assert isinstance(outcome, Counters)
            return outcome.values["misses"]

        known: list[int] = []
        plain = least = misses(known)
        for miss in range(30, 250):
            if len(known) == 30:
                break
            if (now := misses([*known, miss])) < least:
                known, least = [*known, miss], now
        assert least < plain - 10, "it has learnt something"
        subject = Subject(
            kind=PAGES, source=canonical(by_heart(known)), evaluator=running, yardstick=Yardstick(running),
            train=[train], hidden=[hidden],
        )  # fmt: skip
        told = {trial.name: outcome for trial, outcome in tried(subject)}
    assert told["useful"].outcome == "failed", told["useful"]
