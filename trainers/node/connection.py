"""A node's MQTT: connect, subscribe, hear, publish; lost, it comes again by itself.

::

    begin() ──▶ connected ──▶ subscribe ──▶ subscribed       bytes in ──▶ Message ──▶ heard
        ▲           └─ denied ──▶ refused
        └── back-off 1 … BACKOFF_S_MAX ◀── lost

Every word right of an arrow is one of `Events`, called on the network's thread (paho's).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from mqtt_hub.protocol.codec import Message, decode
from mqtt_hub.protocol.errors import AccessDeniedError, ProtocolError
from mqtt_hub.protocol.topics import parse, subscriptions
from trainers.courier import WINDOW_MESSAGES
from trainers.node.settings import NodeSettings

__all__ = ["Connection", "Events"]

KEEP_ALIVE_S = 20
QUEUED_MESSAGES_MAX = 2 * WINDOW_MESSAGES  # in the MQTT client; beyond it what the outbox has is sent later
BACKOFF_S_MAX = 30
GOODBYE_S_MAX = 1.0  # for the hub to hear the last word

_DENIALS = ("Not authorized", "Bad user name or password")  # any other refusal may pass


@dataclass(frozen=True, slots=True)
class Events:
    """What the connection tells its node."""

    connected: Callable[[], None]
    subscribed: Callable[[], None]
    lost: Callable[[bool], None]  # whether it was a failure
    heard: Callable[[Message, bool], None]  # whether the broker had kept it
    refused: Callable[[AccessDeniedError], None]


class Connection:
    """The MQTT client of one node; ``last_will`` is asked for its topic and payload whenever a client is made."""

    def __init__(
        self, settings: NodeSettings, log: logging.Logger, events: Events, last_will: Callable[[], tuple[str, bytes]]
    ) -> None:
        self._settings, self._log, self._events, self._last_will = settings, log, events, last_will
        self._client = self._new_client()

    def begin(self) -> None:
        """Begin to connect, in the background."""
        self._client.connect_async(self._settings.host, self._settings.port, keepalive=KEEP_ALIVE_S)
        self._client.loop_start()

    def begin_anew(self) -> None:
        """Disconnect, and connect with another last will."""
        self._end()
        self._client = self._new_client()  # one that is started twice keeps its first pair of sockets open for ever
        self.begin()

    @property
    def stands(self) -> bool:
        """Whether the broker has let the node in."""
        return self._client.is_connected()

    @property
    def idle(self) -> bool:
        """Whether it stands and nothing waits to be written."""
        return self._client.is_connected() and not self._client.want_write()

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> None:
        """Send a message, or queue it up to the client's bound."""
        self._client.publish(topic, payload, qos=qos, retain=retain)

    def close(self, topic: str, payload: bytes) -> None:
        """Say a last word, retained, and disconnect."""
        if self._client.is_connected():
            try:
                self._client.publish(topic, payload, qos=1, retain=True).wait_for_publish(GOODBYE_S_MAX)
            except (ValueError, RuntimeError):
                self._log.warning("the hub did not hear the good-bye")
        self._end()

    def _end(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _new_client(self) -> mqtt.Client:
        # A persistent session: what peers say during a short loss of the network is delivered afterwards.
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=self._settings.name, clean_session=False, protocol=mqtt.MQTTv311
        )
        client.username_pw_set(self._settings.name, self._settings.token)
        if self._settings.tls is not None:
            client.tls_set_context(self._settings.tls.context())
        client.reconnect_delay_set(1, BACKOFF_S_MAX)
        client.max_inflight_messages_set(WINDOW_MESSAGES)
        client.max_queued_messages_set(QUEUED_MESSAGES_MAX)
        client.will_set(*self._last_will(), qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    # -- below: the network's thread ---------------------------------------------------------------------------

    def _on_connect(
        self, client: mqtt.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        settings = self._settings
        if reason.is_failure and reason.getName() not in _DENIALS:
            self._log.warning("the broker is not ready for us, trying again: %s", reason)
            return
        if reason.is_failure:
            self._events.refused(
                AccessDeniedError(
                    f"the hub at {settings.host}:{settings.port} refused {settings.name}: unknown account, or wrong or"
                    " revoked token",
                    hint=f"the operator makes a new token: mqtt-hub node rotate {settings.name}",
                )
            )
            client.disconnect()
            return
        self._events.connected()
        filters = subscriptions(
            settings.role, settings.name, settings.kinds, peers=settings.peers, prefix=settings.prefix
        )
        client.subscribe([(topic, 1) for topic in filters])

    def _on_connect_fail(self, _client: mqtt.Client, _userdata: Any) -> None:
        why = ", or its certificate is not trusted" if self._settings.tls else ""
        self._log.warning("nobody answers at %s:%d%s, trying again", self._settings.host, self._settings.port, why)

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        self._events.lost(reason.is_failure)

    def _on_subscribe(
        self, _client: mqtt.Client, _userdata: Any, _mid: int, codes: list[ReasonCode], _properties: Any
    ) -> None:
        if any(code.is_failure for code in codes):
            self._events.refused(
                AccessDeniedError(
                    f"the broker refused a subscription of {self._settings.name}",
                    hint=f"is its account one of a {self._settings.role}? mqtt-hub node list shows it",
                )
            )
            return
        self._events.subscribed()

    def _on_message(self, _client: mqtt.Client, _userdata: Any, raw: mqtt.MQTTMessage) -> None:
        try:
            self._events.heard(decode(bytes(raw.payload), parse(raw.topic, prefix=self._settings.prefix)), raw.retain)
        except ProtocolError as error:
            self._log.warning("a message on %s does not follow the protocol: %s", raw.topic, error)
