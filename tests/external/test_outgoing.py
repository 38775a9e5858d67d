"""The hub's own messages to a broker: window, bounds, and again after a loss."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mqtt_hub.broker.packets import Publish
from mqtt_hub.external.outgoing import SUBSCRIBE_ID, Outgoing
from mqtt_hub.external.settings import BrokerSettings


def taken(outgoing: Outgoing) -> list[Publish]:
    """Return all that may be sent now."""
    messages = []
    while (message := outgoing.take()) is not None:
        messages.append(message)
    return messages


def offer(outgoing: Outgoing, *payloads: bytes, topic: str = "t", qos: int = 1, retain: bool = False) -> None:
    for payload in payloads:
        outgoing.offer(topic, payload, qos=qos, retain=retain)


def test_at_the_window_messages_wait_and_an_acknowledgement_sends_the_next() -> None:
    outgoing = Outgoing(BrokerSettings(inflight_messages_max=2))
    offer(outgoing, b"a", b"b", b"c")
    first, second = taken(outgoing)
    assert (outgoing.in_flight, outgoing.waiting) == (2, 1)
    outgoing.acknowledged(first.packet_id)
    (third,) = taken(outgoing)
    assert [first.payload, second.payload, third.payload] == [b"a", b"b", b"c"]
    assert third.packet_id not in (0, second.packet_id)


def test_after_a_loss_what_is_unacknowledged_comes_first_again_with_dup_and_its_id() -> None:
    outgoing = Outgoing(BrokerSettings(inflight_messages_max=2))
    offer(outgoing, b"a", b"b", b"c")
    sent = taken(outgoing)
    outgoing.connected()
    assert taken(outgoing) == [message._replace(dup=True) for message in sent]
    outgoing.connected()  # lost again in between
    assert taken(outgoing) == [message._replace(dup=True) for message in sent]


def test_at_the_bound_of_messages_the_oldest_is_dropped_and_counted() -> None:
    outgoing = Outgoing(BrokerSettings(queue_messages_max=2))
    offer(outgoing, b"a", b"b")
    assert outgoing.dropped == 0
    offer(outgoing, b"c")
    assert outgoing.dropped == 1
    assert [message.payload for message in taken(outgoing)] == [b"b", b"c"]


def test_at_the_bound_of_bytes_the_oldest_is_dropped_and_counted() -> None:
    outgoing = Outgoing(BrokerSettings(queue_bytes_max=10))
    offer(outgoing, b"12345", b"67890")
    assert outgoing.dropped == 0
    offer(outgoing, b"1")
    assert outgoing.dropped == 1
    assert [message.payload for message in taken(outgoing)] == [b"67890", b"1"]


def test_of_what_is_retained_only_the_last_of_a_topic_waits() -> None:
    outgoing = Outgoing(BrokerSettings(queue_messages_max=3))
    for number in range(1000):
        offer(outgoing, b"%d" % number, topic="status", retain=True)
    offer(outgoing, b"other", topic="status/other", retain=True)
    assert outgoing.dropped == 0
    assert [message.payload for message in taken(outgoing)] == [b"999", b"other"]
    offer(outgoing, b"1000", topic="status", retain=True)  # what is in flight is not changed any more
    assert [message.payload for message in taken(outgoing)] == [b"1000"]


def test_qos_0_takes_no_place_in_the_window() -> None:
    outgoing = Outgoing(BrokerSettings(inflight_messages_max=1))
    offer(outgoing, b"a", b"b", qos=0)
    assert [message.packet_id for message in taken(outgoing)] == [0, 0]
    assert outgoing.empty


@pytest.mark.parametrize("unknown", [0, 1, SUBSCRIBE_ID])
def test_an_acknowledgement_of_nothing_changes_nothing(unknown: int) -> None:
    outgoing = Outgoing(BrokerSettings())
    outgoing.acknowledged(unknown)
    assert outgoing.empty


class OutgoingMachine(RuleBasedStateMachine):
    """Any order of offers, sends, acknowledgements and losses against a list of what the broker has."""

    def __init__(self) -> None:
        super().__init__()
        self.outgoing = Outgoing(BrokerSettings(inflight_messages_max=3))
        self.offered: list[bytes] = []
        self.delivered: list[bytes] = []
        self.sent: dict[int, bytes] = {}

    @rule()
    def offer(self) -> None:
        self.offered.append(b"%d" % len(self.offered))
        offer(self.outgoing, self.offered[-1])

    @rule()
    def send(self) -> None:
        for message in taken(self.outgoing):
            assert 0 < message.packet_id < SUBSCRIBE_ID
            assert message.dup or message.packet_id not in self.sent
            self.sent[message.packet_id] = message.payload

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        if self.sent:
            packet_id = data.draw(st.sampled_from(sorted(self.sent)))
            self.delivered.append(self.sent.pop(packet_id))
            self.outgoing.acknowledged(packet_id)

    @rule()
    def lose_the_connection(self) -> None:
        self.outgoing.connected()
        self.sent.clear()  # a broker acknowledges what came on this connection

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        assert self.outgoing.in_flight <= 3
        assert len(self.delivered) + self.outgoing.in_flight + self.outgoing.waiting == len(self.offered)
        assert len(set(self.delivered)) == len(self.delivered)


TestOutgoing = OutgoingMachine.TestCase
TestOutgoing.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
