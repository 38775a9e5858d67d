"""The machine in C and the one in Python are one machine; it loses nobody, idles never, and knows tasks by no name."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from tests.arenas.cpu_rows import made, mixed_rows
from tests.arenas.programs import expression
from trainers.arenas.classics import classics
from trainers.arenas.cpu_scheduling.form import FORM, TICK, VISIBLE
from trainers.arenas.cpu_scheduling.kind import KIND
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.policy.parse import parse
from trainers.policy.tree import Component
from trainers.workloads.format import Workload
from trainers.workloads.jobs import Row


@pytest.fixture(scope="module")
def fast() -> Iterator[Evaluator]:
    with Evaluator(KIND.name, engine="wasm") as running:
        yield running


@pytest.fixture(scope="module")
def slow() -> Evaluator:
    return Evaluator(KIND.name, engine="reference")


def outcome(running: Evaluator, component: Component, workload: Workload, cpus: int) -> tuple[dict[str, int], int]:
    running.load(workload)
    found = running.run(component, workload.id, cpus)
    assert isinstance(found, Counters), found
    return dict(found.values), found.digest


def random_component(rng: random.Random) -> Component:
    text = ""
    for function in FORM.functions.values():
        names = ", ".join(feature.name for feature in function.features)
        test, yes, no = (expression(rng, function, 2) for _ in range(3))
        text += f"def {function.name}({names}):\n    if {test} > {rng.choice((0, 1, 500))}:\n        return {yes}\n"
        text += f"    return {no}\n"
    return parse(text, FORM)


def crossed(rng: random.Random) -> Component:
    """Return one function of each classic: the programs that search meets most."""
    parents = list(classics(KIND.name).values())
    child = rng.choice(parents)
    for name in FORM.functions:
        given = rng.choice(parents).functions.get(name)
        child = child.with_function(given) if given else child
    return child


@pytest.mark.parametrize("make", [random_component, crossed])
def test_wasm_and_reference_give_equal_counters(
    make: Callable[[random.Random], Component], fast: Evaluator, slow: Evaluator
) -> None:
    rng = random.Random(make.__name__)
    for _ in range(20):
        workload, component, cpus = made(mixed_rows(rng)), make(rng), rng.randint(1, 4)
        assert outcome(fast, component, workload, cpus) == outcome(slow, component, workload, cpus)


def test_every_feature_has_the_same_value_in_both(fast: Evaluator, slow: Evaluator) -> None:
    """Each feature alone decides in turn, so a wrong value shows in who is seated."""
    rng = random.Random(5)
    workload = made(mixed_rows(rng, 40))
    for function in FORM.functions.values():
        for feature in function.features:
            name = feature.name
            text = {
                "run_score": f"def run_score({name}):\n    return {name} * 7919 % 1009\n",
                "slice": f"def slice({name}):\n    return {name} % 7\n",
            }.get(function.name, f"def {function.name}({name}, reg):\n    return reg * 3 + {name} % 1000\n")
            if function.name != "run_score":
                text += "def run_score(reg, min_reg, mean_reg):\n    return (reg - min_reg) * 5 % 97 + mean_reg % 3\n"
            component = parse(text.replace("(reg, reg)", "(reg)"), FORM)
            assert outcome(fast, component, workload, 2) == outcome(slow, component, workload, 2), (function.name, name)


def test_a_slice_of_rows_is_run_cold_and_from_its_first_row(fast: Evaluator, slow: Evaluator) -> None:
    rng = random.Random(8)
    rows = mixed_rows(rng, 100)
    whole, start = made(rows), len(rows) // 3
    fast.load(whole)
    part = fast.run(classics(KIND.name)["cfs"], whole.id, 2, start=start)
    assert isinstance(part, Counters)
    first = rows[start][0]
    alone = made([(time - first, *rest) for time, *rest in rows[start:]])  # type: ignore[misc]
    assert (dict(part.values), part.digest) == outcome(slow, classics(KIND.name)["cfs"], alone, 2)


def test_renaming_tasks_and_sources_changes_nothing(fast: Evaluator) -> None:
    rng = random.Random(9)
    for component in classics(KIND.name).values():
        rows = mixed_rows(rng)
        tasks, sources = ([*range(50)] for _ in range(2))
        rng.shuffle(tasks)
        rng.shuffle(sources)
        renamed = [(time, tasks[task], sources[source], *rest) for time, task, source, *rest in rows]
        assert outcome(fast, component, made(rows), 2) == outcome(fast, component, made(renamed), 2)


def test_a_policy_looks_at_no_more_than_the_bound_and_nobody_outside_is_lost(fast: Evaluator, slow: Evaluator) -> None:
    """The longest task runs first, among those inside only; n_run never exceeds the bound."""
    count = VISIBLE + 44
    rows: list[Row] = [(0, number, 0, 16, 0, 10 + number) for number in range(count)]
    component = parse(
        f"def run_score(n_run, wait):\n    return wait if n_run <= {VISIBLE} else 0 - wait\n"
        "def slice():\n    return 1000\n",
        FORM,
    )
    both = [outcome(running, component, made(rows), 1) for running in (fast, slow)]
    assert both[0] == both[1]
    assert both[0][0]["bursts"] == count


def test_all_work_is_done_as_soon_as_it_can_be_on_one_cpu(fast: Evaluator) -> None:
    """Work conserving: with a switch for each job and no preemption the CPU is done at the same time for any order."""
    rows: list[Row] = [(0, number, 0, 16, 0, 37 * (number + 1)) for number in range(20)]
    total = sum(row[-1] + 20 for row in rows)
    for score in ("since_wake", "0", "used", "0 - now"):
        names = "since_wake, used, now"
        text = f"def run_score({names}):\n    return {score}\ndef slice():\n    return 1000\n"
        counters, _ = outcome(fast, parse(text, FORM), made(rows), 1)
        assert counters["switches"] == len(rows)
        last = [total - 20 - row[-1] for row in rows]
        assert counters["longest_wait"] in last, "the job that is seated last has waited for all the others"


@pytest.mark.parametrize("value", [(1 << 63) - 1, -(1 << 63) + 1, 0])
def test_extreme_results_are_clamped(value: int, fast: Evaluator, slow: Evaluator) -> None:
    workload = made(mixed_rows(random.Random(4)))
    text = "".join(f"def {name}():\n    return {value}\n" for name in FORM.functions if name != "run_score")
    component = parse(text + "def run_score(reg, mean_reg):\n    return reg + mean_reg\n", FORM)
    for cpus in (1, 4):
        assert outcome(fast, component, workload, cpus) == outcome(slow, component, workload, cpus)


def test_a_candidate_that_thrashes_stays_within_its_fuel_and_the_clock(fast: Evaluator) -> None:
    """The worst that a policy can do is to switch every tick; it still ends, with everything served."""
    rows: list[Row] = [(0, number, 0, 16, 0, 20 * TICK) for number in range(VISIBLE)]
    text = "def run_score(used, now):\n    return (now * 31 + used * 17) * 2654435761 % 1000003\n"
    text += "def slice():\n    return 1\n"
    counters, _ = outcome(fast, parse(text, FORM), made(rows), 1)
    assert counters["bursts"] == VISIBLE


def test_fuel_ends_what_costs_too_much() -> None:
    workload = made(mixed_rows(random.Random(6)))
    with Evaluator(KIND.name, engine="wasm", fuel_per_step_max=1) as starved:
        starved.load(workload)
        found = starved.run(classics(KIND.name)["cfs"], workload.id, 1)
    if isinstance(found, Counters):
        pytest.fail("a hundred thousand and some instructions cannot be enough")
    assert isinstance(found, Failure)
    assert found.reason == "fuel"
