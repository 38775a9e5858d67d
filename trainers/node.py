"""What every node needs: connection, presence, HELLO, reconnect; the courier does the rest.

::

    connected ──▶ subscribe ──▶ STATUS init ──▶ HELLO ──▶ TRAINING_SYNC ──┬─ refused: `check` raises
        ▲                                        ▲ every 5 s until then   └─ accepted: STATUS ready, outbox sent
        └── back-off 1 … 30 s ◀── lost ◀─────────┴── the hub's status says it is back

The network has a thread of its own (paho's). It fills ``inbox``; the node's loop empties it.

A disk that refuses makes the search wait, not end; a damaged outbox is set aside and the node goes on in a new
session, which only the hub can give it: it knows which keys were used.
"""

from __future__ import annotations

import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from mqtt_hub.protocol.bodies import Body, Capabilities, Hello, Receipt, Status, TrainingSync
from mqtt_hub.protocol.codec import Message, decode, encode, scope_of, stamp
from mqtt_hub.protocol.errors import AccessDeniedError, MqttHubError, ProtocolError
from mqtt_hub.protocol.table import HUB, RESERVED, TABLE, MessageType
from mqtt_hub.protocol.tls import Tls
from mqtt_hub.protocol.topics import DEFAULT_PREFIX, build, parse, subscriptions
from trainers.courier import WINDOW_MESSAGES
from trainers.mailroom import Mailroom
from trainers.outbox_file import OutboxError, OutboxWaitError
from trainers.telemetry import Telemetry, Word

__all__ = ["Node", "NodeSettings"]

INBOX_MESSAGES_MAX = 2_000  # beyond it the oldest goes unheard, counted: what peers share can be had again
WAIT_S = 0.5  # between two tries of an outbox that takes nothing
HELLO_EVERY_S = 5.0
HELLO_AGAIN_S = 1.0  # after the last one at the earliest, whatever the hub says of itself
SILENCE_S = 15.0  # without a piece of the workloads that are missing; a slow link takes 4 s for one
KEEP_ALIVE_S = 20
QUEUED_MESSAGES_MAX = 2 * WINDOW_MESSAGES  # in the MQTT client; beyond it what the outbox has is sent later
BACKOFF_S_MAX = 30

