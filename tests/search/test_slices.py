"""What is climbed and what the choice goes by: cold slices and an unseen third, or the whole and other capacities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluator import Evaluator
from trainers.arenas.page_replacement.kind import KIND as PAGES
from trainers.arenas.registry import register
from trainers.policy import Component
from trainers.search.objective import Mean, Objective
from trainers.search.slices import SliceObjective, climb, measures, probe
from trainers.workloads.format import Workload, workload

SLEEP = register("tests.kinds.disk_sleep")  # says nothing of how it is searched
GAPS = next(found for found in bundled(SLEEP.name) if found.part == "train")

Asked = list[tuple[int, int, int]]


def noting(evaluator: Evaluator, rows: Workload, asked: Asked) -> SliceObjective:
    """Objectives as a study makes them, and a note of each."""

    def objective(capacity: int, start: int, stop: int) -> Objective:
        asked.append((capacity, start, stop))
        return Objective(evaluator, evaluator.kind, rows.id, capacity, start=start, stop=stop)

    return objective


def test_three_cold_slices_are_climbed_and_the_choice_sees_the_rest_for_the_first_time() -> None:
    climbed: Asked = []
    chosen_by: Asked = []
    with Evaluator(SLEEP.name) as evaluator:
        evaluator.load(GAPS)
        parts = climb(noting(evaluator, GAPS, climbed), GAPS).parts
        assert list(measures(noting(evaluator, GAPS, chosen_by), GAPS)) == ["unseen third", "whole"]
    starts, stops = [start for _, start, _ in climbed], [stop for _, _, stop in climbed]
    assert len(parts) == len(climbed) == SLEEP.climb_slices == 3
    assert starts == [0, *stops[:-1]]
    assert stops[-1] == pytest.approx(GAPS.rows * 2 / 3, rel=0.05)
    assert chosen_by == [(GAPS.capacity, stops[-1], GAPS.rows), (GAPS.capacity, 0, GAPS.rows)]


def test_pages_are_climbed_in_one_run_and_chosen_at_capacities_around(loop: Workload, evaluator: Evaluator) -> None:
    asked: Asked = []
    rows = replace(loop, capacity=35)
    climb(noting(evaluator, rows, asked), rows)
    assert asked == [(35, 0, 1440)]
    asked.clear()
    chosen_by = measures(noting(evaluator, rows, asked), rows)
    assert asked == [(capacity, 0, 1440) for capacity in (35, 24, 31, 38, 49)]
    assert list(chosen_by) == ["whole", *(f"whole at {percent} % of the capacity" for percent in (70, 90, 110, 140))]


def test_a_capacity_around_stays_within_what_the_kind_has(evaluator: Evaluator) -> None:
    tiny = workload("tiny", [*range(5), *range(5)], capacity=1)
    evaluator.load(tiny)
    asked: Asked = []
    measures(noting(evaluator, tiny, asked), tiny)
    assert {capacity for capacity, _, _ in asked} == {1}


def test_a_mean_of_runs_is_of_their_scores_and_counts_all_of_them(
    classics: Mapping[str, Component], loop: Workload, evaluator: Evaluator
) -> None:
    mean = Mean([Objective(evaluator, PAGES, loop.id, capacity) for capacity in (20, 30)])
    fitness = mean(classics["s3-fifo"])
    parts = [part(classics["s3-fifo"]) for part in mean.parts]
    assert fitness is not None
    assert fitness.score == pytest.approx(sum(part.score for part in parts if part) / 2)
    assert fitness.counters["requests"] == 2 * loop.rows
    assert fitness.score > 0.1
    lru = mean(classics["lru"])
    assert lru is not None
    assert lru.score == 0.0
    assert lru.digest != fitness.digest


def test_a_probe_of_pages_has_a_cache_in_proportion_so_that_it_fills(
    classics: Mapping[str, Component], evaluator: Evaluator
) -> None:
    asked: Asked = []
    rows = workload("halves", [*[page % 40 for page in range(240)], *range(100, 460)], capacity=100)
    evaluator.load(rows)
    tell = probe(noting(evaluator, rows, asked), rows)
    assert tell is not None
    one, other = tell(classics["lru"]), tell(classics["bip"])
    assert one is not None
    assert other is not None
    assert one.digest != other.digest
    assert asked == [(25, 200, 300)], "a hundred rows: 40 pages of a loop and 60 new ones, of 400: a quarter"
