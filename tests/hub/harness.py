"""A hub in a thread of its own, and a client that logs in as any account and sends any bytes.

::

    make_home() ─▶ hub_on(home) ─▶ RunningHub ─▶ RawClient (paho) ── publish / expect ──┐
                                      └─ rows(): the archive as a reader beside it sees it ◀┘
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from mqtt_hub.accounts import Accounts
from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.cli.home import create_home
from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.hub import CollaborativeKernelHub
from mqtt_hub.protocol.bodies import Receipt, TrainingSync
from mqtt_hub.protocol.codec import Message, decode, encode
from mqtt_hub.protocol.errors import ProtocolError
from mqtt_hub.protocol.table import TABLE, MessageType, Scope
from mqtt_hub.protocol.topics import build, parse, subscriptions
from tests.protocol.examples import KIND, changed, message, scope

__all__ = ["DEADLINE_S", "RawClient", "RunningHub", "hub_on", "make_home", "rows", "until"]

DEADLINE_S = 20.0  # what must happen happens far earlier
NOW = "2026-01-31T12:00:00.000Z"
T = TypeVar("T")


def until(condition: Callable[[], T], told: Callable[[], object] = str) -> T:
    """Return the condition's value as soon as it is true."""
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {DEADLINE_S:g} s in vain; {told()}"
        time.sleep(0.005)  # between two looks
    return value


def make_home(path: Path, roles: dict[str, str] | None = None) -> Home:
    """Make a hub's home with an account for each name; its token is kept where the observer's is."""
    home = Home(path)
    create_home(home, Config(port=0, dashboard=False))
    accounts = Accounts(home.accounts_path)
    for name, role in (roles or {}).items():
        home.keep_token(name, accounts.add(name, role, "memory_management", NOW))
    accounts.close()
    return home


