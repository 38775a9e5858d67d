"""J: what it is made of, that it is an integer on any machine, and that no part of it decides alone."""

from __future__ import annotations

from math import exp

import pytest

from trainers.arenas.cpu_scheduling.counting import CLASSES, SECOND, Tally, slowdown, value
from trainers.arenas.cpu_scheduling.kind import KIND


def counters(**changed: int) -> dict[str, int]:
    base = {counter.name: 10_000 for counter in KIND.counters}
    return {**base, **changed}


def classes(share: float) -> dict[str, int]:
    return {f"slowdown{k}": round(10_000 * share) for k in range(CLASSES)}


def test_as_good_as_round_robin_is_a_million() -> None:
    assert value(counters(), counters()) == 1_000_000
    assert value(dict.fromkeys(counters(), 0), dict.fromkeys(counters(), 0)) == 1_000_000


@pytest.mark.parametrize("part", [{"weighted_response": 5_000}, {"p99_slowdown": 5_000}, classes(0.5)])
def test_each_of_three_parts_counts_a_third(part: dict[str, int]) -> None:
    assert value(counters(**part), counters()) == pytest.approx(1e6 * 0.5 ** (1 / 3), abs=2)


@pytest.mark.parametrize("part", [{"weighted_response": 1}, {"p99_slowdown": 1}, classes(0.0001)])
def test_no_part_is_worth_more_than_its_clip(part: dict[str, int]) -> None:
    assert value(counters(**part), counters()) == pytest.approx(1e6 * exp(-0.5), abs=2)


def test_a_class_without_bursts_does_not_count() -> None:
    sparse = {f"slowdown{k}": 0 for k in range(1, CLASSES)}
    found = value(counters(**sparse, slowdown0=5_000), counters(**sparse))
    assert found == value(counters(**classes(0.5)), counters())


@pytest.mark.parametrize(("seconds", "price"), [(0.5, 1.0), (1.0, 1.0), (2.0, 2.0), (1000.0, exp(1.5))])
def test_who_waits_longer_than_a_second_costs_as_much(seconds: float, price: float) -> None:
    found = value(counters(longest_wait=round(seconds * SECOND)), counters())
    assert found == pytest.approx(1e6 * price, abs=3)


def test_slowdown_is_bounded_by_a_tick_and_by_one() -> None:
    assert slowdown(300, 300) == slowdown(50, 1) == slowdown(100, 20) == 256
    assert slowdown(200, 20) == slowdown(600, 300) == 512
    assert slowdown(1 << 31, 1) == (1 << 32) - 1


def test_the_p99_is_the_value_that_one_of_a_hundred_may_exceed() -> None:
    for count, expected in ((1, 1), (99, 99), (100, 99), (101, 100), (200, 198)):
        tally = Tally()
        for length in range(1, count + 1):
            tally.done(100, 16, 0, 100 * length)
        assert tally.counters()["p99_slowdown"] == 256 * expected


def test_classes_are_powers_of_two() -> None:
    tally = Tally()
    for burst in (1, 127, 128, 255, 256, 1 << 13, (1 << 14) - 1, 1 << 14, 1 << 30):
        tally.done(burst, 16, 0, burst)
    found = tally.counters()
    assert [found[f"slowdown{k}"] // 256 for k in range(CLASSES)] == [2, 2, 1, 0, 0, 0, 0, 2, 2]
