"""The demo's words follow from its numbers, and praise only what was chosen without the hidden score."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mqtt_hub.demo.text import _block
from mqtt_hub.report.wins import HiddenRow, verdict

ROW = HiddenRow(
    workload="orders",
    kind="page_replacement",
    metric="misses",
    requests=1000,
    bound=100,
    baselines={"lru": 500, "arc": 400, "sieve": 420},
    programs={"bip": 380},
    picked="sieve",
    best={"component": "b", "value": 110},
    chosen={"component": "c", "value": 0},
)


@pytest.mark.parametrize(
    ("misses", "words"),
    [
        (379, "beats all classics and seeds"),
        (380, "beats all classics"),
        (399, "beats all classics"),
        (400, "beats the picked classic"),
        (419, "beats the picked classic"),
        (420, "beats only LRU"),
        (500, "loses to LRU"),
    ],
)
def test_each_word_is_earned_by_the_chosen_component(misses: int, words: str) -> None:
    assert verdict(replace(ROW, chosen={"component": "c", "value": misses})) == words


def test_a_kind_is_shown_in_its_own_unit() -> None:
    pages = _block([ROW]).splitlines()
    assert pages[0] == "page_replacement, misses per request:"
    assert pages[1].split()[:2] == ["workload", "lru"]
    assert pages[2].split()[:4] == ["orders", "0.5000", "sieve", "0.4200"]
    ratio = replace(
        ROW, kind="cpu_scheduling", metric="j_millionths", bound=-900_000.0,
        baselines={"cfs": -250_000.0, "rr": 0.0}, picked="cfs", chosen={"component": "c", "value": -300_000.0},
    )  # fmt: skip
    tasks = _block([ratio]).splitlines()
    assert tasks[0] == "cpu_scheduling, j:"
    assert tasks[2].split()[:5] == ["orders", "cfs", "-0.2500", "cfs", "-0.2500"]
    assert tasks[2].endswith("-0.9000  beats all classics and seeds")
    assert len(tasks[1]) < len(tasks[2]) < 120
    assert verdict(replace(ratio, chosen={"component": "c", "value": 0.0})) == "loses to the picked classic"


def test_where_nothing_was_chosen_the_best_in_hindsight_earns_no_praise() -> None:
    assert verdict(replace(ROW, chosen=None)) == "nothing accepted for it"
