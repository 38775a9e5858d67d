"""Leads, ratios and local search of constants: what a form with scores may ask of search beyond mutation."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from trainers.arenas.classics import classics
from trainers.arenas.io_scheduling.form import FORM
from trainers.policy import Unit, canonical, component_id, parse
from trainers.policy.kind import Growth
from trainers.policy.source import expression_source, function_source
from trainers.policy.tree import Binary, Component, Conditional, Const, Name, Node, walk
from trainers.search.grow import Grower
from trainers.search.island import Island
from trainers.search.population import Fitness
from trainers.search.scores import lead, split, surcharge, weigh
from trainers.search.settings import Settings
from trainers.search.tuning import tune
from trainers.search.units import Site, replace_node, sites

SCORE = FORM.functions["pick_score"]
ASPTF = classics("io_scheduling")["asptf"]
WAY = {Name("write"), Name("last_write")}


def whole(component: Component) -> Site:
    """Return the place of all that pick_score returns."""
    return next(site for site in sites(FORM, component.functions["pick_score"]) if site.wanted is Unit.FREE)


def with_score(component: Component, score: Node) -> str:
    """Return the canonical source with another score."""
    function = replace_node(component.functions["pick_score"], whole(component).path, score)
    return canonical(parse(function_source(FORM, function), FORM))


def with_part(component: Component, site: Site, part: Node) -> str:
    """Return the canonical source with another part of the score."""
    return canonical(
        parse(function_source(FORM, replace_node(component.functions["pick_score"], site.path, part)), FORM)
    )


def constants(component: Component) -> list[int]:
    return [
        node.value
        for function in component.functions.values()
        for site in sites(FORM, function)
        for node in (site.node,)
        if isinstance(node, Const)
    ]


def test_a_lead_is_added_to_the_whole_score_often_for_going_the_way_that_the_channel_went() -> None:
    rng, ways = random.Random(1), 0
    for _ in range(200):
        given = lead(whole(ASPTF), Grower(FORM, SCORE, rng))
        assert isinstance(given, Binary)
        assert given.left == whole(ASPTF).node
        assert isinstance(given.right, Conditional)
        assert given.right.otherwise == Const(0)
        parse(with_score(ASPTF, given), FORM)
        test = given.right.test
        ways += isinstance(test, Binary) and {test.left, test.right} == WAY
    assert ways > 25


def test_no_part_of_a_score_gets_a_lead() -> None:
    grower = Grower(FORM, SCORE, random.Random(1))
    parts = [site for site in sites(FORM, ASPTF.functions["pick_score"]) if len(site.path) > 2]
    assert parts
    assert [lead(site, grower) for site in parts] == [None] * len(parts)


def test_a_difference_becomes_a_ratio_and_a_ratio_a_difference() -> None:
    rng = random.Random(2)
    ratio = weigh(whole(ASPTF), Grower(FORM, SCORE, rng))
    assert isinstance(ratio, Binary)
    assert (ratio.op, ratio.right) == ("//", Name("cost"))
    back = parse(with_score(ASPTF, ratio), FORM)
    difference = weigh(whole(back), Grower(FORM, SCORE, rng))
    assert isinstance(difference, Binary)
    assert (difference.op, difference.right) == ("-", Name("cost"))


def test_a_lead_becomes_a_surcharge_on_whoever_does_not_have_it() -> None:
    """What is added for going on the same way is charged below the line for turning round."""
    led = parse(
        "def pick_score(wait, cost, write, last_write):\n"
        "    return wait // 32 - cost + (256 if write == last_write else 0)\n",
        FORM,
    )
    ratio = weigh(whole(led), Grower(FORM, SCORE, random.Random(2)))
    assert isinstance(ratio, Binary)
    assert ratio.op == "//"
    assert expression_source(ratio.right) == "cost + (0 if write == last_write else 256)"


def test_a_surcharge_is_added_where_a_time_is_read_and_to_nothing_else() -> None:
    component = parse("def pick_score(wait, cost, len):\n    return wait // 32 - cost if len > 32 else wait\n", FORM)
    grower = Grower(FORM, SCORE, random.Random(8))
    raised = {}
    for site in sites(FORM, component.functions["pick_score"]):
        more = surcharge(site, grower)
        if more is not None:
            assert isinstance(more, Binary)
            assert (more.op, more.left) == ("+", site.node)
            assert max(node.value for node in walk(more.right) if isinstance(node, Const)) >= 1 << 6
            raised[site.node] = with_part(component, site, more)
    assert set(raised) == {Name("wait"), Name("cost")}


def test_a_constant_is_split_by_a_test_and_stays_where_it_fails() -> None:
    grower = Grower(FORM, SCORE, random.Random(9))
    tests = set()
    for _ in range(200):
        for site in sites(FORM, ASPTF.functions["pick_score"]):
            two = split(site, grower)
            if two is None:
                assert site.node != Const(32)
                continue
            assert isinstance(two, Conditional)
            assert isinstance(two.then, Const)
            assert two.otherwise == Const(32)
            assert 8 <= two.then.value <= 128
            with_part(ASPTF, site, two)
            tests.add(expression_source(two.test))
    assert set(FORM.growth.tests) < tests, "the form's own, and others"


def test_small_constants_are_not_split() -> None:
    component = parse("def pick_score(wait):\n    return wait * 7\n", FORM)
    grower = Grower(FORM, SCORE, random.Random(10))
    assert {split(site, grower) for site in sites(FORM, component.functions["pick_score"])} == {None}


@pytest.mark.parametrize("score", ["wait", "wait - 5", "wait // 8", "wait + cost"])
def test_what_weighs_no_two_measures_is_passed_by(score: str) -> None:
    names = ", ".join(name for name in ("wait", "cost") if name in score)
    component = parse(f"def pick_score({names}):\n    return {score}\n", FORM)
    assert weigh(whole(component), Grower(FORM, SCORE, random.Random(3))) is None


def test_tuning_moves_constants_near_and_nothing_else() -> None:
    rng = random.Random(4)
    found = [constants(tune(ASPTF, FORM, rng)) for _ in range(100)]
    assert all(len(values) == 1 for values in found), "wait // N - cost"
    met = {values[0] for values in found}
    assert len(met) > 12
    assert all(32 // 4**3 <= value <= 32 * 4**3 for value in met)


def test_a_program_without_constants_is_left_alone() -> None:
    sptf = classics("io_scheduling")["sptf"]
    assert tune(sptf, FORM, random.Random(5)) == sptf


def test_times_are_compared_with_constants_of_the_forms_size() -> None:
    def drawn(growth: Growth) -> list[int]:
        grower = Grower(replace(FORM, growth=growth), SCORE, random.Random(6))
        return [grower.constant(Unit.TIME).value for _ in range(300)]

    assert max(drawn(Growth())) == 1 << 12
    wide = drawn(Growth(time_bits=(6, 18)))
    assert (min(wide), max(wide)) == (1 << 6, 1 << 18)


def test_an_island_tunes_as_often_as_its_form_says() -> None:
    """With a share of one, and no crossover, nothing but constants ever changes."""
    always = replace(FORM, growth=Growth(tune_share=1.0))
    settings, rng = Settings(crossover_share=0), random.Random(7)
    island = Island(always, [ASPTF], lambda component: Fitness(0.5, hash(component_id(component))), rng, settings)
    island.run(30)
    assert len(island.population) > 1
    for member in island.population:  # a constant may reach 0 or 1, and what it weighed falls out
        nodes = list(walk(whole(member.component).node))
        assert len(nodes) <= len(list(walk(whole(ASPTF).node)))
        assert {node.name for node in nodes if isinstance(node, Name)} <= {"wait", "cost"}
