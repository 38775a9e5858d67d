"""The queue before the hub's batches: nothing is lost, each sender's order stays, and nobody waits for all others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mqtt_hub.fair import TURN_MESSAGES, FairQueue

steps = st.lists(st.sampled_from("abc") | st.integers(0, 40), max_size=120)


@given(steps)
def test_everything_comes_out_once_and_each_sender_in_order(steps: list[str | int]) -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    put: dict[str, list[int]] = {}
    got: dict[str, list[int]] = {}

    def take(most: int) -> None:
        items = queue.take(most)
        assert len(items) <= most
        for sender, number in items:
            got.setdefault(sender, []).append(number)

    for number, step in enumerate(steps):
        if isinstance(step, str):
            queue.put(step, (step, number))
            put.setdefault(step, []).append(number)
        else:
            take(step)
        assert len(queue) == sum(map(len, put.values())) - sum(map(len, got.values()))
    while queue:
        take(7)
    assert got == put


@given(st.integers(0, 500), st.integers(1, 200))
def test_a_good_sender_waits_for_one_turn_of_each_other_however_much_they_have_sent(flood: int, most: int) -> None:
    queue: FairQueue[str] = FairQueue()
    for name in ("one", "two"):
        for _ in range(flood):
            queue.put(name, name)
    queue.put("good", "good")
    before = 0
    while True:
        batch = queue.take(most)
        if "good" in batch:
            before += batch.index("good")
            break
        before += len(batch)
    # a batch may end within somebody's turn, who then has another one
    assert before <= 2 * TURN_MESSAGES + 2 * most


def test_a_single_sender_is_a_plain_queue() -> None:
    queue: FairQueue[int] = FairQueue()
    for number in range(100):
        queue.put("a", number)
    assert queue.take(60) == list(range(60))
    assert queue.take(60) == list(range(60, 100))
    assert queue.take(60) == []
