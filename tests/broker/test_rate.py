"""How much an account may publish: never more than burst and rate allow, never held back for good, nobody else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mqtt_hub.broker import Limits
from mqtt_hub.broker.packets import Puback, Publish
from mqtt_hub.broker.rate import Allowance, Allowances
from tests.broker.test_hub_broker import enter, house_serving

NEVER = 1e-6  # messages a second: nothing more within a test


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(0, 100_000)), max_size=80),
    st.floats(0.5, 100),
    st.integers(1, 50),
)
def test_whoever_waits_when_told_spends_no_more_than_burst_rate_and_one_message(
    messages: list[tuple[float, int]], per_s: float, burst: int
) -> None:
    allowance, now, spent, dearest = Allowance(per_s, burst, 0.0), 0.0, 0, 0
    for pause_s, size in messages:
        now += pause_s
        while allowance.left < 1 and (wait_s := allowance.wait_s(now)) > 0:
            now += wait_s
        cost = 1 + size // 4096
        allowance.spend(size)
        spent, dearest = spent + cost, max(dearest, cost)
        assert spent <= burst + per_s * now + dearest + 1e-6


@given(st.floats(0.5, 1e6), st.integers(1, 50), st.integers(0, 200_000))
def test_one_wait_is_enough(per_s: float, burst: int, size: int) -> None:
    allowance = Allowance(per_s, burst, 0.0)
    for _ in range(burst):
        allowance.spend(size)
    assert allowance.left < 1
    assert allowance.wait_s(allowance.wait_s(0.0) * 1.000001) == 0


def test_what_an_account_has_spent_is_remembered_until_it_is_full_again_and_away() -> None:
    allowances = Allowances(Limits(publish_messages_per_s_max=1, publish_burst_messages_max=2))
    first = allowances.of("a", 0.0)
    first.spend(0)
    allowances.forget(set(), 0.5)
    assert allowances.of("a", 0.5) is first, "coming again gives no new burst"
    allowances.forget({"a"}, 9.0)
    assert len(allowances) == 1
    allowances.forget(set(), 9.0)
    assert len(allowances) == 0


def test_at_its_bound_an_account_waits_on_all_its_connections_and_others_flow() -> None:
    limits = Limits(publish_messages_per_s_max=NEVER, publish_burst_messages_max=3)
    with (
        house_serving(limits) as (_house, running),
        enter(running, "node") as node,
        enter(running, "node", client_id="second") as second,
        enter(running, "other") as other,
    ):
        node.send(*[Publish("a", b"", 1, packet_id=n + 1) for n in range(6)])
        assert [node.expect(Puback).packet_id for _ in range(3)] == [1, 2, 3]
        running.until(lambda counters: counters["publishes_throttled"] == 1)
        second.send(Publish("a", b"", 1, packet_id=1))
        running.until(lambda counters: counters["publishes_throttled"] == 2)
        other.send(*[Publish("a", b"", 1, packet_id=n + 1) for n in range(3)])
        assert [other.expect(Puback).packet_id for _ in range(3)] == [1, 2, 3]
        assert running.counters()["messages_in"] == 6


def test_a_message_counts_once_for_each_4_kib_begun() -> None:
    limits = Limits(publish_messages_per_s_max=NEVER, publish_burst_messages_max=3)
    with house_serving(limits) as (_house, running), enter(running, "node") as node:
        node.send(Publish("a", bytes(8192), 1, packet_id=1), Publish("a", b"", 1, packet_id=2))
        node.expect(Puback)
        running.until(lambda counters: counters["publishes_throttled"] == 1)
        assert running.counters()["messages_in"] == 1


def test_what_waited_goes_on_when_it_is_due() -> None:
    limits = Limits(publish_messages_per_s_max=100.0, publish_burst_messages_max=2)
    with house_serving(limits) as (_house, running), enter(running, "node") as node:
        node.send(*[Publish("a", b"%d" % n, 1, packet_id=n + 1) for n in range(12)])
        assert [node.expect(Puback).packet_id for _ in range(12)] == list(range(1, 13))
        assert running.counters()["publishes_throttled"] > 0
