"""The hub's side of the packets, against a broker that says exactly what a test wants said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mqtt_hub.accounts import AccountBook, Accounts
from mqtt_hub.broker.delivery import Delivery
from mqtt_hub.broker.packets import (
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Will,
)
from mqtt_hub.broker.parser import Parser
from mqtt_hub.external.dialer import Login
from mqtt_hub.external.outgoing import SUBSCRIBE_ID
from mqtt_hub.external.settings import BrokerSettings
from mqtt_hub.external.source import ExternalSource
from mqtt_hub.protocol.errors import (
    AccessDeniedError,
    BrokerUnavailableError,
    ConfigurationError,
    MqttHubError,
    ProtocolError,
)

DEADLINE_S = 10.0
WILL = Will("kernel/v1/status/hub", b"lost", 1, retain=True)
TOPIC = "kernel/v1/hello/AI_Node_1"


class Side:
    """The broker's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._parser = Parser(1 << 20)

    async def expect(self) -> Packet | None:
        """Return the hub's next packet but for pings, None at the end."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                packet = self._parser.next()
                if packet is None:
                    data = await self._reader.read(1 << 16)
                    if not data:
                        return None
                    self._parser.feed(data)
                elif not isinstance(packet, Pingreq):
                    return packet

    def send(self, *packets: Packet | bytes) -> None:
        self._writer.write(b"".join(packet if isinstance(packet, bytes) else packet.encode() for packet in packets))

    async def let_in(self, *, session_present: bool = False) -> Connect:
        """Take CONNECT, and SUBSCRIBE where the session is new."""
        connect = await self.expect()
        assert isinstance(connect, Connect)
        self.send(Connack(session_present, 0))
        if not session_present:
            assert await self.expect() == Subscribe(SUBSCRIBE_ID, (("kernel/v1/#", 1),))
            self.send(Suback(SUBSCRIBE_ID, (1,)))
        return connect

    def close(self) -> None:
        self._writer.close()


Script = Callable[["Bench"], Awaitable[None]]


class Bench:
    """A source and the connections it makes."""

    def __init__(self, book: AccountBook) -> None:
        self._book = book
        self.sides: asyncio.Queue[Side] = asyncio.Queue()
        self.deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        self.source: ExternalSource
        self._server: asyncio.Server

    async def serve(self, **settings: float) -> None:
        """Listen, and make a source that finds us."""
        self._server = await asyncio.start_server(
            lambda reader, writer: self.sides.put_nowait(Side(reader, writer)), "127.0.0.1", 0
        )
        port = self._server.sockets[0].getsockname()[1]
        self.source = ExternalSource(
            BrokerSettings(url=f"mqtt://hub@127.0.0.1:{port}", **settings),  # type: ignore[arg-type]
            Login("hub-1", lambda: b"secret", None),
            accounts=self._book,
            prefix="kernel",
        )

    async def side(self) -> Side:
        """Return the next connection."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.sides.get()

    def begin(self) -> asyncio.Task[None]:
        """Let the source start."""
        return asyncio.create_task(self.source.start(self.deliveries.put_nowait, WILL))

    async def begun(self) -> Side:
        """Let the source start and be let in."""
        start = self.begin()
        side = await self.side()
        await side.let_in()
        await start
        return side

    async def delivered(self) -> Delivery:
        async with asyncio.timeout(DEADLINE_S):
            return await self.deliveries.get()

    async def close(self) -> None:
        await self.source.stop()
        self._server.close()
        while not self.sides.empty():
            self.sides.get_nowait().close()


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Script], None]:
    """Return what runs a script with a bench and leaves nothing behind."""
    accounts = Accounts(tmp_path / "accounts.db", create=True)
    accounts.add("AI_Node_1", "trainer", "", "2026-01-31T12:00:00.000Z")

    async def run(script: Script) -> None:
        bench = Bench(AccountBook(accounts))
        try:
            await script(bench)
        finally:
            await bench.close()
            accounts.close()

    return lambda script: asyncio.run(run(script))


def test_connect_says_who_we_are_and_leaves_a_will(play: Callable[[Script], None]) -> None:
    async def script(bench: Bench) -> None:
        await bench.serve(keep_alive_s=7)
        start = bench.begin()
        side = await bench.side()
        assert await side.let_in() == Connect("hub-1", False, 7, "hub", b"secret", WILL)
        await start
        stop = asyncio.create_task(bench.source.stop())
        assert isinstance(await side.expect(), Disconnect), "so that the will is not published"
        side.close()
        await stop

    play(script)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Connack(session_present=False, code=1), ProtocolError, "does not speak MQTT 3.1.1"),
        (Connack(session_present=False, code=2), ConfigurationError, "client id 'hub-1'"),
        (Connack(session_present=False, code=3), BrokerUnavailableError, "not available now"),
        (Connack(session_present=False, code=4), AccessDeniedError, "refuses hub: unknown user, or wrong password"),
        (Connack(session_present=False, code=5), AccessDeniedError, "password_file"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", BrokerUnavailableError, "does it speak MQTT there"),
    ],
)
def test_every_refusal_has_its_reason(
    play: Callable[[Script], None], answer: Packet | bytes, kind: type[MqttHubError], words: str
) -> None:
    async def script(bench: Bench) -> None:
        await bench.serve()
        start = bench.begin()
        side = await bench.side()
        await side.expect()
        side.send(answer)
        with pytest.raises(kind, match=words) as caught:
            await start
        assert str(caught.value).startswith("the broker at 127.0.0.1:")
        side.close()

    play(script)


