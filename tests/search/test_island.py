"""An island improves on its seeds, deterministically, within its bounds, and says who helped."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
import pytest

from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.arenas.page_replacement.kind import FORM, KIND
from trainers.policy import Component, PolicyError, canonical, component_id, parse
from trainers.search.final import choose
from trainers.search.island import Island
from trainers.search.objective import Mean, Objective, gap_closed
from trainers.search.patterns import Pattern, ablate, graft
from trainers.search.population import Fitness, Individual, Population
from trainers.search.settings import Settings
from trainers.workloads.format import Workload

HASHED = """
import hashlib, random
from trainers.arenas.page_replacement.kind import FORM
from trainers.policy import component_id, parse
from trainers.search.island import Island
from trainers.search.population import Fitness

def evaluate(component):
    number = int(component_id(component)[:8], 16)
    return Fitness(number / 2**32, number % 50)

seed = parse("def on_hit(mark):\\n    return keep(min(mark + 1, 3))\\n", FORM)
island = Island(FORM, [seed], evaluate, random.Random(1))
island.run(120)
print(hashlib.sha256("".join(island.known).encode()).hexdigest())
"""
Evaluate = Callable[[Component], Fitness | None]


def island(seeds: list[Component], evaluate: Evaluate, seed: int = 1, settings: Settings | None = None) -> Island:
    return Island(FORM, seeds, evaluate, random.Random(seed), settings)


def test_the_same_seed_gives_the_same_individuals_twice(classics: Mapping[str, Component], answers: Evaluate) -> None:
    histories = []
    for _ in range(2):
        here = island([classics["lru"], classics["clock"]], answers)
        here.run(120)
        here.adopt(classics["arc"], "peer")
        here.run(30)
        histories.append((list(here.known), [member.id for member in here.population]))
    assert histories[0] == histories[1]
    assert len(histories[0][0]) == 151


def test_the_order_in_which_python_hashes_strings_changes_nothing(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(HASHED)
    digests = {
        subprocess.run(
            [sys.executable, script],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[2])},
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop()) == 65


def test_another_seed_gives_other_individuals(classics: Mapping[str, Component], answers: Evaluate) -> None:
    one, other = (island([classics["lru"]], answers, seed) for seed in (1, 2))
    one.run(30)
    other.run(30)
    assert list(one.known) != list(other.known)


def test_every_step_spends_one_evaluation_on_new_source(classics: Mapping[str, Component], answers: Evaluate) -> None:
    asked: list[str] = []

    def counting(component: Component) -> Fitness | None:
        asked.append(component_id(component))
        return answers(component)

    here = island([classics["lru"], classics["lru"], classics["fifo"]], counting)
    for number in range(1, 101):
        here.step()
        assert here.evaluations == len(asked) == number
    assert len(set(asked)) == 100


def test_the_population_never_exceeds_its_bound_and_keeps_the_best(
    classics: Mapping[str, Component], answers: Evaluate
) -> None:
    here = island([classics["clock"]], answers, settings=Settings(population_max=12))
    for _ in range(150):
        here.step()
        assert len(here.population) <= 12
    assert len(here.population) == 12
    assert here.best is not None
    assert here.population.best().merit == here.best.merit


def test_search_climbs_a_pure_objective(classics: Mapping[str, Component], answers: Evaluate) -> None:
    here = island([classics["lru"]], answers)
    here.run(600)
    assert here.best is not None
    assert here.seeds[0].score < 0.01
    assert here.best.score > 0.69


def test_a_behavioural_duplicate_is_inserted_with_the_same_score(classics: Mapping[str, Component]) -> None:
    here = island([classics["lru"]], lambda _: Fitness(0.25, 7))
    here.run(20)
    assert len(here.population) == 20
    assert {member.score for member in here.population} == {0.25}
    assert len(here.finalists(10)) == 1


def test_no_behaviour_takes_over_a_full_population(classics: Mapping[str, Component]) -> None:
    population, rng = Population(20, 4), random.Random(1)
    for number in range(20):
        population.insert(Individual(classics["lru"], str(number), Fitness(0.1, number), 5, 0.1, "seed", ()), rng)
    for number in range(200):
        population.insert(Individual(classics["lru"], f"d{number}", Fitness(0.9, 99), 5, 0.9, "mutation", ()), rng)
        assert len(population) == 20
    assert sum(member.fitness.digest == 99 for member in population) == 2


def test_a_candidate_that_fails_is_counted_and_does_not_enter(classics: Mapping[str, Component]) -> None:
    good = component_id(classics["lru"])
    here = island([classics["lru"]], lambda c: Fitness(0.0, 0) if component_id(c) == good else None)
    here.run(10)
    assert here.evaluations == 10
    assert [member.id for member in here.population] == [good]
    assert sum(ancestor.score is None for ancestor in here.known.values()) == 9


def test_an_island_whose_seeds_all_fail_looks_near_them_and_still_spends_its_budget(
    classics: Mapping[str, Component],
) -> None:
    asked: list[Component] = []
    here = island([classics["lru"]], asked.append)
    here.run(5)
    assert (here.evaluations, here.best, len(set(asked))) == (5, None, 5)


def test_an_adopted_component_is_evaluated_here_and_once(classics: Mapping[str, Component], answers: Evaluate) -> None:
    asked: list[str] = []

    def counting(component: Component) -> Fitness | None:
        asked.append(component_id(component))
        return answers(component)

    here = island([classics["lru"]], counting)
    here.run(5)
    adopted = here.adopt(classics["clock"], "AI_Node_2")
    assert asked[-1] == component_id(classics["clock"])
    assert adopted is not None
    assert (adopted.origin, adopted.fitness) == ("AI_Node_2", answers(classics["clock"]))
    assert here.adopt(classics["clock"], "AI_Node_3") is None
    assert len(asked) == here.evaluations == 6


def test_a_new_best_credits_the_peers_whose_functions_are_in_it(
    classics: Mapping[str, Component], answers: Evaluate
) -> None:
    here = island([classics["lru"]], answers, seed=3)
    here.run(3)
    gift = parse("def on_hit(mark):\n    return keep(min(mark + 2, 8))\n", FORM)
    adopted = here.adopt(gift, "AI_Node_2")
    assert adopted is here.best
    here.run(200)
    name = component_id(gift)
    assert here.uses[name] > 1
    assert here.gains[name] > 0
    assert here.best is not None
    assert name in here.lineage(here.best.id)


def test_a_function_that_the_island_has_already_is_not_put_to_a_peers_credit(
    classics: Mapping[str, Component], answers: Evaluate
) -> None:
    here = island([classics["lru"]], answers)
    here.step()
    adopted = here.adopt(classics["clock"], "AI_Node_2")
    assert adopted is not None
    assert set(adopted.credits) == {"on_hit", "on_scan"}  # on_insert and pick_queue are LRU's too


def test_an_import_that_never_led_to_a_best_earns_no_credit(
    classics: Mapping[str, Component], answers: Evaluate
) -> None:
    here = island([classics["clock"]], answers)
    here.step()
    worse = classics["clock"].with_function(classics["lru"].functions["on_hit"])
    adopted = here.adopt(worse, "AI_Node_2")
    assert adopted is not None
    assert here.best is here.seeds[0]
    here.run(100)
    assert here.best is not here.seeds[0]
    assert (here.uses.total(), here.gains) == (0, {})


def test_ancestors_are_kept_when_they_have_left_the_population(
    classics: Mapping[str, Component], answers: Evaluate
) -> None:
    here = island([classics["lru"], classics["fifo"]], answers, settings=Settings(population_max=8))
    here.run(200)
    members = {member.id for member in here.population}
    lines = {name: here.lineage(name) for name in members}
    assert all("seed" in {here.known[name].origin for name in line} for line in lines.values())
    assert any(set(line) - members for line in lines.values())


def test_known_sources_and_behaviours_are_bounded(classics: Mapping[str, Component], answers: Evaluate) -> None:
    def probe(component: Component) -> Fitness:
        return Fitness(0.0, int(component_id(component), 16))

    here = Island(FORM, [classics["lru"]], answers, random.Random(1), Settings(known_max=30), probe)
    here.run(60)
    assert len(here.known) == 30
    assert here.probes > 40
    assert len(here.behaviours) == 30


def test_an_island_with_a_bar_on_its_probe_goes_on_where_it_stood(
    classics: Mapping[str, Component], answers: Evaluate
) -> None:
    def fresh(seed: int) -> Island:
        settings = Settings(probe_margin=0.05)
        return Island(FORM, [classics["lru"]], answers, random.Random(seed), settings, answers)

    through, first, second = fresh(1), fresh(1), fresh(2)
    through.run(120)
    first.run(60)
    second.resume(orjson.loads(orjson.dumps(first.state())))
    second.known.resume(first.known.added, first.known.since(0))
    second.behaviours.resume(first.behaviours.added, first.behaviours.since(0))
    second.run(60)
    assert second.state() == through.state()
    assert through.probes > 120


def test_an_island_without_seeds_is_refused(answers: Evaluate) -> None:
    with pytest.raises(ValueError, match="at least one seed"):
        island([], answers)


def test_ablation_finds_what_a_component_cannot_do_without(answers: Evaluate) -> None:
    here = island([parse("def on_hit(mark):\n    return keep(min(mark + 2, 9))\n", FORM)], answers)
    here.step()
    assert here.best is not None
    spent = []

    def counting(component: Component) -> Fitness | None:
        spent.append(component)
        return answers(component)

    patterns = ablate(here.best, counting, gain_min=1e-9, rng=random.Random(1))
    assert any("min(mark + 2, 9)" in pattern.source for pattern in patterns)
    assert all(pattern.gain >= 1e-9 for pattern in patterns)
    assert 0 < len(spent) <= 24


def test_ablation_keeps_to_its_budget(classics: Mapping[str, Component], answers: Evaluate) -> None:
    here = island([classics["arc"]], answers)
    here.step()
    assert here.best is not None
    spent = []

    def counting(component: Component) -> Fitness | None:
        spent.append(component)
        return answers(component)

    ablate(here.best, counting, evaluations_max=5, rng=random.Random(1))
    assert 0 < len(spent) <= 5


def test_a_pattern_is_grafted_where_its_type_fits_and_its_use_is_counted(answers: Evaluate) -> None:
    pattern = Pattern("on_hit", "min(mark + 2, 9)", "free", 0.1)
    start = parse("def on_hit(mark):\n    return keep(mark + 200)\n", FORM)
    grafted = graft(pattern, start, random.Random(4))
    assert grafted is not None
    assert "min(mark + 2, 9)" in canonical(grafted)
    here = island([start], answers, settings=Settings(graft_share=0.5))
    here.adopt_pattern(pattern)
    here.run(60)
    assert here.best is not None
    assert here.uses[pattern.id] >= 1
    assert here.gains[pattern.id] > 0


def test_a_pattern_outside_of_the_language_is_refused(classics: Mapping[str, Component], answers: Evaluate) -> None:
    hostile = Pattern("on_hit", "__import__('os')", "free", 1.0)
    with pytest.raises(PolicyError):
        graft(hostile, classics["lru"], random.Random(1))
    with pytest.raises(PolicyError):
        island([classics["lru"]], answers).adopt_pattern(hostile)


def test_gap_closed_is_0_at_the_baseline_1_at_the_bound_and_0_without_room() -> None:
    assert [gap_closed(value, 100, 60) for value in (100, 60, 80, 120)] == [0.0, 1.0, 0.5, -0.5]
    assert gap_closed(100, 100, 100) == 0.0


def test_search_improves_on_its_seeds_on_real_counters(
    classics: Mapping[str, Component], loop: Workload, evaluator: Evaluator
) -> None:
    objective = Objective(evaluator, KIND, loop.id, loop.capacity)
    here = island([classics["lru"], classics["clock"]], objective)
    here.run(60)
    assert here.best is not None
    assert here.best.score > max(seed.score for seed in here.seeds) + 0.1
    assert here.best.fitness.counters["requests"] == loop.rows


def test_a_candidate_that_fails_one_slice_has_no_score(classics: Mapping[str, Component]) -> None:
    class Failing:
        def run(self, *_: object, start: int = 0, **__: object) -> Counters | Failure:
            return Failure("fuel", "too long") if start else Counters({"requests": 10, "misses": 5}, 1, 1)

        def baseline(self, name: str, *_: object, **__: object) -> Counters:
            return Counters({"requests": 10, "misses": 8 if name == "lru" else 2}, 0, 0)

    first, second = (Objective(Failing(), KIND, "w", 3, start=start) for start in (0, 10))
    whole = Mean([first])(classics["lru"])
    assert whole is not None
    assert whole.score == 0.5
    assert Mean([first, second])(classics["lru"]) is None


def test_the_final_choice_is_by_measures_that_search_did_not_climb(classics: Mapping[str, Component]) -> None:
    learned_by_heart = Individual(classics["arc"], "a", Fitness(0.9, 1), 20, 0.9, "mutation", ())
    honest = Individual(classics["lru"], "b", Fitness(0.5, 2), 5, 0.5, "seed", ())
    scores = {"arc": -0.4, "lru": 0.3}

    def held_out(component: Component) -> Fitness | None:
        return Fitness(scores["arc" if component == classics["arc"] else "lru"], 0)

    choice = choose([learned_by_heart, honest, honest], {"held out": (1.0, held_out)})
    assert choice.individual is honest
    assert (choice.evidence, choice.mean, choice.candidates) == ({"held out": 0.3}, 0.3, 2)


def test_of_equals_the_smaller_is_chosen_and_a_failing_one_never(classics: Mapping[str, Component]) -> None:
    large = Individual(classics["arc"], "a", Fitness(0.9, 1), 20, 0.9, "mutation", ())
    small = Individual(classics["fifo"], "b", Fitness(0.5, 2), 5, 0.5, "seed", ())
    assert choose([large, small], {"m": (1.0, lambda _: Fitness(0.1, 0))}).individual is small
    only_large = choose([small, large], {"m": (1.0, lambda c: Fitness(0, 0) if c == classics["arc"] else None)})
    assert only_large.individual is large
    with pytest.raises(ValueError, match="no candidate"):
        choose([small], {"m": (1.0, lambda _: None)})
