"""Variants are well-typed programs of the language, and differ from their parents."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from trainers.arenas.page_replacement.kind import FORM
from trainers.policy import Component, Unit, canonical, parse
from trainers.policy.simplify import idle_functions
from trainers.policy.tree import COMPARISONS, Binary, Name, children, size, walk
from trainers.search.population import Fitness, Individual
from trainers.search.units import find_node, replace_node, sites, unit_of
from trainers.search.variation import FUNCTION_NODES_MAX, crossover, mutate

NOT_ADDED = {Unit.INDEX, Unit.RATE}


def descendants(parent: Component, generations: int, rng: random.Random) -> list[Component]:
    line = [parent]
    for _ in range(generations):
        line.append(mutate(line[-1], FORM, rng))
    return line[1:]


@pytest.mark.parametrize("name", ["lru", "s3-fifo", "arc"])
def test_generations_of_mutants_stay_in_the_language_and_within_the_size(
    classics: Mapping[str, Component], name: str
) -> None:
    for mutant in descendants(classics[name], 60, random.Random(3)):
        assert parse(canonical(mutant), FORM) == mutant
        changed = [f for key, f in mutant.functions.items() if f != classics[name].functions.get(key)]
        assert all(size(function) <= FUNCTION_NODES_MAX for function in changed)


def test_mutation_changes_the_source(classics: Mapping[str, Component]) -> None:
    rng = random.Random(5)
    same = sum(canonical(mutate(classics["arc"], FORM, rng)) == canonical(classics["arc"]) for _ in range(100))
    assert same < 5


def test_mutation_adds_and_compares_only_what_has_a_common_measure(classics: Mapping[str, Component]) -> None:
    for mutant in descendants(classics["lru"], 200, random.Random(11)):
        for name, function in mutant.functions.items():
            declared = FORM.functions[name]
            for node in walk(function):
                if isinstance(node, Binary) and (node.op in COMPARISONS or node.op in ("+", "-", "min", "max")):
                    units = {unit_of(side, declared) for side in (node.left, node.right)} - {None, Unit.FREE}
                    assert len(units) < 2 or not units & NOT_ADDED, canonical(mutant)


def test_mutation_leaves_an_idle_function_nearly_always_alone(classics: Mapping[str, Component]) -> None:
    parent = classics["lru"]
    assert idle_functions(parent) == {"adapt"}
    rng = random.Random(2)
    touched = sum("adapt" in mutate(parent, FORM, rng).functions for _ in range(200))
    assert 0 < touched < 30


def test_a_childs_functions_come_whole_from_one_parent_or_the_other(classics: Mapping[str, Component]) -> None:
    rng = random.Random(1)
    both = set()
    for _ in range(40):
        child, taken = crossover(classics["s3-fifo"], classics["arc"], rng)
        assert taken
        for name, function in child.functions.items():
            source = classics["arc" if name in taken else "s3-fifo"]
            assert function == source.functions[name]
        both.add(taken)
    assert len(both) > 5


def test_a_node_is_found_and_replaced_where_its_site_says(classics: Mapping[str, Component]) -> None:
    for component in classics.values():
        for function in component.functions.values():
            for site in sites(FORM, function):
                assert find_node(function, site.path) is site.node
                assert replace_node(function, site.path, site.node) == function


def test_sites_are_all_nodes_of_a_function(classics: Mapping[str, Component]) -> None:
    for function in classics["arc"].functions.values():
        assert len(sites(FORM, function)) == size(function) == sum(1 + 0 * len(children(n)) for n in walk(function))


def test_the_same_seed_gives_the_same_mutants(classics: Mapping[str, Component]) -> None:
    first, second = (descendants(classics["2q"], 30, random.Random(9)) for _ in range(2))
    assert [canonical(component) for component in first] == [canonical(component) for component in second]
    assert first[-1] != classics["2q"]


def test_an_individual_keeps_its_score_beside_its_merit(classics: Mapping[str, Component]) -> None:
    individual = Individual(classics["lru"], "id", Fitness(0.5, 1), 10, 0.495, "seed", ())
    assert (individual.score, individual.merit) == (0.5, 0.495)
    assert isinstance(next(iter(walk(Name("x")))), Name)
