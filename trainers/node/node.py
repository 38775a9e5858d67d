"""`Node`: what must arrive, what need not, what it hears, and the hub's answer before all of it.

::

    connected ──▶ subscribe ──▶ STATUS init ──▶ HELLO ──▶ TRAINING_SYNC ──┬─ refused: `check` raises
        ▲                                        ▲ every 5 s until then   └─ accepted: STATUS ready, outbox sent
        └── back-off 1 … 30 s ◀── lost ◀─────────┴── the hub's status says it is back

The network has a thread of its own. It fills ``inbox``; the node's loop empties it.

A disk that refuses makes the search wait, not end; a damaged outbox is set aside and the node goes on in a new
session, which only the hub can give it: it knows which keys were used.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from mqtt_hub.protocol.bodies import Body, Receipt, Status, TrainingSync
from mqtt_hub.protocol.codec import Message, encode, scope_of, stamp
from mqtt_hub.protocol.errors import AccessDeniedError
from mqtt_hub.protocol.table import HUB, TABLE, MessageType
from mqtt_hub.protocol.topics import build
from trainers.mailroom import Mailroom
from trainers.node.connection import Connection, Events
from trainers.node.inbox import Inbox
from trainers.node.presence import Presence
from trainers.node.settings import NodeSettings
from trainers.node.telemetry import Telemetry, Word
from trainers.outbox_file import OutboxError, OutboxWaitError

__all__ = ["Node"]

WAIT_S = 0.5  # between two tries of an outbox that takes nothing
HELLO_EVERY_S = 5.0
HELLO_AGAIN_S = 1.0  # after the last one at the earliest, whatever the hub says of itself
SILENCE_S = 15.0  # without a piece of the workloads that are missing; a slow link takes 4 s for one


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
        self.inbox = Inbox(settings.name, self.log)
        self._clock, self._stop = clock, stop
        self._presence = Presence(settings, have=have, partial=partial)
        self._telemetry = Telemetry()
        self._mail = Mailroom(settings.home / "outbox.db", self._publish, clock, self.log)
        self._ready = threading.Event()
        self._failure: AccessDeniedError | None = None
        self._hub_session = 0  # as its status last said
        self._greeted_at = self._fed_at = 0.0
        self._will_session = 0
        events = Events(self._on_connected, self._on_subscribed, self._on_lost, self._on_message, self._on_refused)
        self._connection = Connection(settings, self.log, events, self._last_will)

    def start(self) -> None:
        """Begin to connect, in the background; `check` tells of what cannot be mended by waiting."""
        self._connection.begin()

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
            self._connection.begin_anew()  # a will of an earlier session would count for nothing
        if self._connection.stands and not self.ready and self._since(self._greeted_at) > HELLO_EVERY_S:
            self.greet()
        if self.ready:
            self._mail.resend_overdue()

    def greet(self) -> None:
        """Say HELLO (again): the answer tells best components, workloads and, to a validator, what waits."""
        self._greeted_at = self._clock()
        correlation_id = f"{self._presence.instance}.{int(self._greeted_at * 1000)}"
        self.tell(MessageType.HELLO, self._presence.hello(), correlation_id=correlation_id)

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
        self._presence.claim(workloads, lifetime_s)
        if self.ready:
            self._connection.publish(*self._status("ready"), qos=1, retain=True)

    def stop(self, *, patience_s: float = 5.0) -> None:
        """Wait a while for the last receipts, say good-bye, disconnect. What has no receipt stays for next time."""
        deadline = time.monotonic() + patience_s
        with suppress(OutboxError):
            while self.ready and self._mail.pending() and time.monotonic() < deadline:
                self._send_telemetry()
                time.sleep(0.02)
        self._connection.close(*self._status("disconnected"))
        self._mail.close()

    # -- below: the network's thread ---------------------------------------------------------------------------

    def _on_connected(self) -> None:
        self._greeted_at = self._clock()  # as good as: HELLO follows as soon as the subscriptions stand

    def _on_subscribed(self) -> None:
        if self.ready:  # the persistent session brought the hub's word before the answer to this, and we greeted
            return
        # Only now that we can hear the answer.
        self._connection.publish(*self._status("init"), qos=1, retain=True)
        self.greet()

    def _on_lost(self, failed: bool) -> None:  # noqa: FBT001 — one of `Events`
        was_ready = self.ready
        self._ready.clear()
        self._mail.shut()
        if was_ready and failed:
            self.log.warning("connection lost, going on alone and trying again")

    def _on_refused(self, error: AccessDeniedError) -> None:
        self._failure = error

    def _on_message(self, message: Message, retained: bool) -> None:  # noqa: FBT001 — one of `Events`
        if message.type is MessageType.RECEIPT:
            self._on_receipt(message.body)
        elif message.type is MessageType.TRAINING_SYNC:
            # An answer to an earlier start of this node may come late.
            if message.correlation_id.startswith(self._presence.instance) and self._on_sync(message.body):
                self.inbox.keep(message)
        elif message.type is MessageType.STATUS and message.sender == HUB:
            self._on_hub(message.body, retained=retained)
        else:
            if message.type in (MessageType.WORKLOAD, MessageType.WORKLOAD_HIDDEN):
                self._fed_at = self._clock()
            self.inbox.hear(message)

    def _on_hub(self, hub: Status, *, retained: bool) -> None:
        self.inbox.shun(hub)
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

    def _on_sync(self, sync: TrainingSync) -> bool:
        if not sync.accepted:
            self._on_refused(AccessDeniedError(f"the hub refused {self.settings.name}: {sync.reason}"))
            return False
        if not self._mail.open(sync.session, sync.receipts):
            return False  # HELLO is said again until the disk takes what the answer says
        if not self.ready:
            self._ready.set()
            self._connection.publish(*self._status("ready"), qos=1, retain=True)
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
        self._presence.begin_anew()
        self._mail.begin_anew()
        if self._connection.stands:
            self.greet()

    def _publish(self, type_: MessageType, scope: str, payload: bytes) -> None:
        row = TABLE[type_]
        self._connection.publish(self._topic(type_, scope), payload, qos=row.qos, retain=row.retain)

    def _topic(self, type_: MessageType, scope: str) -> str:
        return build(type_, self.settings.name, scope, prefix=self.settings.prefix)

    def _send_telemetry(self) -> None:
        """Send telemetry while nothing else waits to be written: it never stands in the way of what must arrive."""
        while self._connection.idle:
            word = self._telemetry.take()
            if word is None:
                return
            self._connection.publish(word.topic, word.payload, qos=0)

    def _last_will(self) -> tuple[str, bytes]:
        self._will_session = self._mail.session
        return self._status("lost")

    def _status(self, state: str) -> tuple[str, bytes]:
        body = self._presence.status(state, self._mail.session)
        return self._topic(MessageType.STATUS, ""), encode(self._message(MessageType.STATUS, body, "", ""))

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
