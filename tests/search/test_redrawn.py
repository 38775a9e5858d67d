"""Other days: dealt anew from what a train part has, climbed and chosen by, and a kind without them goes without."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from trainers.arenas.cpu_scheduling.kind import BURST, DAYS_PERCENT, KIND, SLEEP, SOURCE, SPAN_MAX, TASK, WIDTH
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluator import Evaluator
from trainers.search.objective import Objective
from trainers.search.slices import SliceObjective, climb, measures, redrawn
from trainers.workloads.format import Workload, workload

LOAD = next(found for found in bundled(KIND.name) if (found.name, found.part) == ("shop", "train"))


def column(words: Workload, place: int) -> list[int]:
    return list(words.words[place::WIDTH])


def dealt(words: Workload, place: int, percent: int = 100) -> Counter[tuple[int, bool, int]]:
    """What a column has, by source and by whether it is of a task's first row."""
    begun: set[int] = set()
    found: Counter[tuple[int, bool, int]] = Counter()
    for task, source, units in zip(column(words, TASK), column(words, SOURCE), column(words, place), strict=True):
        found[source, task in begun, max(1, units * percent // 100) if place == BURST else units] += 1
        begun.add(task)
    return found


def test_a_day_deals_bursts_and_sleeps_anew_within_their_source_and_keeps_everything_else() -> None:
    days = [*redrawn(LOAD, (*KIND.climb_days, *KIND.choice_days)).values()]
    for day, percent in zip(days, DAYS_PERCENT, strict=True):
        assert column(day, BURST) != [max(1, units * percent // 100) for units in column(LOAD, BURST)]
        assert dealt(day, BURST) == dealt(LOAD, BURST, percent)
        assert dealt(day, SLEEP) == dealt(LOAD, SLEEP)
        for place in set(range(WIDTH)) - {SLEEP, BURST}:
            assert column(day, place) == column(LOAD, place)
    assert len({day.id for day in (LOAD, *days)}) == 7, (
        "each is another workload, and the choice sees none that was climbed"
    )


def test_days_are_the_same_on_every_node() -> None:
    assert redrawn(LOAD, range(6)) == redrawn(replace(LOAD), range(6))


def test_kinds_without_days_and_days_beyond_the_limit_go_without() -> None:
    assert redrawn(bundled("page_replacement")[0], range(6)) == {}
    longest = workload("w", [(0, 0, 0, 16, 0, SPAN_MAX)], kind=KIND.name)
    assert len(redrawn(longest, range(6))) == 3, "those whose bursts are shorter"


def test_the_whole_of_each_day_is_climbed_or_chosen_by() -> None:
    climbed, chosen_by = ([*redrawn(LOAD, numbers).values()] for numbers in (KIND.climb_days, KIND.choice_days))
    with Evaluator(KIND.name) as evaluator:

        def on(rows: Workload) -> SliceObjective:
            evaluator.load(rows)
            return lambda capacity, start, stop: Objective(evaluator, KIND, rows.id, capacity, start=start, stop=stop)

        parts = climb(on(LOAD), LOAD, map(on, climbed)).parts
        assert [part.workload_id for part in parts] == [day.id for day in (LOAD, *climbed)]
        assert [(part.start, part.stop) for part in parts] == [(0, LOAD.rows)] * 3
        found = measures(on(LOAD), LOAD, map(on, chosen_by))
        assert list(found) == ["whole", *(f"another day {number}" for number in (1, 2, 3, 4))]
        assert {weight for weight, _evaluate in found.values()} == {1.0}
