"""What MQTT 3.1.1 promises, seen from the wire of the open broker."""

from __future__ import annotations

import threading

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from mqtt_hub.broker.packets import (
    Connack,
    Connect,
    Disconnect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
    frame,
    text,
)
from tests.broker.harness import DEADLINE_S, Client, ClosedError, Running, connected
from tests.broker.malformed import MALFORMED, MISPLACED


def contents(packets: list[Publish]) -> list[tuple[str, bytes]]:
    return [(packet.topic, packet.payload) for packet in packets]


# retained messages


def test_a_retained_message_is_set_replaced_and_cleared(open_hub: Running) -> None:
    with connected(open_hub.port, "writer") as writer:
        for payload, expected in ((b"1", [b"1"]), (b"2", [b"2"]), (b"", [])):
            writer.publish("state", payload, retain=True)
            with connected(open_hub.port, "reader") as reader:
                reader.subscribe(("state", 1))
                messages = reader.messages()
                assert [message.payload for message in messages] == expected
                assert all(message.retain for message in messages)
        assert open_hub.counters()["retained_bytes"] == 0


def test_a_living_subscription_sees_no_retain_flag(open_hub: Running) -> None:
    with connected(open_hub.port, "writer") as writer, connected(open_hub.port, "reader") as reader:
        reader.subscribe(("state", 1))
        writer.publish("state", b"1", retain=True)
        writer.publish("state", b"", retain=True)
        assert [(m.payload, m.retain) for m in reader.messages()] == [(b"1", False), (b"", False)]


def test_retained_messages_come_once_at_the_highest_qos_of_one_subscribe(open_hub: Running) -> None:
    with connected(open_hub.port, "writer") as writer, connected(open_hub.port, "reader") as reader:
        writer.publish("state/a", b"1", qos=1, retain=True)
        reader.subscribe(("state/+", 0), ("state/#", 2), ("elsewhere", 2))
        assert [(m.topic, m.qos, m.retain) for m in reader.messages()] == [("state/a", 1, True)]


def test_retained_dollar_topics_are_not_found_by_wildcards(open_hub: Running) -> None:
    open_hub.call(lambda: open_hub.broker.publish("$state/a", b"1", retain=True))
    with connected(open_hub.port, "reader") as reader:
        reader.subscribe(("#", 1), ("+/a", 1))
        assert reader.messages() == []
        reader.subscribe(("$state/#", 1))
        assert contents(reader.messages()) == [("$state/a", b"1")]


# last wills


@pytest.mark.parametrize("end", ["drop", "malformed", "keep-alive", "takeover"])
def test_a_will_is_published_when_a_connection_ends_without_disconnect(open_hub: Running, end: str) -> None:
    with connected(open_hub.port, "watcher") as watcher:
        watcher.subscribe(("lost", 1))
        keep_alive_s = 1 if end == "keep-alive" else 0
        with connected(open_hub.port, "node", keep_alive_s=keep_alive_s, will=Will("lost", b"node", 1)) as node:
            if end == "drop":
                node.drop()
            elif end == "malformed":
                node.send(b"\0\0")
            elif end == "takeover":
                connected(open_hub.port, "node").drop()
            assert watcher.expect(Publish).payload == b"node"


def test_no_will_is_published_after_disconnect(open_hub: Running) -> None:
    with connected(open_hub.port, "watcher") as watcher:
        watcher.subscribe(("lost", 1))
        with connected(open_hub.port, "node", will=Will("lost", b"node", 1)) as node:
            node.send(Disconnect())
            assert node.is_closed()
        assert watcher.messages() == []


def test_a_client_that_pings_outlives_its_keep_alive(open_hub: Running) -> None:
    with connected(open_hub.port, "quiet", keep_alive_s=1) as quiet:
        with connected(open_hub.port, "dead", keep_alive_s=1) as dead:
            while not dead.is_closed(0.2):
                assert quiet.heard() == []
        assert quiet.heard() == []
    assert open_hub.counters()["keep_alive_expired"] == 1


# subscriptions


def test_overlapping_filters_deliver_once_at_the_highest_qos(open_hub: Running) -> None:
    with connected(open_hub.port, "writer") as writer, connected(open_hub.port, "reader") as reader:
        assert reader.subscribe(("a/#", 0), ("a/+", 2), ("a/b", 1)) == (0, 2, 1)
        writer.publish("a/b", qos=1)
        assert [message.qos for message in reader.messages()] == [1]