_DENIALS = ("Not authorized", "Bad user name or password")  # any other refusal may pass


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Who the node is and where its hub is; ``home`` keeps the outbox and the workloads.

    ``peers``: whether it hears the STATUS of other nodes too.
    """

    name: str
    role: str
    specialization: str
    kinds: tuple[str, ...]
    token: str = field(repr=False)
    home: Path
    host: str = "127.0.0.1"
    port: int = 1883
    prefix: str = DEFAULT_PREFIX
    tls: Tls | None = None
    peers: bool = False
    capabilities: Capabilities = field(default_factory=Capabilities)


class Node:
    """One node's connection to its hub."""

    def __init__(
        self,
        settings: NodeSettings,
        *,
        have: Callable[[], tuple[str, ...]],
        stop: threading.Event,
        partial: Callable[[], Mapping[str, int]] = dict,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.log = logging.getLogger(settings.name)
        self.inbox: queue.Queue[Message] = queue.Queue(INBOX_MESSAGES_MAX)
        self.unheard = 0
        self._quarantined: frozenset[str] = frozenset()
        self._claims: tuple[tuple[str, ...], int] = ((), 0)  # workloads, and for how many seconds
        self._hub_session = 0  # as its status last said
        self._clock, self._have, self._stop = clock, have, stop
        self._partial = partial
        self._telemetry = Telemetry()
        self._mail = Mailroom(settings.home / "outbox.db", self._publish, clock, self.log)
        self._instance = secrets.token_hex(8)
        self._ready = threading.Event()
        self._failure: MqttHubError | None = None
        self._greeted_at = self._fed_at = 0.0
        self._will_session = self._mail.session
        self._client = self._new_client()

    def start(self) -> None:
        """Begin to connect, in the background; `check` tells of what cannot be mended by waiting."""
        self._client.connect_async(self.settings.host, self.settings.port, keepalive=KEEP_ALIVE_S)
        self._client.loop_start()

    @property
    def ready(self) -> bool:
        """Whether the hub has accepted this node on the present connection."""
        return self._ready.is_set()

    @property
    def session(self) -> int:
        """The session of this start; the hub's word once `ready`."""
        return self._mail.session

    def pending(self) -> int:
        """Return how many messages have no receipt yet; raises `OutboxError`."""
        return self._mail.pending()

    @property
    def dropped(self) -> int:
        """How many messages of telemetry were dropped."""
        return self._telemetry.dropped

    def check(self) -> None:
        """Raise what ended this node: a wrong token, a refused HELLO. Retries and mends the rest; call it often."""
        if self._mail.damaged:
            self._begin_anew()
        if self._failure is not None:
            raise self._failure
        self._send_telemetry()
        if self.ready and self._will_session != self._mail.session:
            self._renew_will()
        if self._client.is_connected() and not self.ready and self._since(self._greeted_at) > HELLO_EVERY_S:
            self.greet()
        if self.ready:
            self._mail.resend_overdue()

    def greet(self) -> None:
        """Say HELLO (again): the answer tells best components, workloads and, to a validator, what waits."""
        self._greeted_at = self._clock()
        hello = Hello(
            role=self.settings.role,  # type: ignore[arg-type]
            specialization=self.settings.specialization,
            kinds=self.settings.kinds,
            instance=self._instance,
            capabilities=self.settings.capabilities,
            have=self._have(),
            partial=self._partial(),
        )
        self.tell(MessageType.HELLO, hello, correlation_id=f"{self._instance}.{int(self._greeted_at * 1000)}")

    def ask_again(self, after_s: float = SILENCE_S) -> None:
        """Say HELLO again when the last one, and the last piece of a workload, is so long ago.

        What has not come, or was not told, comes then; while pieces still come, asking would only double them.
        """
        if self.ready and min(self._since(self._greeted_at), self._since(self._fed_at)) > after_s:
            self.greet()

    def share(
        self, type_: MessageType, body: Body, *, recipient: str = "", correlation_id: str = "", expires_at: str = ""
    ) -> None:
        """Commit a message to the outbox and send it. At its bound, or where its disk refuses, wait: nothing is lost.

        Raises `OutboxWaitError` when the node is told to stop while it waits.
        """
        message = self._message(type_, body, correlation_id, expires_at)
        while True:
            try:
                if self._mail.submit(message, recipient):
                    return
                self.check()
            except OutboxWaitError:
                self.check()
                if self._stop.wait(WAIT_S):
                    raise

    def tell(self, type_: MessageType, body: Body, *, correlation_id: str = "") -> None:
        """Send what wants no receipt; telemetry waits its turn, and at its bound the oldest is dropped and counted."""
        message = self._message(type_, body, correlation_id, "")
        if TABLE[type_].qos == 0:
            self._telemetry.put(Word(self._topic(type_, scope_of(message)), encode(message)))
            self._send_telemetry()
        else:
            self._publish(type_, scope_of(message), encode(message))

    def claim(self, workloads: tuple[str, ...], lifetime_s: int) -> None:
        """Tell in this node's status what its next rounds go to; the next connection tells it too."""
        self._claims = workloads, lifetime_s
        if self.ready:
            self._client.publish(*self._status("ready"), qos=1, retain=True)

    def stop(self, *, patience_s: float = 5.0) -> None:
        """Wait a while for the last receipts, say good-bye, disconnect. What has no receipt stays for next time."""
        deadline = time.monotonic() + patience_s
        with suppress(OutboxError):
            while self.ready and self._mail.pending() and time.monotonic() < deadline:
                self._send_telemetry()
                time.sleep(0.02)
        if self._client.is_connected():
            topic, payload = self._status("disconnected")
            try:
                self._client.publish(topic, payload, qos=1, retain=True).wait_for_publish(1.0)
            except (ValueError, RuntimeError):
                self.log.warning("the hub did not hear the good-bye")
        self._client.disconnect()
        self._client.loop_stop()
        self._mail.close()

    # -- below: the network's thread ---------------------------------------------------------------------------

    def _new_client(self) -> mqtt.Client:
        # A persistent session: what peers say during a short loss of the network is delivered afterwards.
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=self.settings.name, clean_session=False, protocol=mqtt.MQTTv311
        )
        client.username_pw_set(self.settings.name, self.settings.token)
        if self.settings.tls is not None:
            client.tls_set_context(self.settings.tls.context())
        client.reconnect_delay_set(1, BACKOFF_S_MAX)
        client.max_inflight_messages_set(WINDOW_MESSAGES)
        client.max_queued_messages_set(QUEUED_MESSAGES_MAX)
        client.will_set(*self._status("lost"), qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _renew_will(self) -> None:
        """Connect again with a will of the granted session: one of an earlier session would count for nothing."""
        self._client.disconnect()
        self._client.loop_stop()
        self._will_session = self._mail.session
        self._client = self._new_client()  # one that is started twice keeps its first pair of sockets open for ever
        self.start()

    def _on_connect(
        self, client: mqtt.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        settings = self.settings
        if reason.is_failure and reason.getName() not in _DENIALS:
            self.log.warning("the broker is not ready for us, trying again: %s", reason)
            return
        if reason.is_failure:
            self._failure = AccessDeniedError(
                f"the hub at {settings.host}:{settings.port} refused {settings.name}: unknown account, or wrong or"
                " revoked token",
                hint=f"the operator makes a new token: mqtt-hub node rotate {settings.name}",
            )
            client.disconnect()
            return
        self._greeted_at = self._clock()  # as good as: HELLO follows as soon as the subscriptions stand
        filters = subscriptions(
            settings.role, settings.name, settings.kinds, peers=settings.peers, prefix=settings.prefix
        )
        client.subscribe([(topic, 1) for topic in filters])

    def _on_connect_fail(self, _client: mqtt.Client, _userdata: Any) -> None:
        why = ", or its certificate is not trusted" if self.settings.tls else ""
        self.log.warning("nobody answers at %s:%d%s, trying again", self.settings.host, self.settings.port, why)

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        was_ready = self.ready
        self._ready.clear()
        self._mail.shut()
        if was_ready and reason.is_failure:
            self.log.warning("connection lost, going on alone and trying again")

    def _on_subscribe(
        self, client: mqtt.Client, _userdata: Any, _mid: int, codes: list[ReasonCode], _properties: Any
    ) -> None:
        if any(code.is_failure for code in codes):
            self._failure = AccessDeniedError(
                f"the broker refused a subscription of {self.settings.name}",
                hint=f"is its account one of a {self.settings.role}? mqtt-hub node list shows it",
            )
            return
        if self.ready:  # the persistent session brought the hub's word before the answer to this, and we greeted
            return
        # Only now that we can hear the answer.
        client.publish(*self._status("init"), qos=1, retain=True)
        self.greet()

    def _on_message(self, _client: mqtt.Client, _userdata: Any, raw: mqtt.MQTTMessage) -> None:
        try:
            message = decode(bytes(raw.payload), parse(raw.topic, prefix=self.settings.prefix))
            self._take(message, retained=raw.retain)
        except ProtocolError as error:
            self.log.warning("a message on %s does not follow the protocol: %s", raw.topic, error)

    def _take(self, message: Message, *, retained: bool) -> None:
        if message.type is MessageType.RECEIPT:
            self._on_receipt(message.body)
        elif message.type is MessageType.TRAINING_SYNC:
            # An answer to an earlier start of this node may come late.
            if message.correlation_id.startswith(self._instance) and self._on_sync(message.body):
                self._keep(message)
        elif message.type is MessageType.STATUS:
            if message.sender == HUB:
                self._on_hub(message.body, retained=retained)
            elif message.sender not in {self.settings.name, *RESERVED, *self._quarantined}:
                self._keep(message)
        elif message.sender in self._quarantined and TABLE[message.type].sequenced:
            return  # the hub refuses it; a broker other than the hub's own has passed it on all the same
        elif message.sender != self.settings.name:
            if message.type in (MessageType.WORKLOAD, MessageType.WORKLOAD_HIDDEN):
                self._fed_at = self._clock()
            self._keep(message)

    def _keep(self, message: Message) -> None:
        while True:
            try:
                self.inbox.put_nowait(message)
            except queue.Full:
                self.unheard += 1
                with suppress(queue.Empty):  # the node's loop may just have made room
                    self.inbox.get_nowait()
            else:
                return

    def _on_hub(self, hub: Status, *, retained: bool) -> None:
        self._shun(hub)
        if hub.state != "ready":
            return
        # It is back after a restart that our connection did not notice: announce ourselves again, and be told what it
        # had decided and could say to nobody any more.
        restarted = self._hub_session not in (0, hub.session)
        self._hub_session = hub.session
        # Once: all that it said while we were away waits in the broker and comes now, before its answer.
        unanswered = not self.ready and self._since(self._greeted_at) > HELLO_AGAIN_S
        if not retained and (restarted or unanswered):
            self.greet()

    def _shun(self, hub: Status) -> None:
        """Take up whom the hub has under quarantine; its last will, as old as its connection, takes back none."""
        named = frozenset(hub.quarantined)
        if hub.state == "lost":
            named |= self._quarantined
        if named != self._quarantined:
            self._quarantined = named
            self.log.info(
                "not listened to, the hub has them under quarantine: %s", ", ".join(sorted(named)) or "nobody"
            )

    def _on_sync(self, sync: TrainingSync) -> bool:
        if not sync.accepted:
            self._failure = AccessDeniedError(f"the hub refused {self.settings.name}: {sync.reason}")
            return False
        if not self._mail.open(sync.session, sync.receipts):
            return False  # HELLO is said again until the disk takes what the answer says
        if not self.ready:
            self._ready.set()
            self._client.publish(*self._status("ready"), qos=1, retain=True)
            self.log.info("accepted by the hub: session %d, %d peers", sync.session, len(sync.peers))
        return True

    def _on_receipt(self, receipt: Receipt) -> None:
        self._mail.receipt(receipt.committed)
        for rejection in receipt.rejected:
            self.log.warning("the hub rejected message %d: %s", rejection.seq, rejection.reason)

    # -- below: both threads -------------------------------------------------------------------------------------

    def _begin_anew(self) -> None:
        """Set a damaged outbox aside and ask the hub for a session in which no key was ever used."""
        self._ready.clear()
        self._instance = secrets.token_hex(8)  # as after a start: the old instance would get the old session
        self._mail.begin_anew()
        if self._client.is_connected():
            self.greet()

    def _publish(self, type_: MessageType, scope: str, payload: bytes) -> None:
        row = TABLE[type_]
        self._client.publish(self._topic(type_, scope), payload, qos=row.qos, retain=row.retain)

    def _topic(self, type_: MessageType, scope: str) -> str:
        return build(type_, self.settings.name, scope, prefix=self.settings.prefix)

    def _send_telemetry(self) -> None:
        """Send telemetry while nothing else waits to be written: it never stands in the way of what must arrive."""
        while self._client.is_connected() and not self._client.want_write():
            word = self._telemetry.take()
            if word is None:
                return
            self._client.publish(word.topic, word.payload, qos=0)

    def _status(self, state: str) -> tuple[str, bytes]:
        settings = self.settings
        claims, claims_s = self._claims if state == "ready" else ((), 0)  # who goes, or begins, has none
        body = Status(
            state,  # type: ignore[arg-type]
            self._mail.session,
            settings.role,  # type: ignore[arg-type]
            settings.specialization,
            claims=claims,
            claims_s=claims_s,
        )
        topic = build(MessageType.STATUS, settings.name, prefix=settings.prefix)
        return topic, encode(self._message(MessageType.STATUS, body, "", ""))

    def _message(self, type_: MessageType, body: Body, correlation_id: str, expires_at: str) -> Message:
        return Message(
            type_,
            self.settings.name,
            self._mail.session,
            stamp(self._clock()),
            body,
            correlation_id=correlation_id,
            expires_at=expires_at,
        )

    def _since(self, at: float) -> float:
        return abs(self._clock() - at)
