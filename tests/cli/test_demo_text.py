"""The demo's words follow from its numbers, and praise only what was chosen without the hidden score."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mqtt_hub.demo.summary import HiddenRow
from mqtt_hub.demo.text import _verdict

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
        (420, "beats LRU"),
        (500, "loses to LRU"),
    ],
)
def test_each_word_is_earned_by_the_chosen_component(misses: int, words: str) -> None:
    assert _verdict(replace(ROW, chosen={"component": "c", "value": misses})) == words


def test_where_nothing_was_chosen_the_best_in_hindsight_earns_no_praise() -> None:
    assert _verdict(replace(ROW, chosen=None)) == "nothing accepted for it"