def test_a_subscription_is_replaced_with_its_qos(open_hub: Running) -> None:
    with connected(open_hub.port, "writer") as writer, connected(open_hub.port, "reader") as reader:
        reader.subscribe(("a", 2))
        reader.subscribe(("a", 0))
        writer.publish("a", qos=1)
        assert [message.qos for message in reader.messages()] == [0]
        assert open_hub.counters()["subscriptions"] == 1


def test_unsubscribing_ends_delivery_and_is_acknowledged_for_unknown_filters_too(open_hub: Running) -> None:
    with connected(open_hub.port, "writer") as writer, connected(open_hub.port, "reader") as reader:
        reader.subscribe(("a", 1), ("b", 1))
        reader.send(Unsubscribe(9, ("a", "never")))
        assert reader.expect(Unsuback).packet_id == 9
        writer.publish("a")
        writer.publish("b")
        assert [message.topic for message in reader.messages()] == ["b"]


def test_clients_cannot_publish_to_dollar_topics_and_stay_connected(open_hub: Running) -> None:
    with connected(open_hub.port, "writer") as writer, connected(open_hub.port, "reader") as reader:
        assert reader.subscribe(("$a", 1), ("#", 1)) == (1, 1)
        writer.publish("$a")
        writer.publish("a")
        assert [message.topic for message in reader.messages()] == ["a"]


@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("subscribed", [0, 1, 2])
def test_every_qos_goes_both_ways(open_hub: Running, published: int, subscribed: int) -> None:
    with connected(open_hub.port, "writer") as writer, connected(open_hub.port, "reader") as reader:
        reader.subscribe(("a", subscribed))
        writer.publish("a", b"payload", qos=published)
        if published == 2:
            packet_id = writer.expect(Pubrec).packet_id
            writer.send(Pubrel(packet_id))
            assert writer.expect(Pubcomp).packet_id == packet_id
        message = reader.expect(Publish)
        assert (message.payload, message.qos, message.dup) == (b"payload", min(published, subscribed), False)
        if message.qos == 1:
            reader.send(Puback(message.packet_id))
        elif message.qos == 2:
            reader.send(Pubrec(message.packet_id))
            assert reader.expect(Pubrel).packet_id == message.packet_id
            reader.send(Pubcomp(message.packet_id))
        assert reader.messages() == []
        assert open_hub.counters()["inflight_messages"] == 0


def test_a_repeated_qos_2_message_is_routed_once_until_it_is_released(open_hub: Running) -> None:
    with connected(open_hub.port, "reader") as reader:
        reader.subscribe(("a", 0))
        message = Publish("a", b"once", 2, packet_id=5)
        with connected(open_hub.port, "writer", clean=False) as writer:
            writer.send(message)
            writer.expect(Pubrec)
        with connected(open_hub.port, "writer", clean=False) as writer:
            writer.send(message._replace(dup=True))
            writer.expect(Pubrec)
            writer.send(Pubrel(5))
            writer.expect(Pubcomp)
            assert len(reader.messages()) == 1
            writer.send(message)
            writer.expect(Pubrec)
        assert len(reader.messages()) == 1


# sessions


def test_a_persistent_session_keeps_subscriptions_and_queue_and_says_so(open_hub: Running) -> None:
    with connected(open_hub.port, "writer") as writer:
        with Client(open_hub.port) as away:
            assert not away.connect("away", clean=False).session_present
            away.subscribe(("a", 1), ("q0", 0))
            away.send(Disconnect())
            assert away.is_closed()
        for number in range(50):
            writer.publish("a", b"%d" % number)
            writer.publish("q0", qos=0)
        with Client(open_hub.port) as away:
            assert away.connect("away", clean=False).session_present
            messages = away.messages()
            assert [message.payload for message in messages] == [b"%d" % number for number in range(50)]
            writer.publish("a", b"live")
            assert away.expect(Publish).payload == b"live"


def test_a_clean_connect_deletes_the_session(open_hub: Running) -> None:
    with connected(open_hub.port, "writer") as writer:
        with connected(open_hub.port, "away", clean=False) as away:
            away.subscribe(("a", 1))
        with Client(open_hub.port) as away:
            assert not away.connect("away", clean=True).session_present
        with Client(open_hub.port) as away:
            assert not away.connect("away", clean=False).session_present
            writer.publish("a")
            assert away.messages() == []


def test_redelivery_keeps_order_and_packet_ids_over_many_breaks(open_hub: Running) -> None:
    with connected(open_hub.port, "writer") as writer:
        with connected(open_hub.port, "away", clean=False) as away:
            away.subscribe(("a", 1))
            for number in range(5):
                writer.publish("a", b"%d" % number)
            first = away.messages()
        for _ in range(3):
            with connected(open_hub.port, "away", clean=False) as away:
                assert away.messages() == [message._replace(dup=True) for message in first]
        with connected(open_hub.port, "away", clean=False) as away:
            for message in away.messages()[:2]:
                away.send(Puback(message.packet_id))
            away.heard()
        with connected(open_hub.port, "away", clean=False) as away:
            assert [message.payload for message in away.messages()] == [b"2", b"3", b"4"]


