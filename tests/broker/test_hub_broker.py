"""What the process around the broker can do: decide who and where, consume with acknowledge, publish, revoke."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import uvloop
import websockets.sync.client
from websockets.typing import Subprotocol

from mqtt_hub.broker import (
    Account,
    Action,
    Credentials,
    Delivery,
    HubBroker,
    Limits,
    open_broker,
    serve_open,
)
from mqtt_hub.broker.packets import (
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Will,
)
from mqtt_hub.protocol.errors import ConfigurationError
from tests.broker.harness import LISTENERS, OPEN, Client, Running, connected, serving

ROLES = {"node": "trainer", "other": "trainer", "judge": "validator"}


@dataclass
class House:
    """The process around a broker: it knows the accounts, makes the rules and keeps what it consumes."""

    revoked: set[str] = field(default_factory=set)
    asked: list[tuple[str, str, str, bool]] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    visits: list[tuple[str, ...]] = field(default_factory=list)
    forbidden: set[tuple[str, str]] = field(default_factory=set)  # (action, topic)
    checking: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event | None = None

    async def authenticate(self, credentials: Credentials) -> Account | None:
        name = credentials.username or ""
        known = credentials.password == b"token" and name in ROLES and name not in self.revoked
        if self.go_on is not None:
            self.checking.set()
            await self.go_on.wait()
        return Account(name, ROLES[name]) if known else None

    def may(self, account: Account, action: Action, topic: str, retain: bool) -> str | None:  # noqa: FBT001
        self.asked.append((account.name, action, topic, retain))
        if topic.startswith("hidden") and account.role != "validator":
            return f"a {account.role} may not {action} {topic}"
        return "forbidden" if (action, topic) in self.forbidden else None

    def acknowledge_all(self) -> None:
        for delivery in self.deliveries:
            delivery.acknowledge()

    def connected(self, account: Account, client_id: str) -> None:
        self.visits.append(("connected", account.name, client_id))

    def disconnected(self, account: Account, client_id: str, reason: str) -> None:
        self.visits.append(("disconnected", account.name, client_id, reason))


@contextmanager
def house_serving(limits: Limits | None = None, *, consume: bool = False) -> Iterator[tuple[House, Running]]:
    house = House()

    def make() -> HubBroker:
        return HubBroker(
            {"listeners": LISTENERS},
            authenticate=house.authenticate,
            may=house.may,
            consumer=house.deliveries.append if consume else None,
            limits=limits,
            on_connected=house.connected,
            on_disconnected=house.disconnected,
        )

    with serving(make) as running:
        yield house, running


def wait_for_messages(running: Running, count: int) -> None:
    running.until(lambda counters: counters["messages_in"] >= count)


def enter(running: Running, name: str, client_id: str = "", **options: object) -> Client:
    return connected(running.port, client_id or name, username=name, password=b"token", **options)


# who


def test_only_known_accounts_are_let_in() -> None:
    with house_serving() as (_, running):
        for username, password in ((None, None), ("node", None), ("node", b"wrong"), ("nobody", b"token")):
            with Client(running.port) as client:
                assert client.connect("node", username=username, password=password) == Connack(False, 5)
                assert client.is_closed()
        with enter(running, "node") as node:
            assert node.heard() == []
        assert running.counters()["logins_refused"] == 4


def test_without_plugins_and_authenticator_nobody_is_let_in() -> None:
    with serving(lambda: HubBroker({"listeners": LISTENERS})) as running, Client(running.port) as client:
        assert client.connect("anyone").code == 5


def test_two_accounts_with_one_client_id_have_two_sessions() -> None:
    with house_serving() as (_, running), enter(running, "node", "same", clean=False) as node:
        node.subscribe(("a", 1))
        with enter(running, "other", "same", clean=False) as other, enter(running, "judge") as judge:
            judge.publish("a")
            assert other.messages() == []
            assert len(node.messages()) == 1


def test_an_authenticator_that_fails_closes_the_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def authenticate(credentials: Credentials) -> Account | None:
        if credentials.client_id == "unlucky":
            raise OSError("database is locked")
        return Account("node", "trainer")

    make = lambda: HubBroker({"listeners": LISTENERS}, authenticate=authenticate)  # noqa: E731
    with serving(make) as running, connected(running.port, "lucky") as lucky:
        with Client(running.port) as unlucky:
            unlucky.send(Connect("unlucky", username="u", password=b"hunter2"))
            assert unlucky.is_closed()
        assert lucky.heard() == []
    assert "database is locked" in caplog.text
    assert "hunter2" not in caplog.text


def test_who_comes_and_goes_is_told_in_order() -> None:
    with house_serving() as (house, running):
        with enter(running, "node", "first") as node:
            node.send(Disconnect())
            assert node.is_closed()
        with enter(running, "node", "second"):
            pass
        running.until(lambda counters: counters["connections"] == 0)
        assert house.visits == [
            ("connected", "node", "first"),
            ("disconnected", "node", "first", "DISCONNECT"),
            ("connected", "node", "second"),
            ("disconnected", "node", "second", "connection lost"),
        ]


# where


def test_the_rule_decides_on_publish_subscribe_and_receive() -> None:
    with house_serving() as (house, running), enter(running, "node") as node, enter(running, "judge") as judge:
        house.forbidden.add((Action.RECEIVE, "a/private"))
        assert node.subscribe(("hidden/#", 1), ("a/#", 1)) == (0x80, 1)
        assert judge.subscribe(("hidden/#", 1)) == (1,)
        node.publish("hidden/x")
        for topic in ("hidden/y", "a/private", "a/public"):
            judge.publish(topic)
        assert [message.topic for message in judge.messages()] == ["hidden/y"]
        assert [message.topic for message in node.messages()] == ["a/public"]
        assert running.counters()["publishes_refused"] == 1


def test_retained_messages_are_checked_too() -> None:
    with house_serving() as (house, running), enter(running, "node") as node:
        node.publish("a/private", retain=True)
        node.publish("a/public", retain=True)
        assert ("node", Action.PUBLISH, "a/public", True) in house.asked
        house.forbidden.add((Action.RECEIVE, "a/private"))
        node.subscribe(("a/#", 1))
        assert [message.topic for message in node.messages()] == ["a/public"]


def test_a_forbidden_will_is_refused_at_connect() -> None:
    with house_serving() as (_, running), Client(running.port) as client:
        will = Will("hidden/x", b"")
        assert client.connect("node", username="node", password=b"token", will=will).code == 5
        assert client.is_closed()
        assert running.counters()["wills_refused"] == 1


def test_a_will_is_checked_again_when_it_fires() -> None:
    with house_serving(consume=True) as (house, running), enter(running, "judge") as judge:
        judge.subscribe(("lost", 1))
        with enter(running, "node", will=Will("lost", b"node", 1)):
            house.forbidden.add((Action.PUBLISH, "lost"))
            running.call(lambda: running.broker.forget_access("node"))
        running.until(lambda counters: counters["publishes_refused"] == 1)
        assert judge.messages() == []
        assert [delivery.refused for delivery in house.deliveries] == ["forbidden"]


def test_decisions_are_cached_until_they_are_forgotten() -> None:
    with house_serving() as (house, running), enter(running, "node") as node:
        node.subscribe(("a", 0))
        for _ in range(3):
            node.publish("a")
        assert house.asked.count(("node", Action.PUBLISH, "a", False)) == 1
        assert house.asked.count(("node", Action.RECEIVE, "a", False)) == 1
        house.forbidden |= {(Action.PUBLISH, "a")}
        running.call(lambda: running.broker.forget_access("other"))
        node.publish("a")
        assert len(node.messages()) == 4
        running.call(lambda: running.broker.forget_access("node"))
        node.publish("a")
        assert node.messages() == []


# the consumer


def test_the_puback_waits_for_acknowledge_and_routing_does_not() -> None:
    with house_serving(consume=True) as (house, running), enter(running, "node") as node:
        with enter(running, "judge") as judge:
            judge.subscribe(("a", 1))
            node.send(Publish("a", b"x", 1, packet_id=7), Pingreq())
            assert isinstance(node.receive(), Pingresp)
            assert len(judge.messages()) == 1
        (delivery,) = house.deliveries
        expected = ("a", b"x", 1, False, "node", "node", None)
        assert (
            delivery.topic,
            delivery.payload,
            delivery.qos,
            delivery.retain,
            delivery.sender,
            delivery.client_id,
            delivery.refused,
        ) == expected
        for _ in range(2):  # the second is harmless
            running.call(delivery.acknowledge)
        assert node.heard() == [Puback(7)]
        assert running.counters()["unacknowledged_messages"] == 0


def test_acknowledgements_leave_in_the_order_of_the_messages() -> None:
    with house_serving(consume=True) as (house, running), enter(running, "node") as node:
        node.send(
            Publish("a", b"", 1, packet_id=1), Publish("a", b"", 2, packet_id=2), Publish("a", b"", 1, packet_id=3)
        )
        node.heard()
        running.call(house.deliveries[2].acknowledge)
        running.call(house.deliveries[1].acknowledge)
        assert node.heard() == []
        running.call(house.deliveries[0].acknowledge)
        assert node.heard() == [Puback(1), Pubrec(2), Puback(3)]


def test_refused_messages_are_consumed_with_their_reason_and_acknowledged() -> None:
    with house_serving(consume=True) as (house, running), enter(running, "node") as node:
        node.send(Publish("hidden/x", b"", 1, packet_id=1), Publish("$x", b"", 1, packet_id=2))
        assert node.heard() == []
        assert [delivery.refused for delivery in house.deliveries] == [
            "a trainer may not publish hidden/x",
            "topics that begin with $ belong to the broker",
        ]
        running.call(house.acknowledge_all)
        assert node.heard() == [Puback(1), Puback(2)]


def test_an_acknowledge_after_the_end_of_the_connection_is_harmless() -> None:
    with house_serving(consume=True) as (house, running):
        with enter(running, "node", will=Will("lost", b"")) as node:
            node.send(Publish("a", b"", 1, packet_id=1))
            node.heard()
        running.until(lambda counters: counters["unacknowledged_messages"] == 2)  # the message and the will
        assert [delivery.topic for delivery in house.deliveries] == ["a", "lost"]
        running.call(house.acknowledge_all)
        assert running.counters()["unacknowledged_messages"] == 0


def test_a_qos_2_message_repeated_on_a_new_connection_is_acknowledged_there_and_consumed_once() -> None:
    with house_serving(consume=True) as (house, running):
        with enter(running, "node", clean=False) as node:
            node.send(Publish("a", b"", 2, packet_id=1))
            assert node.heard() == []
        with enter(running, "node", clean=False) as node:
            node.send(Publish("a", b"", 2, dup=True, packet_id=1))
            assert node.heard() == []
            assert len(house.deliveries) == 1
            running.call(house.deliveries[0].acknowledge)
            assert node.heard() == [Pubrec(1)]
            node.send(Publish("a", b"", 2, dup=True, packet_id=1), Pubrel(1))
            assert len(node.heard()) == 2
        assert len(house.deliveries) == 1
        assert running.counters()["unacknowledged_messages"] == 0


@pytest.mark.parametrize(
    "limits",
    [
        Limits(unacknowledged_messages_max=5),
        Limits(unacknowledged_total_max=5),
        Limits(unacknowledged_bytes_max=5),
        Limits(unacknowledged_total_bytes_max=5),
    ],
    ids=["one connection", "all connections", "bytes of one connection", "bytes of all connections"],
)
def test_reading_stops_at_the_bound_of_the_unacknowledged_and_goes_on(limits: Limits) -> None:
    with house_serving(limits, consume=True) as (house, running), enter(running, "node") as node:
        node.send(*[Publish("a", b"%d" % n, 1, packet_id=n + 1) for n in range(12)], Pingreq())
        running.until(lambda counters: counters["unacknowledged_messages"] == 5)
        assert len(house.deliveries) == 5
        for number in range(12):
            wait_for_messages(running, number + 1)
            assert len(house.deliveries) <= number + 5
            running.call(house.deliveries[number].acknowledge)
        assert [node.expect(Puback).packet_id for _ in range(12)] == list(range(1, 13))
        node.expect(Pingresp)
        assert [delivery.payload for delivery in house.deliveries] == [b"%d" % n for n in range(12)]


def test_connections_stalled_by_all_together_are_resumed_in_turn() -> None:
    with (
        house_serving(Limits(unacknowledged_total_max=3), consume=True) as (house, running),
        enter(running, "node") as node,
        enter(running, "other") as other,
    ):
        node.send(*[Publish("a", b"", 1, packet_id=n + 1) for n in range(6)])
        running.until(lambda counters: counters["unacknowledged_messages"] == 3)
        other.send(*[Publish("b", b"", 1, packet_id=n + 1) for n in range(6)])
        acknowledged = 0
        while acknowledged < 12:
            running.until(lambda counters: counters["unacknowledged_messages"] > 0)
            running.call(house.deliveries[acknowledged].acknowledge)
            acknowledged += 1
        assert [node.expect(Puback).packet_id for _ in range(6)] == list(range(1, 7))
        assert [other.expect(Puback).packet_id for _ in range(6)] == list(range(1, 7))


def test_keep_alive_rests_while_the_broker_does_not_listen() -> None:
    with (
        house_serving(Limits(unacknowledged_messages_max=1), consume=True) as (house, running),
        enter(running, "node", keep_alive_s=1) as node,
        enter(running, "other", keep_alive_s=1) as other,
    ):
        node.send(Publish("a", b"", 1, packet_id=1), Pingreq())
        assert other.is_closed(), "its keep-alive runs out meanwhile"
        running.call(house.deliveries[0].acknowledge)
        assert isinstance(node.expect(Puback), Puback)
        node.expect(Pingresp)


# from within


def test_the_process_publishes_by_itself() -> None:
    with house_serving(consume=True) as (house, running), enter(running, "node") as node:
        node.subscribe(("a/#", 1), ("$b", 1))

        def publish() -> None:
            running.broker.publish("a/1", b"one")
            running.broker.publish("a/2", b"two", qos=0, retain=True)
            running.broker.publish("$b", b"three", qos=2)
            running.broker.publish("hidden/x", b"four")

        running.call(publish)
        assert [(m.topic, m.payload, m.qos) for m in node.messages()] == [
            ("a/1", b"one", 1),
            ("a/2", b"two", 0),
            ("$b", b"three", 1),
        ]
        assert house.deliveries == []
        assert not [question for question in house.asked if question[1] == Action.PUBLISH]
        assert running.counters()["retained_messages"] == 1


def test_disconnect_ends_all_connections_of_an_account_and_their_wills_fire() -> None:
    with house_serving() as (_, running), enter(running, "judge") as judge:
        judge.subscribe(("lost", 1))
        with (
            enter(running, "node", "one", clean=False, will=Will("lost", b"one")) as one,
            enter(running, "node", "two") as two,
            enter(running, "other") as other,
        ):
            one.subscribe(("a", 1))
            assert running.wait(running.broker.disconnect("node")) == 2
            assert one.is_closed()
            assert two.is_closed()
            assert other.heard() == []
            assert [message.payload for message in judge.messages()] == [b"one"]
        judge.publish("a")
        with enter(running, "node", "one", clean=False) as one:
            assert len(one.messages()) == 1


def test_disconnect_can_forget_the_sessions_of_an_account() -> None:
    with house_serving() as (_, running), enter(running, "judge") as judge:
        with enter(running, "node", clean=False) as node:
            node.subscribe(("a", 1))
            running.wait(running.broker.disconnect("node", forget_session=True))
            assert node.is_closed()
        judge.publish("a")
        counters = running.counters()
        assert (counters["sessions"], counters["subscriptions"], counters["queued_messages"]) == (1, 0, 0)
        with Client(running.port) as node:
            answer = node.connect("node", clean=False, username="node", password=b"token")
            assert answer == Connack(session_present=False, code=0)


def test_a_login_that_is_being_checked_while_its_account_is_revoked_is_refused() -> None:
    with house_serving() as (house, running), Client(running.port) as node:
        house.go_on = asyncio.Event()
        node.send(Connect("node", username="node", password=b"token"))
        running.wait(asyncio.wait_for(house.checking.wait(), 5))
        house.revoked.add("node")
        running.wait(running.broker.disconnect("node", forget_session=True))
        running.call(house.go_on.set)
        assert node.receive() == Connack(session_present=False, code=5)


# life


def test_a_port_in_use_is_a_configuration_error_with_a_hint(caplog: pytest.LogCaptureFixture) -> None:
    async def serve_twice(port: int) -> None:
        async with open_broker(port):
            pass

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}.*in use") as caught:
            asyncio.run(serve_twice(port))
    assert "another port" in caught.value.hint
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("bind", ["127.0.0.1:99999", "127.0.0.1:http", "192.0.2.1:0"])
def test_an_address_that_cannot_be_had_is_a_configuration_error(bind: str) -> None:
    async def start() -> None:
        await HubBroker({"listeners": {"default": {"type": "tcp", "bind": bind}}}).start()

    with pytest.raises(ConfigurationError, match="cannot listen on"):
        asyncio.run(start())


def test_a_stop_closes_all_connections_without_their_wills() -> None:
    with house_serving(consume=True) as (house, running):
        client = enter(running, "node", will=Will("lost", b""))
        half_open = Client(running.port)
        running.until(lambda counters: counters["connections"] == 2)
    with client, half_open:
        assert client.is_closed()
        assert half_open.is_closed()
    assert house.deliveries == []
    assert house.visits[-1] == ("disconnected", "node", "node", "the broker stops")


def test_serve_open_tells_its_port_and_stops_when_it_is_cancelled() -> None:
    async def serve() -> int:
        ports: asyncio.Queue[int] = asyncio.Queue()
        task = asyncio.create_task(serve_open(0, started=ports.put_nowait))
        port = await ports.get()
        await asyncio.to_thread(lambda: connected(port, "anyone").drop())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        return port

    port = asyncio.run(serve())
    with pytest.raises(ConnectionError):
        Client(port)


def test_it_works_under_uvloop() -> None:
    async def serve() -> list[Publish]:
        async with open_broker(0) as broker:
            return await asyncio.to_thread(talk, broker.port)

    def talk(port: int) -> list[Publish]:
        with connected(port, "reader") as reader, connected(port, "writer") as writer:
            reader.subscribe(("a", 1))
            for _ in range(100):
                writer.publish("a")
            return reader.messages()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert len(runner.run(serve())) == 100


def test_websocket_carries_the_stream_in_any_split_and_half_a_packet_is_nothing() -> None:
    listeners = {"default": {"type": "ws", "bind": "127.0.0.1:0"}}
    with serving(lambda: HubBroker({**OPEN, "listeners": listeners})) as running:
        address = f"ws://127.0.0.1:{running.port}"
        mqtt = [Subprotocol("mqtt")]
        with websockets.sync.client.connect(address, subprotocols=mqtt) as reader:
            stream = Connect("reader").encode() + Subscribe(1, (("a", 0),)).encode()
            for byte in stream:
                reader.send(bytes((byte,)))
            answer = b""
            while len(answer) < 9:
                frame = reader.recv(5)
                assert isinstance(frame, bytes)
                answer += frame
            assert answer == Connack(False, 0).encode() + Suback(1, (0,)).encode()
            with websockets.sync.client.connect(address, subprotocols=mqtt) as writer:
                writer.send(Connect("writer").encode() + Publish("a", b"whole").encode())
                writer.send(Publish("a", bytes(100)).encode()[:-1])
            assert reader.recv(5) == Publish("a", b"whole").encode()
            reader.send(Pingreq().encode())
            assert reader.recv(5) == Pingresp().encode()


def test_a_consumer_that_raises_ends_the_connection_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    def consume(delivery: Delivery) -> None:
        if delivery.topic == "bad":
            raise RuntimeError("the consumer's own fault")
        delivery.acknowledge()

    with serving(lambda: HubBroker(OPEN, consumer=consume)) as running, connected(running.port, "good") as good:
        with connected(running.port, "bad") as bad:
            bad.send(Publish("bad", b"", 1, packet_id=1))
            assert bad.is_closed()
        good.publish("good")
    assert "the consumer's own fault" in caplog.text


def test_where_somebody_always_comes_and_goes_garbage_is_collected_all_the_same(open_hub: Running) -> None:
    """A crowd that settles is cleared away after; one that never does, every minute."""

    class Ring:
        """Refers to itself: no count of references frees it."""

        def __init__(self) -> None:
            self.itself = self

    gc.disable()
    try:
        left = weakref.ref(Ring())
        for number in range(6):
            assert left() is not None
            with connected(open_hub.port, f"c{number}"):
                open_hub.call(open_hub.broker._keep_house)
        assert left() is None
    finally:
        gc.enable()
