"""Other days: the same requests with their streams moved against each other, climbed and chosen by."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from trainers.arenas.classics import classics
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.io_scheduling.kind import DAY_PERCENTS, DAY_REACH_PARTS, KIND
from trainers.search.slices import redrawn
from trainers.study import Meter, Study
from trainers.workloads.format import Workload, workload
from trainers.workloads.generate_io import generate

LOAD = workload("tenants", generate("tenants", 5, 4, 1500), kind=KIND.name, capacity=4)
CLOOK = classics(KIND.name)["c-look"]
WIDTH = KIND.codec.width
Request = tuple[int, ...]


def streams(found: Workload) -> dict[int, list[Request]]:
    """Return each stream's requests in order: time, place, length, write."""
    by: dict[int, list[Request]] = defaultdict(list)
    for at in range(0, len(found.words), WIDTH):
        time, sector, sectors, stream, write = found.words[at : at + WIDTH]
        by[stream].append((time, sector, sectors, write))
    return by


def test_every_day_has_the_same_requests_and_each_stream_keeps_its_order_round_the_end() -> None:
    before = streams(LOAD)
    days = [*redrawn(LOAD, KIND.choice_days).values()]
    assert len(days) == len(DAY_PERCENTS)
    assert len({day.id for day in days} | {LOAD.id}) == len(days) + 1
    for day in days:
        assert (day.rows, day.size, day.capacity, day.part) == (LOAD.rows, LOAD.size, LOAD.capacity, LOAD.part)
        for stream, requests in streams(day).items():
            then, now = ([request[1:] for request in rows] for rows in (before[stream], requests))
            assert any(now == [*then[cut:], *then[:cut]] for cut in range(len(then)))


@pytest.mark.parametrize(("day", "percent"), list(enumerate(DAY_PERCENTS)))
def test_a_day_is_as_much_longer_as_its_percentage_and_no_stream_is_moved_far(day: int, percent: int) -> None:
    span = LOAD.words[-WIDTH] - LOAD.words[0] + 1
    drawn = redrawn(LOAD, [day])[day]
    assert drawn.words[-WIDTH] - drawn.words[0] == pytest.approx(span * percent / 100, rel=0.02)
    before = streams(LOAD)
    moved = set()
    for stream, requests in streams(drawn).items():
        time, *first = before[stream][0]
        at = next(now for now, *request in requests if request == first)
        by = at * 100 // percent - (time - LOAD.words[0])
        assert -1 <= by <= span // DAY_REACH_PARTS + 1
        moved.add(by)
    assert len(moved) > 6, "of twelve streams"


def test_days_are_the_same_whenever_they_are_drawn_and_kinds_without_them_go_without() -> None:
    assert redrawn(LOAD, (1, 4)) == redrawn(LOAD, (4,)) | redrawn(LOAD, (1,))
    assert redrawn(bundled("page_replacement")[0], (0, 1)) == {}


def test_some_days_are_climbed_and_all_are_chosen_by() -> None:
    with Evaluators() as evaluators:
        study = Study(LOAD, seeds=[CLOOK], rivals=[CLOOK], meter=Meter(evaluators), rng=random.Random(1))
        study.island.run(3)
        choice = study.choose()
    assert choice is not None
    assert set(KIND.climb_days) < set(KIND.choice_days)
    assert list(choice.evidence) == ["whole", *(f"another day {place}" for place in range(1, len(DAY_PERCENTS) + 1))]
    assert study.island.seeds[0].fitness.counters["requests"] == (1 + len(KIND.climb_days)) * LOAD.rows