def test_a_connection_taken_over_is_closed_and_its_session_goes_on(open_hub: Running) -> None:
    with connected(open_hub.port, "twin", clean=False) as old, connected(open_hub.port, "writer") as writer:
        old.subscribe(("a", 1))
        with Client(open_hub.port) as new:
            assert new.connect("twin", clean=False).session_present
            assert old.is_closed()
            writer.publish("a")
            assert len(new.messages()) == 1
    assert open_hub.until(lambda counters: counters["connections"] == 0)["taken_over"] == 1


def test_clients_without_an_id_are_told_apart(open_hub: Running) -> None:
    with connected(open_hub.port, "") as one, connected(open_hub.port, "") as two:
        assert one.heard() == two.heard() == []
    with Client(open_hub.port) as nameless:
        nameless.send(Connect("", clean_session=False))
        assert nameless.receive() == Connack(session_present=False, code=2)
        assert nameless.is_closed()


@pytest.mark.parametrize("level", [3, 5])
def test_another_protocol_level_is_answered_with_code_1(open_hub: Running, level: int) -> None:
    with Client(open_hub.port) as other:
        other.send(frame(0x10, text("MQTT") + bytes((level, 2)) + b"\0\0\0\0\0"))
        assert other.receive() == Connack(session_present=False, code=1)
        assert other.is_closed()


def test_packets_sent_with_connect_are_handled_in_order(open_hub: Running) -> None:
    with Client(open_hub.port) as eager:
        eager.send(Connect("eager"), Subscribe(1, (("a", 0),)), Publish("a", b"1"), Publish("a", b"2"))
        assert isinstance(eager.receive(), Connack)
        assert isinstance(eager.receive(), Suback)
        assert [message.payload for message in eager.messages()] == [b"1", b"2"]


# malformed packets


def test_every_malformed_packet_closes_the_connection_and_leaves_nothing_behind(open_hub: Running) -> None:
    cases = {**MALFORMED, **MISPLACED}
    with connected(open_hub.port, "watcher") as watcher:
        watcher.subscribe(("#", 0))
        for name, stream in cases.items():
            with connected(open_hub.port, "victim") as client:
                client.send(stream)
                assert client.is_closed(), name
        assert watcher.messages() == [], "nothing of a malformed packet is routed"
        counters = open_hub.until(lambda counters: counters["connections"] == 1)
    assert counters["malformed"] == len(cases) >= 24
    assert (counters["sessions"], counters["subscriptions"], counters["retained_messages"]) == (1, 1, 0)


def test_a_first_packet_other_than_connect_closes_the_connection_without_an_answer(open_hub: Running) -> None:
    for packet in (Publish("a", b""), Subscribe(1, (("a", 0),)), Disconnect()):
        with Client(open_hub.port) as client:
            client.send(packet)
            with pytest.raises(ClosedError):
                client.receive()
    assert open_hub.counters()["sessions"] == 0


def test_packets_before_a_malformed_one_are_answered(open_hub: Running) -> None:
    with connected(open_hub.port, "client") as client:
        client.send(Publish("a", b"", 1, packet_id=1), b"\0\0")
        assert client.expect(Puback).packet_id == 1
        assert client.is_closed()


# a client that others wrote


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_paho_talks_to_it(open_hub: Running, qos: int) -> None:
    count, received, done = 200, list[bytes](), threading.Event()

    def on_message(_client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        received.append(bytes(message.payload))
        if len(received) == count:
            done.set()

    reader = paho.Client(CallbackAPIVersion.VERSION2, "reader")
    writer = paho.Client(CallbackAPIVersion.VERSION2, "writer")
    reader.on_message = on_message
    subscribed = threading.Event()
    reader.on_subscribe = lambda *_: subscribed.set()
    for client in (reader, writer):
        client.connect("127.0.0.1", open_hub.port)
        client.loop_start()
    try:
        reader.subscribe("data/#", qos)
        assert subscribed.wait(DEADLINE_S)
        for number in range(count):
            writer.publish(f"data/{number % 7}", b"%d" % number, qos)
        assert done.wait(DEADLINE_S)
        assert received == [b"%d" % number for number in range(count)]
    finally:
        for client in (writer, reader):
            client.disconnect()
            client.loop_stop()