def rows(home: Home, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Ask the archive, as a reader beside the hub."""
    db = open_read_only(home.archive_path)
    with closing(db.conn):
        return list(db.conn.execute(sql, values).fetchall())


class RunningHub:
    """A started hub; `call` works on its loop's thread."""

    def __init__(self, home: Home, hub: CollaborativeKernelHub, loop: asyncio.AbstractEventLoop) -> None:
        self.home, self.hub, self._loop = home, hub, loop
        self.port = hub.source.port

    def call(self, function: Callable[[], T]) -> T:
        async def on_loop() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(on_loop(), self._loop).result(DEADLINE_S)

    def status(self) -> dict[str, Any]:
        return self.call(self.hub.get_hub_status)

    def until(self, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Return the hub's status as soon as it meets the condition."""
        return until(lambda: status if condition(status := self.status()) else None, self.status) or {}

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return rows(self.home, sql, *values)

    def busy_timeout(self, milliseconds: int) -> None:
        """Let the archive give up sooner, so that a test need not wait for it."""
        self.hub._db.execute(f"PRAGMA busy_timeout = {milliseconds}")


@contextmanager
def hub_on(home: Home) -> Iterator[RunningHub]:
    """Run a hub on a home in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin() -> CollaborativeKernelHub:
        hub = CollaborativeKernelHub(home, home.config())
        await hub.start()
        return hub

    try:
        hub = asyncio.run_coroutine_threadsafe(begin(), loop).result(DEADLINE_S)
        try:
            yield RunningHub(home, hub, loop)
        finally:
            asyncio.run_coroutine_threadsafe(hub.stop(), loop).result(DEADLINE_S)
            for task in hub._tasks:
                assert task.done()
                assert task.cancelled() or task.exception() is None, "a loop of the hub has failed"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE_S)
        loop.close()


class RawClient:
    """One account's connection; sends what it is told to, well-formed or not."""

    def __init__(
        self,
        running: RunningHub,
        name: str,
        *,
        role: str = "trainer",
        token: str | None = None,
        client_id: str | None = None,
        filters: list[str] | None = None,
        clean: bool = True,
        will: tuple[str, bytes] | None = None,
    ) -> None:
        self.name, self.role, self.session = name, role, 0
        self._port = running.port
        self._filters = subscriptions(role, name, (KIND,)) if filters is None else filters
        self._news = threading.Condition()
        self._heard: list[Message] = []
        self.raw: list[tuple[str, bytes, bool]] = []
        self.code: int | None = None
        self.granted: list[bool] | None = None
        self.disconnected = False
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=name if client_id is None else client_id,
            clean_session=clean,
            protocol=mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        self._client.username_pw_set(name, running.home.token(name) if token is None else token)
        if will is not None:
            self._client.will_set(*will, qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        """Connect; where the hub lets it in, subscribe."""
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        self._await(lambda: self.code is not None)
        if self.code == 0 and self._filters:
            self._client.subscribe([(filter_, 1) for filter_ in self._filters])
            self._await(lambda: self.granted is not None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def drop(self) -> None:
        """Lose the connection without a word, as a dead node does."""
        sock = self._client.socket()
        assert isinstance(sock, socket.socket)
        sock.shutdown(socket.SHUT_RDWR)
        self._await(lambda: self.disconnected)

    # sending

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> mqtt.MQTTMessageInfo:
        return self._client.publish(topic, payload, qos=qos, retain=retain)

    def say(self, type_: MessageType, *, seq: int = 0, to: str = "", **changes: Any) -> mqtt.MQTTMessageInfo:
        """Publish the example of a type as this account, with other fields in its body."""
        return self.publish(*self.composed(type_, seq=seq, to=to, **changes))

    def composed(
        self, type_: MessageType, *, seq: int = 0, to: str = "", session: int | None = None, **changes: Any
    ) -> tuple[str, bytes]:
        """Return topic and payload of that message."""
        made = message(type_, self.name, session=self.session if session is None else session, seq=seq)
        made = replace(made, body=changed(made.body, **changes))
        last = to if TABLE[type_].scope is Scope.RECIPIENT else scope(type_)
        return build(type_, self.name, last), encode(made)

    def greet(self, *, session: int = 1, **changes: Any) -> TrainingSync:
        """Say HELLO and return the answer; take the session that it grants."""
        changes = {"role": self.role, "have": (), **changes}
        self.say(MessageType.HELLO, session=session, **changes)
        sync: TrainingSync = self.expect(MessageType.TRAINING_SYNC).body
        self.session = sync.session
        return sync

    # hearing

    def expect(self, type_: MessageType, condition: Callable[[Any], object] = bool) -> Message:
        """Return the next message of a type whose body meets the condition; others stay for later."""

        def found() -> Message | None:
            return next((m for m in self._heard if m.type is type_ and condition(m.body)), None)

        self._await(found)
        with self._news:
            message_ = found()
            assert message_ is not None
            self._heard.remove(message_)
            return message_

    def receipt(self, upto: int, *, session: int | None = None) -> Receipt:
        """Return the first receipt that says so much is committed."""
        wanted = self.session if session is None else session

        def says(receipt: Receipt) -> bool:
            return receipt.committed.session == wanted and receipt.committed.upto >= upto

        body: Receipt = self.expect(MessageType.RECEIPT, says).body
        return body

    def rejection(self, words: str) -> Receipt:
        """Return the receipt that names a rejection with these words."""
        body: Receipt = self.expect(
            MessageType.RECEIPT, lambda receipt: any(words in rejected.reason for rejected in receipt.rejected)
        ).body
        return body

    def heard(self, type_: MessageType) -> list[Message]:
        with self._news:
            return [message_ for message_ in self._heard if message_.type is type_]

    def _await(self, condition: Callable[[], object]) -> None:
        with self._news:
            arrived = self._news.wait_for(condition, DEADLINE_S)
            assert arrived, f"{self.name} waited {DEADLINE_S:g} s in vain; it heard {str(self._heard[-5:])[:2000]}"

    # paho's thread

    def _on_connect(self, _client: Any, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        with self._news:
            self.code = int(reason.value)
            self._news.notify_all()

    def _on_subscribe(self, _client: Any, _userdata: Any, _mid: Any, codes: Any, _properties: Any) -> None:
        with self._news:
            self.granted = [not code.is_failure for code in codes]
            self._news.notify_all()

    def _on_disconnect(self, *_: Any) -> None:
        with self._news:
            self.disconnected = True
            self._news.notify_all()

    def _on_message(self, _client: Any, _userdata: Any, raw: mqtt.MQTTMessage) -> None:
        with self._news:
            self.raw.append((raw.topic, bytes(raw.payload), bool(raw.retain)))
            try:
                self._heard.append(decode(bytes(raw.payload), parse(raw.topic)))
            except ProtocolError:
                return
            self._news.notify_all()
