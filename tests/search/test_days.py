"""Another day of a load: the same work at the same times, dealt anew, always alike; for the choice alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from trainers.arenas.cpu_scheduling.kind import BURST, KIND, SLEEP, SOURCE, SPAN_MAX, TASK, WIDTH
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluator import Evaluator
from trainers.search.objective import Objective
from trainers.search.slices import DAYS, SliceObjective, climb, measures, other_days
from trainers.workloads.format import Workload, workload

LOAD = next(found for found in bundled(KIND.name) if (found.name, found.part) == ("heavy-io", "train"))


def column(words: Workload, place: int) -> list[int]:
    return list(words.words[place::WIDTH])


def work(words: Workload, place: int) -> Counter[tuple[int, bool, int]]:
    """Return how often a source has a value, apart in its tasks' first bursts and later ones."""
    met: set[int] = set()
    found = Counter[tuple[int, bool, int]]()
    for task, source, value in zip(column(words, TASK), column(words, SOURCE), column(words, place), strict=True):
        found[source, task in met, value] += 1
        met.add(task)
    return found


def test_every_source_has_the_same_work_at_the_same_times_on_another_day_in_another_order() -> None:
    days = other_days(LOAD)
    assert len({day.id for day in (LOAD, *days)}) == DAYS + 1
    for day in days:
        assert (day.rows, day.size, day.capacity, day.part) == (LOAD.rows, LOAD.size, LOAD.capacity, LOAD.part)
        for place in range(WIDTH):
            if place in (SLEEP, BURST):
                assert column(day, place) != column(LOAD, place)
                assert work(day, place) == work(LOAD, place)
            else:
                assert column(day, place) == column(LOAD, place)


def test_days_are_the_same_whoever_asks() -> None:
    assert [day.id for day in other_days(LOAD)] == [day.id for day in other_days(replace(LOAD))]


def test_kinds_that_cannot_draw_anew_and_days_beyond_the_limit_go_without() -> None:
    assert other_days(bundled("page_replacement")[0]) == []
    half = SPAN_MAX // 2  # the one who comes late may not sleep as long as the one who came at once
    rows = [(0, 0, 0, 16, 0, 1), (0, 0, 0, 16, half, 1), (half, 1, 0, 16, 0, 1), (half, 1, 0, 16, 0, 1)]
    assert 0 < len(other_days(workload("w", rows, kind=KIND.name))) < DAYS


def test_days_are_not_climbed_and_count_by_the_plain_value_in_the_choice() -> None:
    day = other_days(LOAD)[0]
    plain = replace(KIND, search_value=None)
    with Evaluator(KIND.name) as evaluator:

        def on(rows: Workload) -> SliceObjective:
            evaluator.load(rows)
            kind = plain if rows is day else KIND
            return lambda capacity, start, stop: Objective(evaluator, kind, rows.id, capacity, start=start, stop=stop)

        assert {part.workload_id for part in climb(on(LOAD), LOAD).parts} == {LOAD.id}
        chosen_by = measures(on(LOAD), LOAD, None, [on(day)])
        assert set(chosen_by) - set(measures(on(LOAD), LOAD)) == {"another day 1"}
        weight, evaluate = chosen_by["another day 1"]
    assert weight == 1.0
    assert isinstance(evaluate, Objective)
    assert (evaluate.workload_id, evaluate.kind.search_value) == (day.id, None)