def test_a_subscription_that_is_refused_ends_the_start(play: Callable[[Script], None]) -> None:
    async def script(bench: Bench) -> None:
        await bench.serve()
        start = bench.begin()
        side = await bench.side()
        await side.expect()
        side.send(Connack(session_present=False, code=0))
        await side.expect()
        side.send(Suback(SUBSCRIBE_ID, (0x80,)))
        with pytest.raises(AccessDeniedError, match="subscribe to kernel/v1/#"):
            await start
        side.close()

    play(script)


def test_a_broker_that_says_nothing_is_left_after_the_connect_timeout(play: Callable[[Script], None]) -> None:
    async def script(bench: Bench) -> None:
        await bench.serve(connect_timeout_s=0.05)
        start = bench.begin()
        side = await bench.side()
        with pytest.raises(BrokerUnavailableError, match=r"within 0\.05 s"):
            await start
        assert isinstance(await side.expect(), Connect)
        assert await side.expect() is None, "the connection is closed"
        side.close()

    play(script)


def test_a_broker_that_falls_silent_is_left_and_tried_again(play: Callable[[Script], None]) -> None:
    async def script(bench: Bench) -> None:
        await bench.serve(keep_alive_s=1)
        side = await bench.begun()
        assert await side.expect() is None
        side.close()
        await (again := await bench.side()).let_in()
        assert bench.source.counters()["keep_alive_expired"] == 1
        again.close()

    play(script)


def test_pubacks_follow_the_acknowledge_in_the_order_of_arrival(play: Callable[[Script], None]) -> None:
    async def script(bench: Bench) -> None:
        await bench.serve()
        side = await bench.begun()
        ids = (9, 3, 700)
        side.send(*[Publish(TOPIC, b"x", 1, packet_id=number) for number in ids])
        first, second, third = [await bench.delivered() for _ in ids]
        third.acknowledge()
        second.acknowledge()
        bench.source.publish("kernel/v1/status/hub", b"our own", qos=1, retain=True)
        own = await side.expect()
        assert isinstance(own, Publish), "nothing is acknowledged before what came earlier is"
        first.acknowledge()
        assert [await side.expect() for _ in ids] == [Puback(number) for number in ids]
        side.close()

    play(script)


def test_our_own_words_come_back_and_go_no_further(play: Callable[[Script], None]) -> None:
    async def script(bench: Bench) -> None:
        await bench.serve()
        side = await bench.begun()
        for number, sender in enumerate(("hub", "broker"), 1):
            side.send(Publish(f"kernel/v1/status/{sender}", b"x", 1, packet_id=number))
            assert await side.expect() == Puback(number)
        assert bench.deliveries.empty()
        assert bench.source.counters()["echoes"] == 2
        side.close()

    play(script)


def test_after_a_loss_the_session_goes_on_where_the_broker_has_kept_it(play: Callable[[Script], None]) -> None:
    async def script(bench: Bench) -> None:
        await bench.serve()
        side = await bench.begun()
        bench.source.publish("kernel/v1/receipt/hub/AI_Node_1", b"receipt", qos=1, retain=False)
        sent = await side.expect()
        assert isinstance(sent, Publish)
        side.send(Publish(TOPIC, b"x", 1, packet_id=1))
        late = await bench.delivered()
        side.close()
        again = await bench.side()
        await again.let_in(session_present=True)
        assert await again.expect() == sent._replace(dup=True), "and SUBSCRIBE is not repeated"
        again.send(Puback(sent.packet_id), Publish(TOPIC, b"x", 1, dup=True, packet_id=1))
        repeated = await bench.delivered()
        late.acknowledge()  # its connection is gone: no PUBACK on the new one
        bench.source.publish("kernel/v1/receipt/hub/AI_Node_1", b"next", qos=1, retain=False)
        own = await again.expect()
        assert isinstance(own, Publish)
        repeated.acknowledge()
        assert await again.expect() == Puback(1)
        assert bench.source.counters()["unacknowledged"] == 0
        again.send(Puback(own.packet_id))
        again.close()

    play(script)


def test_a_session_that_the_broker_has_lost_is_subscribed_again(play: Callable[[Script], None]) -> None:
    async def script(bench: Bench) -> None:
        await bench.serve()
        (await bench.begun()).close()
        again = await bench.side()
        await again.let_in(session_present=False)
        again.close()

    play(script)


@pytest.mark.parametrize(
    "packet", [Publish(TOPIC, b"x", 2, packet_id=1), Connack(session_present=False, code=0), Pingreq(), b"\xf0\x00"]
)
def test_what_no_broker_says_ends_the_connection(play: Callable[[Script], None], packet: Packet | bytes) -> None:
    async def script(bench: Bench) -> None:
        await bench.serve()
        side = await bench.begun()
        side.send(packet)
        assert await side.expect() is None
        side.close()
        await (again := await bench.side()).let_in()
        assert bench.source.counters()["malformed"] == 1
        again.close()

    play(script)
