"""The window of acknowledgements: in order, once, and those of one turn in one write."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.broker.delivery import AckWindow, Deliveries, Delivery
from mqtt_hub.broker.gate import Peer
from mqtt_hub.broker.identity import Account
from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.packets import Packet, Puback, Publish, Pubrec
from mqtt_hub.broker.parser import Parser

PEER = Peer(Account("node", "trainer"), "client")


class Publisher:
    """A connection that notes what it is to be told."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.handed: list[Delivery] = []
        self.deliveries = Deliveries(self.handed.append, limits or Limits())
        self.writes: list[bytes] = []
        self.resumed = 0
        self.window = AckWindow(self.deliveries, self.writes.append, self._resume)

    def _resume(self) -> None:
        self.resumed += 1

    def say(self, packet_id: int, qos: int = 1, refused: str | None = None) -> None:
        self.window.hand_over(Publish("a", b"x", qos, packet_id=packet_id if qos else 0), PEER, refused)

    def told(self) -> list[Packet]:
        parser, packets = Parser(1 << 20), []
        parser.feed(b"".join(self.writes))
        while (packet := parser.next()) is not None:
            packets.append(packet)
        return packets


def on_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def test_what_is_acknowledged_in_one_turn_is_told_in_one_write_in_the_next() -> None:
    async def test() -> None:
        publisher = Publisher()
        for packet_id in range(1, 101):
            publisher.say(packet_id)
        for delivery in publisher.handed:
            delivery.acknowledge()
        assert publisher.writes == []
        await asyncio.sleep(0)
        assert len(publisher.writes) == 1
        assert publisher.told() == [Puback(packet_id) for packet_id in range(1, 101)]
        assert publisher.deliveries.unacknowledged == 0

    on_a_loop(test)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 2), max_size=12), st.randoms(use_true_random=False))
def test_whatever_the_order_of_acknowledge_publishers_are_told_in_the_order_of_arrival(
    levels: list[int], rng: random.Random
) -> None:
    async def test() -> None:
        publisher = Publisher()
        for packet_id, qos in enumerate(levels, 1):
            publisher.say(packet_id, qos)
        expected = [(Puback, Pubrec)[qos - 1](packet_id) for packet_id, qos in enumerate(levels, 1) if qos]
        for delivery in rng.sample(publisher.handed, len(levels)):
            delivery.acknowledge()
            delivery.acknowledge()  # once more does no harm
            if rng.random() < 0.5:
                await asyncio.sleep(0)
            told = publisher.told()
            assert told == expected[: len(told)]
        await asyncio.sleep(0)
        assert publisher.told() == expected
        assert publisher.deliveries.unacknowledged == 0

    on_a_loop(test)


def test_at_the_bound_the_window_is_full_and_whoever_waited_is_resumed_once_there_is_room() -> None:
    async def test() -> None:
        publisher = Publisher(Limits(unacknowledged_messages_max=2))
        full = []
        for packet_id in (1, 2):
            publisher.say(packet_id)
            full.append(publisher.window.full)
        publisher.window.stall()
        publisher.handed[0].acknowledge()
        await asyncio.sleep(0)
        assert (full, publisher.resumed, publisher.window.full) == ([False, True], 1, False)

    on_a_loop(test)


def test_after_the_end_of_the_connection_deliveries_are_counted_and_nobody_is_told() -> None:
    async def test() -> None:
        publisher = Publisher()
        publisher.say(1)
        publisher.window.close()
        publisher.handed[0].acknowledge()
        await asyncio.sleep(0)
        assert publisher.writes == []
        assert publisher.deliveries.unacknowledged == 0

    on_a_loop(test)


def test_a_delivery_says_who_sent_what_and_why_it_was_refused() -> None:
    async def test() -> None:
        publisher = Publisher()
        publisher.say(7, refused="not there")
        (delivery,) = publisher.handed
        assert (delivery.topic, delivery.payload, delivery.qos, delivery.retain) == ("a", b"x", 1, False)
        assert (delivery.sender, delivery.client_id, delivery.refused) == ("node", "client", "not there")

    on_a_loop(test)
