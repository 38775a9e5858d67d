"""Stress: a kind's harder rows are climbed and chosen by as well, and a kind without them goes without."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trainers.arenas.cpu_scheduling.kind import BURST, KIND, SLEEP, SPAN_MAX, TIME, WIDTH
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluator import Evaluator
from trainers.search.objective import Objective
from trainers.search.slices import SliceObjective, climb, measures, stressed
from trainers.workloads.format import Workload, workload

LOAD = next(found for found in bundled(KIND.name) if (found.name, found.part) == ("shop", "train"))


def column(words: Workload, place: int) -> list[int]:
    return list(words.words[place::WIDTH])


def test_the_hard_rows_ask_for_a_quarter_more_and_keep_everything_else() -> None:
    hard = stressed(LOAD)
    assert hard is not None
    assert (hard.rows, hard.size, hard.capacity, hard.part) == (LOAD.rows, LOAD.size, LOAD.capacity, LOAD.part)
    work, span = (sum(column(hard, BURST)) / sum(column(LOAD, BURST)), column(hard, TIME)[-1] / column(LOAD, TIME)[-1])
    assert work / span == pytest.approx(1.25, rel=0.01)
    for place in set(range(WIDTH)) - {TIME, SLEEP, BURST}:
        assert column(hard, place) == column(LOAD, place)


def test_kinds_without_stress_and_rows_at_the_limit_go_without() -> None:
    assert stressed(bundled("page_replacement")[0]) is None
    assert stressed(workload("w", [(0, 0, 0, 16, 0, SPAN_MAX)], kind=KIND.name)) is None


def test_one_more_slice_is_climbed_and_one_more_measure_counts_half() -> None:
    hard = stressed(LOAD)
    assert hard is not None
    with Evaluator(KIND.name) as evaluator:

        def on(rows: Workload) -> SliceObjective:
            evaluator.load(rows)
            return lambda capacity, start, stop: Objective(evaluator, KIND, rows.id, capacity, start=start, stop=stop)

        plain, pressed = climb(on(LOAD), LOAD), climb(on(LOAD), LOAD, on(hard))
        assert len(pressed.parts) == len(plain.parts) + 1
        assert pressed.parts[-1].workload_id == hard.id
        chosen_by = measures(on(LOAD), LOAD, on(hard))
        assert set(chosen_by) - set(measures(on(LOAD), LOAD)) == {"whole under stress"}
        assert chosen_by["whole under stress"][0] == chosen_by["whole"][0] / 2


def test_a_workload_under_stress_is_another_one() -> None:
    hard = stressed(LOAD)
    assert hard is not None
    assert hard != LOAD
    assert replace(hard, id=LOAD.id) == LOAD, "by their ids, that is"
