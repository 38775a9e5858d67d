"""Positions in figures follow from the numbers, and from nothing else."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.dashboard import figures
from tests.dashboard.story import at

NUMBER = st.floats(-1e9, 1e9, allow_nan=False)


def row(**changes: Any) -> dict[str, Any]:
    """Return a hidden score: worst baseline 400, best 300, bound 200."""
    made: dict[str, Any] = {
        "value": 250.0,
        "bound": 200.0,
        "baselines": {"lru": 400.0, "arc": 300.0},
        "programs": {"lirs": 280.0},
        "picked": "arc",
        "chosen": {"value": 275.0},
    }
    return made | changes


def test_a_gauge_runs_from_the_worst_baseline_to_the_bound() -> None:
    gauge = figures.gauge(row())
    assert {mark.name: mark.percent for mark in gauge.above} == {"lru": 0.0, "arc": 50.0}
    assert {mark.name: mark.percent for mark in gauge.below} == {"best": 75.0, "chosen": 62.5}
    assert [(mark.name, mark.percent) for mark in gauge.seeds] == [("lirs", 60.0)]
    assert gauge.bar == (50.0, 75.0)
    assert gauge.closed == 0.5


def test_a_loss_is_below_nothing_and_what_is_worse_than_all_stands_at_the_left() -> None:
    gauge = figures.gauge(row(value=500.0))
    assert gauge.closed == -2.0
    assert {mark.name: mark.percent for mark in gauge.below}["best"] == 0.0


def test_where_a_baseline_is_at_the_bound_there_is_no_way_left() -> None:
    gauge = figures.gauge(row(value=200.0, baselines={"lru": 200.0}, chosen=None))
    assert gauge.closed is None
    assert gauge.bar == (100.0, 100.0)


def test_a_gauge_without_baselines_is_drawn_too() -> None:
    assert figures.gauge(row(baselines={}, programs={}, picked="")).closed is None


@given(values=st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.floats(200, 1e6), min_size=1, max_size=9))
@settings(deadline=None, max_examples=60)
def test_labels_in_one_row_are_far_enough_apart_and_everything_is_on_the_track(values: dict[str, float]) -> None:
    gauge = figures.gauge(row(baselines=values, picked=next(iter(values))))
    marks = [*gauge.above, *gauge.seeds, *gauge.below]
    assert all(0 <= mark.percent <= 100 for mark in marks)
    for rank in range(figures.RANKS_MAX - 1):
        places = [mark.percent for mark in gauge.above if mark.row == rank]
        assert all(after - before >= figures.LABEL_PERCENT for before, after in pairwise(places))


@given(NUMBER, NUMBER, st.integers(2, 9))
@settings(deadline=None, max_examples=100)
def test_an_axis_holds_its_ends_with_few_even_ticks(one: float, other: float, ticks: int) -> None:
    low, high = sorted((one, other))
    axis = figures.number_axis(low, high, ticks=ticks)
    span = axis.high - axis.low
    assert axis.low <= low + span * 1e-9
    assert axis.high >= high - span * 1e-9
    assert 2 <= len(axis.ticks) <= 2 * ticks + 1
    places = [place for place, _label in axis.ticks]
    steps = [after - before for before, after in pairwise(places)]
    assert max(steps) - min(steps) < 1e-6


def test_a_time_axis_has_ticks_at_round_times_in_utc() -> None:
    axis = figures.time_axis(at(0), at(0, minute=5))
    assert [label for _place, label in axis.ticks] == ["12:00", "12:01", "12:02", "12:03", "12:04", "12:05"]
    assert [round(place) for place, _label in axis.ticks] == [0, 20, 40, 60, 80, 100]


def test_a_race_is_a_staircase_to_the_right_edge_the_best_node_first() -> None:
    steps = [
        {"node": "a", "at": at(0), "evaluations": 1, "best": 0.0},
        {"node": "b", "at": at(0), "evaluations": 1, "best": 0.5},
        {"node": "a", "at": at(5), "evaluations": 9, "best": 1.0},
    ]
    x, y = figures.time_axis(at(0), at(10)), figures.number_axis(0, 1)
    lines = figures.race_lines(steps, x, y, along="at")
    assert lines == {
        "a": [(0, 1000), (500, 1000), (500, 0), (1000, 0)],
        "b": [(0, 500), (1000, 500)],
    }
    assert list(lines) == ["a", "b"]


def test_an_arrival_stands_on_its_nodes_line_as_it_was_then() -> None:
    steps = [{"node": "a", "at": at(2), "evaluations": 1, "best": 0.5}]
    x, y = figures.time_axis(at(0), at(10)), figures.number_axis(0, 1)
    arrivals = [{"node": "a", "at": at(5)}, {"node": "a", "at": at(1)}, {"node": "b", "at": at(5)}]
    (mark,) = figures.arrival_marks(arrivals, steps, x, y, along="at")
    assert (mark["left"], mark["top"]) == (50.0, 50.0)


def test_spans_are_cut_at_the_edges_and_an_open_one_reaches_the_right_edge() -> None:
    def span(began: int, ended: int, *, open_: int = 0) -> dict[str, Any]:
        return {"node": "a", "began_at": at(began), "ended_at": at(ended), "open": open_}

    lanes = figures.lane_spans([span(0, 15), span(16, 18), span(19, 19, open_=1)], at(10), at(20))
    assert [(item["start"], item["width"]) for item in lanes["a"]] == [(0, 50), (60, 20), (90, 10)]


def test_an_edge_runs_from_giver_to_taker_and_edges_of_other_sorts_beside_it() -> None:
    nodes = figures.on_ring([{"name": name} for name in "abcd"])
    assert [(node["x"], node["y"], node["anchor"]) for node in nodes] == [
        (500, 100, "middle"), (900, 500, "start"), (500, 900, "middle"), (100, 500, "end"),
    ]  # fmt: skip
    edges = [{"giver": "a", "taker": "b", "sort": sort, "times": 100} for sort in ("answer", "import", "verdict")]
    drawn = figures.arcs([*edges, {"giver": "a", "taker": "gone", "sort": "answer", "times": 1}], nodes)
    assert [edge["path"].partition("Q")[0] for edge in drawn] == ["M500 100"] * 3
    assert all(edge["path"].endswith(" 900 500") for edge in drawn)
    assert len({edge["path"] for edge in drawn}) == 3
    assert drawn[0]["width"] == 10


def test_the_same_nodes_stand_at_the_same_places_apart_from_each_other() -> None:
    names = [f"n{number}" for number in range(1000)]
    places = figures.ring(names)
    assert places == figures.ring(names)
    assert len(set(places.values())) == 1000
    assert places["n0"][0] == pytest.approx(figures.BOX / 2)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60))
@settings(deadline=None, max_examples=30)
def test_a_sparkline_stays_in_its_box(counts: list[int]) -> None:
    points = [tuple(map(float, point.split(","))) for point in figures.sparkline(counts).split()]
    assert len(points) == len(counts)
    assert all(0 <= x <= 100 and 0 <= y <= 100 for x, y in points)
