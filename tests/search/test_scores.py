"""Forms with scores and shared registers: what grows in them, and what the search need not evaluate."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from trainers.arenas.classics import classics
from trainers.arenas.evaluator import Evaluator
from trainers.arenas.io_scheduling.form import FORM
from trainers.arenas.io_scheduling.kind import KIND
from trainers.policy import Component, Unit, interpret, parse
from trainers.policy.simplify import idle_functions, simplify
from trainers.policy.tree import Binary, Conditional, Const, Name, walk
from trainers.search.grow import Grower
from trainers.search.island import Island
from trainers.search.objective import Objective
from trainers.search.population import Fitness
from trainers.search.settings import Settings
from trainers.search.slices import probe
from trainers.workloads.format import workload
from trainers.workloads.generate_io import generate

SCORE = FORM.functions["pick_score"]


def test_a_score_grows_of_measures_of_every_unit_ratios_and_bonuses() -> None:
    rng = random.Random(1)
    grown = [Grower(FORM, SCORE, rng).grow(Unit.FREE, 2) for _ in range(600)]
    shapes: Counter[str] = Counter()
    for expression in grown:
        for node in walk(expression):
            if isinstance(node, Name):
                feature = SCORE.feature(node.name)
                assert feature is not None
                shapes[feature.unit] += 1
        if isinstance(expression, Binary) and expression.op == "//" and not isinstance(expression.right, Const):
            shapes["ratio"] += 1
        if isinstance(expression, Conditional) and expression.otherwise == Const(0):
            shapes["bonus"] += 1
    for shape in (Unit.TIME, Unit.SIZE, Unit.COUNT, Unit.FREE, "ratio", "bonus"):
        assert shapes[shape] > 20, shapes


def test_names_are_compared_with_names() -> None:
    """Whether a request goes the way that the channel went last is one comparison."""
    rng = random.Random(2)
    tests = [Grower(FORM, SCORE, rng).test(1) for _ in range(2000)]
    pairs = {
        (test.left, test.right)
        for test in tests
        if isinstance(test, Binary) and {type(test.left), type(test.right)} == {Name}
    }
    assert (Name("write"), Name("last_write")) in pairs or (Name("last_write"), Name("write")) in pairs


@pytest.mark.parametrize(
    ("source", "idle"),
    [
        ("def pick_score(wait):\n    return wait\n", {"on_stream", "on_serve", "next0", "next1"}),
        ("def pick_score(sreg):\n    return sreg\n", {"next0", "next1"}),
        ("def pick_score(min_sreg):\n    return min_sreg\n", {"next0", "next1"}),
        (
            "def next0(g1):\n    return g1 + 1\ndef next1(g0):\n    return g0\n",
            {"on_stream", "on_serve", "next0", "next1"},
        ),
        ("def pick_score(g0):\n    return g0\ndef next0(g1):\n    return g1 + 1\n", {"on_stream", "on_serve"}),
        ("def pick_score(g0):\n    return g0\ndef next0(sreg):\n    return sreg\n", {"next1"}),
    ],
)
def test_idle_is_what_feeds_nothing_that_has_an_effect(source: str, idle: set[str]) -> None:
    assert idle_functions(parse(source, FORM)) == idle


def test_what_is_idle_is_dropped_and_what_feeds_the_score_is_kept() -> None:
    kept = simplify(parse("def pick_score(sreg):\n    return sreg\ndef on_serve(len):\n    return len\n", FORM))
    assert set(kept.functions) == {"pick_score", "on_serve"}
    dropped = simplify(parse("def pick_score(wait):\n    return wait\ndef on_serve(len):\n    return len\n", FORM))
    assert set(dropped.functions) == {"pick_score"}


def answers(component: Component) -> tuple[int, ...]:
    """Return what the score says of a few requests."""
    rng = random.Random(7)
    score = interpret(component)["pick_score"]
    return tuple(score([rng.randint(0, 2000) for _ in SCORE.features]) for _ in range(6))


def order(component: Component) -> int:
    """Return the digest of a behaviour: the order in which the score puts them."""
    given = answers(component)
    return hash(tuple(sorted(range(len(given)), key=given.__getitem__)))


def evaluate(component: Component) -> Fitness:
    return Fitness(0.5, order(component))


def reads(component: Component, name: str) -> bool:
    return any(node == Name(name) for node in walk(component.functions["pick_score"].body[0]))


def test_with_a_probe_the_same_evaluations_meet_more_behaviours() -> None:
    seeds = [parse("def pick_score(wait, cost):\n    return wait // 32 - cost\n", FORM)]
    met = {}
    for name, tell in (("blind", None), ("probing", evaluate)):
        seen: list[int] = []

        def counted(component: Component, seen: list[int] = seen) -> Fitness:
            seen.append(order(component))
            return evaluate(component)

        island = Island(FORM, seeds, counted, random.Random(3), probe=tell)
        island.run(150)
        assert len(seen) == island.evaluations == 150
        assert island.probes == 0 if tell is None else island.probes <= 149 * (Settings().probes_max)
        met[name] = len(set(seen))
    assert met["probing"] > 1.2 * met["blind"], met


def test_what_fails_the_probe_is_still_evaluated() -> None:
    seeds = [parse("def pick_score(wait):\n    return wait\n", FORM)]
    island = Island(FORM, seeds, evaluate, random.Random(1), probe=lambda _component: None)
    island.run(20)
    assert (island.evaluations, island.probes) == (20, 19)


def test_what_is_far_behind_the_best_on_the_probe_is_not_evaluated() -> None:
    """Whoever forgets the wait is hopeless here: with a margin hardly one of them is evaluated, without many are."""
    seeds = [parse("def pick_score(wait, cost):\n    return wait // 32 - cost\n", FORM)]

    def judge(component: Component) -> Fitness:
        return Fitness(0.5 if reads(component, "wait") else 0.1, order(component))

    hopeless = {}
    for margin in (None, 0.5, 0.3):
        settings = Settings(probes_max=16, probe_margin=margin)
        evaluated: list[Component] = []

        def counted(component: Component, evaluated: list[Component] = evaluated) -> Fitness:
            evaluated.append(component)
            return judge(component)

        island = Island(FORM, seeds, counted, random.Random(3), settings, probe=judge)
        island.run(150)
        assert len(evaluated) == 150
        hopeless[margin] = sum(not reads(component, "wait") for component in evaluated)
    assert hopeless[None] == hopeless[0.5] > 20, "all are within half of the gap"
    assert hopeless[0.3] < hopeless[None] / 4


def test_a_probe_runs_a_few_rows_and_tells_classics_apart() -> None:
    made = workload("zipf", generate("zipf", 1, 4, 1200), kind="io_scheduling", capacity=4)
    asked = []
    with Evaluator("io_scheduling") as evaluator:
        evaluator.load(made)

        def objective(capacity: int, start: int, stop: int) -> Objective:
            asked.append((start, stop))
            return Objective(evaluator, KIND, made.id, capacity, start=start, stop=stop)

        tell = probe(objective, made)
        assert tell is not None
        told = [tell(component) for component in classics("io_scheduling").values()]
    assert asked == [(400, 600)]
    assert None not in told
    assert len({fitness.digest for fitness in told if fitness}) >= 7
