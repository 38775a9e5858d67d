"""A broker in a thread of its own, and a client that says exactly the bytes that a test wants said."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from mqtt_hub.broker import HubBroker
from mqtt_hub.broker.packets import (
    Connack,
    Connect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Will,
)
from mqtt_hub.broker.parser import Parser

DEADLINE_S = 10.0  # what must happen happens far earlier
PACKET_BYTES_MAX = 1 << 20
T = TypeVar("T")
P = TypeVar("P", bound=Packet)


class Running:
    """A started broker; ``call`` and ``wait`` work on its loop's thread."""

    def __init__(self, broker: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.broker = broker
        self.loop = loop

    @property
    def port(self) -> int:
        server = next(iter(self.broker._servers.values()))
        port: int = server.instance.sockets[0].getsockname()[1]
        return port

    def call(self, function: Callable[[], T]) -> T:
        async def on_loop() -> T:
            return function()

        return self.wait(on_loop())

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(DEADLINE_S)

    def counters(self) -> dict[str, int]:
        counters: dict[str, int] = self.call(self.broker.counters)
        return counters

    def until(self, condition: Callable[[dict[str, int]], bool]) -> dict[str, int]:
        """Return the counters as soon as they meet the condition."""
        end = time.monotonic() + DEADLINE_S
        while not condition(counters := self.counters()):
            assert time.monotonic() < end, counters
        return counters


@contextlib.contextmanager
def serving(make: Callable[[], Any]) -> Iterator[Running]:
    """Run the broker that ``make`` makes in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin() -> Any:
        broker = make()
        await broker.start()
        return broker

    try:
        broker = asyncio.run_coroutine_threadsafe(begin(), loop).result(DEADLINE_S)
        try:
            yield Running(broker, loop)
        finally:
            asyncio.run_coroutine_threadsafe(_end(broker), loop).result(2 * DEADLINE_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE_S)
        loop.close()


async def _end(broker: Any) -> None:
    stock = not isinstance(broker, HubBroker)
    try:
        await asyncio.wait_for(broker.shutdown(), DEADLINE_S)
    except Exception:
        if not stock:
            raise
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    assert stock or not left, f"tasks outlive the broker: {left}"


class SilenceError(AssertionError):
    """What was expected did not come."""


class ClosedError(AssertionError):
    """The broker closed the connection where an answer was expected."""


class Client:
    """A scripted MQTT client on a blocking socket. Leaving its context drops the connection without DISCONNECT."""

    def __init__(self, where: int | Path) -> None:
        """Connect to a port of loopback, or a Unix socket."""
        if isinstance(where, Path):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(DEADLINE_S)
            self.socket.connect(str(where))
        else:
            self.socket = socket.create_connection(("127.0.0.1", where), DEADLINE_S)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = Parser(PACKET_BYTES_MAX)
        self._packet_id = 0
        self._passed_over: list[Packet] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()

    def drop(self) -> None:
        self.socket.close()

    def send(self, *packets: Packet | bytes) -> None:
        self.socket.sendall(b"".join(p if isinstance(p, bytes) else p.encode() for p in packets))

    def receive(self, within_s: float = DEADLINE_S) -> Packet:
        """Return the next packet. Raises SilenceError at the deadline, ClosedError at the end."""
        return self._passed_over.pop(0) if self._passed_over else self._from_wire(within_s)

    def _from_wire(self, within_s: float) -> Packet:
        end = time.monotonic() + within_s
        while (packet := self._parser.next()) is None:
            left_s = end - time.monotonic()
            if left_s <= 0:
                raise SilenceError(f"nothing came within {within_s} s")
            self.socket.settimeout(left_s)
            try:
                data = self.socket.recv(1 << 16)
            except TimeoutError:
                continue
            except ConnectionError:
                data = b""
            if not data:
                raise ClosedError
            self._parser.feed(data)
        return packet

    def expect(self, kind: type[P], within_s: float = DEADLINE_S) -> P:
        """Return the next packet of a kind; others before it are kept for later."""
        for index, packet in enumerate(self._passed_over):
            if isinstance(packet, kind):
                del self._passed_over[index]
                return packet
        end = time.monotonic() + within_s
        while not isinstance(packet := self._from_wire(end - time.monotonic()), kind):
            self._passed_over.append(packet)
        return packet

    def is_closed(self, within_s: float = DEADLINE_S) -> bool:
        """Say whether the broker closes the connection by then."""
        end = time.monotonic() + within_s
        try:
            while True:
                self.receive(end - time.monotonic())
        except ClosedError:
            return True
        except SilenceError:
            return False

    def connect(
        self,
        client_id: str,
        *,
        clean: bool = True,
        keep_alive_s: int = 0,
        username: str | None = None,
        password: bytes | None = None,
        will: Will | None = None,
    ) -> Connack:
        self.send(Connect(client_id, clean, keep_alive_s, username, password, will))
        return self.expect(Connack)

    def subscribe(self, *filters: tuple[str, int]) -> tuple[int, ...]:
        self._packet_id += 1
        self.send(Subscribe(self._packet_id, filters))
        return self.expect(Suback).codes

    def publish(self, topic: str, payload: bytes = b"x", *, qos: int = 1, retain: bool = False) -> None:
        """Publish; return when the broker has taken the message over (QoS 0 and 1)."""
        self._packet_id += 1
        self.send(Publish(topic, payload, qos, retain, packet_id=self._packet_id if qos else 0))
        if qos == 1:
            assert self.expect(Puback).packet_id == self._packet_id

    def heard(self) -> list[Packet]:
        """Return all that the broker sends up to now: up to its answer to a ping."""
        self.send(Pingreq())
        packets: list[Packet] = []
        while not isinstance(packet := self.receive(), Pingresp):
            packets.append(packet)
        return packets

    def messages(self) -> list[Publish]:
        return [packet for packet in self.heard() if isinstance(packet, Publish)]


def connected(where: int | Path, client_id: str, **options: Any) -> Client:
    """Return a client that has been let in."""
    client = Client(where)
    assert client.connect(client_id, **options).code == 0
    return client


LISTENERS: dict[str, Any] = {"default": {"type": "tcp", "bind": "127.0.0.1:0"}}
OPEN: dict[str, Any] = {
    "listeners": LISTENERS,
    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
}
SECRET = b"secret"


class Passwords(BaseAuthPlugin):  # type: ignore[misc]
    """Lets in who knows the secret."""

    async def authenticate(self, *, session: Session) -> bool | None:
        await asyncio.sleep(0)
        return bool(session.password == SECRET.decode())


class Rules(BaseTopicPlugin):  # type: ignore[misc]
    """Takes its time, fails on raise/…, keeps secret/… to the owner."""

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        for _ in range(3):
            await asyncio.sleep(0)
        assert session is not None
        assert topic is not None
        if topic.startswith("raise/") and action is Action.PUBLISH:
            raise RuntimeError("a plugin's own fault")
        return session.username == "owner" or not topic.startswith("secret/")


def plugin_config(*, rules: bool = False) -> dict[str, Any]:
    """Return a configuration that both amqtt's broker and ours take."""
    plugins: dict[str, Any] = {"tests.broker.harness.Passwords": {}}
    if rules:
        plugins["tests.broker.harness.Rules"] = {}
    return {"listeners": {"default": dict(LISTENERS["default"])}, "plugins": plugins}


def stock_broker(*, rules: bool = False) -> Any:
    return Broker(plugin_config(rules=rules))


__all__ = [
    "DEADLINE_S",
    "LISTENERS",
    "OPEN",
    "SECRET",
    "Client",
    "ClosedError",
    "Passwords",
    "Rules",
    "Running",
    "SilenceError",
    "connected",
    "plugin_config",
    "serving",
    "stock_broker",
]
