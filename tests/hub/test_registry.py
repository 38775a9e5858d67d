"""The registry: which session a HELLO is granted, and whose presence counts."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mqtt_hub.archive.queries.nodes import NodeRow
from mqtt_hub.protocol.bodies import Hello, Peer, Status
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.registry import SESSION_AHEAD_MAX, Registry
from tests.protocol.examples import BODIES

HELLO: Hello = BODIES[MessageType.HELLO]


def hello(instance: str) -> Hello:
    return replace(HELLO, instance=instance)


def known(session: int, instance: str = "before") -> Registry:
    return Registry([NodeRow("a", "trainer", "memory_management", "ready", session, instance)])


def test_a_first_start_is_granted_what_it_proposes() -> None:
    assert Registry([]).agree("a", 1, hello("one")) == 1


def test_a_reconnect_of_the_same_instance_keeps_its_session_whatever_it_proposes() -> None:
    registry = known(5, "one")
    assert registry.agree("a", 5, hello("one")) == 5
    assert registry.agree("a", 1, hello("one")) == 5
    assert registry.agree("a", 9, hello("one")) == 5


def test_a_new_instance_beyond_the_last_session_is_granted_what_it_proposes() -> None:
    registry = known(5)
    assert registry.agree("a", 6, hello("one")) == 6
    assert registry.agree("a", 17, hello("two")) == 17
    assert registry.session("a") == 17


def test_a_new_instance_that_lost_its_state_never_gets_a_used_session() -> None:
    registry = known(5)
    assert registry.agree("a", 1, hello("one")) == 6
    assert registry.agree("a", 1, hello("two")) == 7


def test_a_proposal_far_ahead_is_not_followed() -> None:
    assert known(5).agree("a", 5 + SESSION_AHEAD_MAX - 1, hello("one")) == 5 + SESSION_AHEAD_MAX - 1
    assert known(5).agree("a", 5 + SESSION_AHEAD_MAX, hello("one")) == 5 + SESSION_AHEAD_MAX
    assert known(5).agree("a", 5 + SESSION_AHEAD_MAX + 1, hello("one")) == 6


@given(st.lists(st.tuples(st.integers(0, 2**53), st.sampled_from("pqrs")), max_size=30))
def test_sessions_only_grow_and_each_start_has_its_own(greetings: list[tuple[int, str]]) -> None:
    registry = Registry([])
    last, instance_before = 0, ""
    for proposed, instance in greetings:
        granted = registry.agree("a", proposed, hello(instance))
        assert granted == last if instance == instance_before else granted > last
        last, instance_before = granted, instance


def test_the_late_will_of_an_earlier_session_is_ignored() -> None:
    registry = known(5)
    registry.note_status("a", 5, Status("ready", 5, "trainer", "memory_management"))
    registry.note_status("a", 4, Status("lost", 4, "trainer", "memory_management"))
    assert registry.connected() == {"a": "memory_management"}
    registry.note_status("a", 5, Status("lost", 5, "trainer", "memory_management"))
    assert registry.connected() == {}


def test_nobody_is_connected_when_a_hub_starts_and_sleepers_count_as_connected() -> None:
    registry = known(5)
    assert registry.connected() == {}
    registry.note_status("a", 5, Status("sleeping", 5, "trainer", "memory_management"))
    assert registry.connected() == {"a": "memory_management"}


def test_the_hub_is_no_node_and_peers_leave_out_the_asker() -> None:
    rows = [NodeRow(name, "trainer", "", "", 1, "") for name in ("b", "hub", "a")]
    registry = Registry(rows)
    assert registry.peers(but="a") == (Peer("b", "trainer", "", "lost"),)
    assert [peer.name for peer in registry.peers()] == ["a", "b"]
    assert registry.session("nobody") == 0
