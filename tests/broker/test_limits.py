"""Every bound of the broker, at the bound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields

import pytest

from mqtt_hub.broker import Credentials, HubBroker, Limits
from mqtt_hub.broker.counters import Counters
from mqtt_hub.broker.exchange import Exchange
from mqtt_hub.broker.gate import Peer, PluginGate, Question, RuleGate
from mqtt_hub.broker.identity import Account, Action
from mqtt_hub.broker.limits import explained
from mqtt_hub.broker.message import Message
from mqtt_hub.broker.packets import Connack, Connect, Pingreq, Publish, Pubrec
from tests.broker.harness import LISTENERS, OPEN, Client, Running, connected, serving


@contextmanager
def bounded(**bounds: float) -> Iterator[Running]:
    known = {field.name for field in fields(Limits)}
    assert set(bounds) <= known
    with serving(lambda: HubBroker(OPEN, limits=Limits(**bounds))) as running:  # type: ignore[arg-type]
        yield running


def test_every_bound_is_explained() -> None:
    assert list(explained(Limits)) == [field.name for field in fields(Limits)]
    assert all(explained(Limits).values())


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_no_bound_is_zero_or_less(name: str) -> None:
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=name):
            Limits(**{name: wrong})


def test_no_packet_may_be_longer_than_mqtt_allows() -> None:
    assert Limits(packet_bytes_max=268_435_460).packet_bytes_max == 268_435_460
    with pytest.raises(ValueError, match="packet_bytes_max"):
        Limits(packet_bytes_max=268_435_461)


def test_no_more_messages_can_be_in_flight_than_there_are_packet_ids() -> None:
    assert Limits(inflight_messages_max=0xFFFF).inflight_messages_max == 0xFFFF
    for wrong in (0, 0x10000):
        with pytest.raises(ValueError, match="inflight_messages_max"):
            Limits(inflight_messages_max=wrong)


def test_connections_above_the_bound_are_closed_at_once() -> None:
    with bounded(connections_max=2) as running, connected(running.port, "one"), connected(running.port, "two") as two:
        with Client(running.port) as third:
            assert third.is_closed()
        two.drop()
        running.until(lambda counters: counters["connections"] == 1)
        with connected(running.port, "third") as third:
            assert third.heard() == []
        assert running.counters()["connections_refused"] == 1


def test_a_listeners_own_bound_on_connections_holds() -> None:
    listeners = {"default": {**LISTENERS["default"], "max_connections": 1}}
    with (
        serving(lambda: HubBroker({**OPEN, "listeners": listeners})) as running,
        connected(running.port, "one"),
        Client(running.port) as second,
    ):
        assert second.is_closed()


def test_connections_of_one_address_are_bounded() -> None:
    with bounded(connections_per_address_max=1) as running, connected(running.port, "one") as one:
        with Client(running.port) as second:
            assert second.is_closed()
        one.drop()
        running.until(lambda counters: counters["connections"] == 0)
        with connected(running.port, "second") as second:
            assert second.heard() == []
        assert running.counters()["connections_refused_address"] == 1


def test_connections_of_one_account_are_bounded_and_a_takeover_is_no_further_one() -> None:
    async def authenticate(credentials: Credentials) -> Account:
        return Account(credentials.username or "", "")

    def make() -> HubBroker:
        limits = Limits(connections_per_account_max=2)
        return HubBroker({"listeners": LISTENERS}, authenticate=authenticate, may=lambda *_: None, limits=limits)

    with (
        serving(make) as running,
        connected(running.port, "1", username="a"),
        connected(running.port, "2", username="a"),
    ):
        with Client(running.port) as third:
            assert third.connect("3", username="a") == Connack(session_present=False, code=3)
            assert third.is_closed()
        with connected(running.port, "2", username="a") as again, connected(running.port, "3", username="b"):
            assert again.heard() == []
        running.until(lambda counters: counters["connections"] == 1)
        with connected(running.port, "4"), connected(running.port, "5"), connected(running.port, "6") as anonymous:
            assert anonymous.heard() == []
        assert running.counters()["connections_refused_account"] == 1


def test_a_connection_that_never_finishes_its_connect_is_closed() -> None:
    with bounded(connect_timeout_s=0.2) as running, Client(running.port) as slow:
        slow.send(Connect("slow").encode()[:-1])
        assert slow.is_closed()
        assert running.counters()["connect_timeouts"] == 1


def test_a_packet_of_the_greatest_size_is_taken_and_a_larger_one_closes() -> None:
    packet = Publish("t", bytes(1000), 0)
    with bounded(packet_bytes_max=len(packet.encode())) as running, connected(running.port, "one") as client:
        client.send(packet)
        assert client.heard() == []
        client.send(packet._replace(payload=bytes(1001)))
        assert client.is_closed()
        counters = running.counters()
        assert (counters["messages_in"], counters["malformed"]) == (1, 1)


@pytest.mark.parametrize("letter", ["t", "ä"])
def test_topics_at_the_bound_work_and_longer_ones_are_refused(letter: str) -> None:
    longest = letter * (20 // len(letter.encode()))
    with bounded(topic_bytes_max=20) as running, connected(running.port, "one") as client:
        assert client.subscribe((longest, 0), (longest + "t", 0)) == (0, 0x80)
        client.publish(longest)
        client.publish(longest + "t")  # acknowledged, not routed
        assert len(client.messages()) == 1
        assert running.counters()["publishes_refused"] == 1


def test_topics_may_have_so_many_levels() -> None:
    with bounded(topic_levels_max=3) as running, connected(running.port, "one") as client:
        assert client.subscribe(("a/b/c", 0), ("a/b/c/d", 0)) == (0, 0x80)
        client.publish("a/b/c")
        client.publish("a/b/c/d")
        assert running.counters()["publishes_refused"] == 1


def test_client_ids_may_have_so_many_bytes() -> None:
    with bounded(client_id_bytes_max=4) as running, connected(running.port, "ääaa"[1:]), Client(running.port) as client:
        assert client.connect("ääa") == Connack(session_present=False, code=2)


def test_sessions_above_the_bound_are_refused_until_one_ends() -> None:
    with bounded(sessions_max=2) as running:
        connected(running.port, "away", clean=False).drop()
        with connected(running.port, "one") as one:
            with Client(running.port) as third:
                assert third.connect("third") == Connack(session_present=False, code=3)
            connected(running.port, "away", clean=False).drop()  # an old session is no new one
            one.drop()
            running.until(lambda counters: counters["sessions"] == 1)
            connected(running.port, "third").drop()
            assert running.counters()["sessions_refused"] == 1


def test_persistent_sessions_of_an_account_above_the_bound_are_refused_until_one_is_forgotten() -> None:
    exchange = Exchange(PluginGate(None, 1), Limits(sessions_per_account_max=2), Counters())

    def opened(account: str, client_id: str, *, clean: bool = False) -> bool:
        return exchange.open_session(Peer(Account(account, ""), client_id), clean=clean) is not None

    assert opened("node", "a")
    assert opened("node", "b")
    assert not opened("node", "c")
    assert exchange.counters.sessions_refused_account == 1
    assert opened("node", "a"), "an old session is no new one"
    assert opened("node", "c", clean=True), "what ends with its connection is bounded by the connections"
    assert opened("other", "a")
    assert all(opened("", f"anonymous{number}") for number in range(3))
    assert opened("node", "b", clean=True), "the persistent one is forgotten"
    assert opened("node", "d")
    assert not opened("node", "e")


def test_sessions_that_are_away_for_too_long_are_forgotten() -> None:
    exchange = Exchange(PluginGate(None, 1), Limits(session_expiry_s=100.0), Counters())
    opened = exchange.open_session(Peer(Account("node", ""), "node"), clean=False)
    assert opened is not None
    session, _ = opened
    exchange.subscribe(session, [("a", 1)])
    exchange.leave(session, 1000.0)
    exchange.expire(1100.0)
    assert exchange.sessions
    exchange.expire(1100.1)
    assert not exchange.sessions
    assert len(exchange.subscriptions) == 0


def test_subscriptions_above_the_bound_are_refused_and_replacing_one_is_not() -> None:
    with bounded(subscriptions_per_session_max=2) as running, connected(running.port, "one") as client:
        assert client.subscribe(("a", 0), ("b", 0), ("c", 0), ("a", 1)) == (0, 0, 0x80, 1)
        assert client.subscribe(("b", 2), ("c", 0)) == (2, 0x80)
        counters = running.counters()
        assert (counters["subscriptions"], counters["subscriptions_refused"]) == (2, 2)


def test_unreleased_qos_2_ids_are_bounded() -> None:
    with bounded(received_qos2_max=2) as running, connected(running.port, "one") as client:
        for packet_id in (1, 2):
            client.send(Publish("a", b"", 2, packet_id=packet_id))
            client.expect(Pubrec)
        client.send(Publish("a", b"", 2, packet_id=3))
        assert client.is_closed()
        assert running.counters()["qos2_refused"] == 1


@pytest.mark.parametrize(
    "limits", [Limits(retained_messages_max=2), Limits(retained_bytes_max=6)], ids=["messages", "bytes"]
)
def test_retained_messages_above_the_bound_are_routed_but_not_retained(limits: Limits) -> None:
    with serving(lambda: HubBroker(OPEN, limits=limits)) as running, connected(running.port, "one") as client:
        client.subscribe(("#", 0))
        for topic in ("s1", "s2", "s3"):
            client.publish(topic, b"x", retain=True)
        assert len(client.messages()) == 3
        client.publish("s1", b"y", retain=True)  # replacing is no growth
        client.publish("s2", b"", retain=True)
        client.publish("s3", b"z", retain=True)  # there is room again
        client.heard()
        client.subscribe(("#", 0))
        assert {message.payload for message in client.messages()} == {b"y", b"z"}
        assert running.counters()["retained_refused"] == 1


def test_a_reader_that_stalls_costs_a_bounded_number_of_bytes_and_loses_the_oldest_qos_0() -> None:
    bounds = {"outgoing_bytes_max": 64 << 10, "qos0_backlog_bytes_max": 64 << 10}
    with (
        bounded(**bounds) as running,
        connected(running.port, "writer") as writer,
        connected(running.port, "stalled") as stalled,
        connected(running.port, "reader") as reader,
    ):
        stalled.subscribe(("data", 0))
        reader.subscribe(("data", 0))
        sent = 0
        while running.counters()["dropped_slow_qos0"] < 100:
            for _ in range(100):
                writer.send(Publish("data", b"%08d" % sent + bytes(8_000)))
                assert int(reader.expect(Publish).payload[:8]) == sent, "others are not held up"
                sent += 1
        dropped = running.counters()["dropped_slow_qos0"]
        seen = [int(stalled.expect(Publish).payload[:8]) for _ in range(sent - dropped)]
        assert seen == sorted(seen)
        assert seen[-1] == sent - 1, "the newest is kept"
        assert stalled.messages() == []


def test_a_reader_whose_queue_is_full_is_disconnected_and_its_session_kept() -> None:
    bounds = {"inflight_messages_max": 4, "queue_messages_max": 6}
    with bounded(**bounds) as running, connected(running.port, "writer") as writer:
        with connected(running.port, "slow", clean=False) as slow:
            slow.subscribe(("data", 1))
            for number in range(10):
                writer.publish("data", b"%d" % number)
            assert len(slow.messages()) == 4
            writer.publish("data", b"10")
            assert slow.is_closed()
        counters = running.counters()
        assert (counters["slow_readers"], counters["dropped_queue_full"]) == (1, 1)
        assert (counters["sessions"], counters["queued_messages"]) == (2, 6)


def test_nothing_is_read_from_a_client_that_does_not_read_its_answers() -> None:
    with bounded(outgoing_bytes_max=16 << 10) as running, connected(running.port, "stalled") as stalled:
        (stalled_link,) = running.call(lambda: list(running.broker._reception.connections))
        stalled.socket.setblocking(False)
        flood = Pingreq().encode() * (1 << 16)
        while not running.call(lambda: stalled_link._writing_paused and stalled_link._reading_paused):
            with suppress(BlockingIOError):
                stalled.socket.send(flood)
        unsent_bytes = running.call(stalled_link._transport.get_write_buffer_size)
        assert unsent_bytes <= 2 * (16 << 10) + (256 << 10), "the bounds, and the answers to one read"
        before = running.counters()["bytes_in"]
        with connected(running.port, "other") as other:
            assert other.heard() == []
        assert running.counters()["bytes_in"] - before < 1000, "only the other was read"


def test_a_flood_of_packets_is_handled_a_part_a_turn_and_in_order() -> None:
    with bounded(packets_per_turn_max=7) as running, connected(running.port, "one") as client:
        client.subscribe(("a", 0))
        client.send(*[Publish("a", b"%d" % number) for number in range(1000)])
        assert [message.payload for message in client.messages()] == [b"%d" % number for number in range(1000)]


def test_the_caches_of_decisions_and_routes_start_anew_at_their_bounds() -> None:
    asked = []

    def may(account: Account, action: Action, topic: str, retain: bool) -> None:  # noqa: FBT001
        asked.append((account.name, action, topic, retain))

    gate = RuleGate(may, 2)
    peer = Peer(Account("node", ""), "node")
    for topic in ("a", "b", "a", "c", "a"):
        assert gate.refusal(Question(peer, Action.PUBLISH, topic)) is None
        assert len(peer.decisions) <= 2
    assert [topic for _, _, topic, _ in asked] == ["a", "b", "c", "a"]

    exchange = Exchange(gate, Limits(routes_max=2), Counters())
    for topic in ("a", "b", "c", "d"):
        exchange.route(Message(topic, b"", qos=0))
        assert len(exchange._routes) <= 2
