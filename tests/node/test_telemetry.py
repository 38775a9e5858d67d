"""Telemetry: bounded, the oldest goes, and every loss is counted, from whichever thread it came."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from trainers.node.telemetry import TELEMETRY_MESSAGES_MAX, Telemetry, Word


def word(number: int) -> Word:
    return Word("log/a/info", b"%d" % number)


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=40))
def test_it_keeps_the_newest_in_order_and_counts_the_rest(bound: int, steps: list[bool]) -> None:
    telemetry, kept, dropped = Telemetry(bound), list[Word](), 0
    for number, put in enumerate(steps):
        if put:
            telemetry.put(word(number))
            kept.append(word(number))
            if len(kept) > bound:
                kept.pop(0)
                dropped += 1
        else:
            assert telemetry.take() == (kept.pop(0) if kept else None)
        assert telemetry.dropped == dropped


def test_the_bound_is_taken_and_one_more_drops_one() -> None:
    telemetry = Telemetry()
    for number in range(TELEMETRY_MESSAGES_MAX):
        telemetry.put(word(number))
    assert telemetry.dropped == 0
    telemetry.put(word(-1))
    assert telemetry.dropped == 1
    assert telemetry.take() == word(1)


def test_threads_lose_nothing_that_is_not_counted() -> None:
    telemetry, each = Telemetry(10), 500

    def tell() -> None:
        for number in range(each):
            telemetry.put(word(number))

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = 0
    while telemetry.take() is not None:
        left += 1
    assert telemetry.dropped + left == 4 * each
    assert left == 10
