"""A node on strings: a valid account that sends whatever it is told to, well-formed or not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from mqtt_hub.protocol.bodies import Body, Hello
from mqtt_hub.protocol.codec import Message, decode, encode, scope_of, stamp
from mqtt_hub.protocol.errors import MqttHubError, ProtocolError
from mqtt_hub.protocol.table import TABLE, MessageType
from mqtt_hub.protocol.topics import build, parse, subscriptions

__all__ = ["DEADLINE_S", "KIND", "Puppet"]

DEADLINE_S = 60.0  # for what happens in a moment
KIND = "page_replacement"


class Puppet:
    """One connection; use it with ``with``."""

    def __init__(self, name: str, token: str, port: int) -> None:
        self.name, self.session, self._seq = name, 0, 0
        self.sent: list[tuple[str, bytes]] = []
        self._soon: list[mqtt.MQTTMessageInfo] = []
        self._token, self._port = token, port
        self._news = threading.Condition()
        self._heard: list[Message] = []
        self._granted: list[bool] | None = None
        self.refused_connection: bool | None = None
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv311)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        """Connect, subscribe to what a trainer hears, say HELLO."""
        self.connect(self.name)
        self.subscribe(subscriptions("trainer", self.name, (KIND,)))
        hello = Hello("trainer", "memory_management", (KIND,), f"{self.name}-instance")
        self.say(MessageType.HELLO, hello)
        self.session = self.expect(MessageType.TRAINING_SYNC).body.session
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def connect(self, username: str) -> bool:
        """Connect as an account with this puppet's token; say whether it was let in."""
        self._client.username_pw_set(username, self._token)
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        self._await(lambda: self.refused_connection is not None)
        return not self.refused_connection

    def subscribe(self, filters: list[str]) -> list[bool]:
        """Subscribe; return what was granted."""
        self._granted = None
        self._client.subscribe([(filter_, 1) for filter_ in filters])
        self._await(lambda: self._granted is not None)
        return self._granted or []

    def say(self, type_: MessageType, body: Body, *, sender: str = "", recipient: str = "") -> None:
        """Publish a well-formed message, in another's name where one is given."""
        sequenced = TABLE[type_].sequenced
        self._seq += sequenced
        message = Message(
            type_, sender or self.name, self.session or 1, stamp(0.0), body, self._seq if sequenced else None,
            correlation_id=f"{sender or self.name}.{self._seq}",
        )  # fmt: skip
        self.publish(build(type_, sender or self.name, scope_of(message, recipient)), encode(message))

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish bytes and wait until the broker has taken them, which is when the hub has archived them."""
        self.sent.append((topic, payload))
        self._client.publish(topic, payload, qos=1).wait_for_publish(DEADLINE_S)

    def publish_soon(self, topic: str, payload: bytes) -> None:
        """Publish bytes and go on; `settle` waits for all of them."""
        self._soon.append(self._client.publish(topic, payload, qos=1))

    def settle(self) -> None:
        """Wait until the broker has taken what was published soon."""
        while self._soon:
            self._soon.pop().wait_for_publish(DEADLINE_S)

    def heard(self) -> list[Message]:
        """Return everything that was heard."""
        with self._news:
            return list(self._heard)

    def expect(self, type_: MessageType, condition: Callable[[Any], bool] = lambda _body: True) -> Message:
        """Return the first message of a type whose body meets the condition."""

        def found() -> Message | None:
            return next((heard for heard in self._heard if heard.type is type_ and condition(heard.body)), None)

        self._await(lambda: found() is not None)
        message = found()
        if message is None:
            raise AssertionError
        return message

    def _await(self, condition: Callable[[], bool]) -> None:
        with self._news:
            if not self._news.wait_for(condition, DEADLINE_S):
                raise MqttHubError(f"{self.name} waited {DEADLINE_S:g} s in vain")

    def _on_connect(self, _client: Any, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        with self._news:
            self.refused_connection = reason.is_failure
            self._news.notify_all()

    def _on_subscribe(self, _client: Any, _userdata: Any, _mid: Any, codes: Any, _properties: Any) -> None:
        with self._news:
            self._granted = [not code.is_failure for code in codes]
            self._news.notify_all()

    def _on_message(self, _client: Any, _userdata: Any, raw: mqtt.MQTTMessage) -> None:
        try:
            message = decode(bytes(raw.payload), parse(raw.topic))
        except ProtocolError:
            return
        with self._news:
            self._heard.append(message)
            self._news.notify_all()
