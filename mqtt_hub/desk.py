"""What the hub itself says: TRAINING_SYNC, RECEIPT, VERDICT, STATUS and the workloads.

Everything sent is kept in ``sent`` until the next batch archives it. Workload chunks are archived without
their data: the file of that digest lies in the home, and hidden parts stay out of a database people browse. The
hub's status is archived without its numbers: they are the archive's own.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from sqlite_utils import Database

from mqtt_hub.archive.queries import welcome
from mqtt_hub.batch import REJECTIONS_MAX, Greeting, Key
from mqtt_hub.broker.packets import Will
from mqtt_hub.intake import Accepted
from mqtt_hub.ledger import Ledger
from mqtt_hub.protocol.bodies import Body, Receipt, Rejection, Status, TrainingSync, Verdict
from mqtt_hub.protocol.codec import Message, encode, scope_of, stamp, to_json
from mqtt_hub.protocol.errors import ArchiveError, MqttHubError, ProtocolError
from mqtt_hub.protocol.table import BROKER, HUB, TABLE, MessageType
from mqtt_hub.protocol.topics import build
from mqtt_hub.registry import Registry
from mqtt_hub.sources import Source
from mqtt_hub.transfers import Transfers
from mqtt_hub.workload_store import WorkloadStore

__all__ = ["Desk"]

BEST_MAX = 16
PATTERNS_MAX = 8
PEERS_MAX = 128
QUARANTINED_MAX = 256  # named to nodes
PENDING_MAX = 4  # a validator asks again when it has judged these
WORKLOADS_MAX = 128
VERDICTS_MAX = 8
CHUNKS_PER_TICK_MAX = 16  # of workloads, 768 KiB: the queues of slow readers keep up, whoever asks however often


_log = logging.getLogger("mqtt_hub.desk")


def _shorter(sync: TrainingSync) -> Iterator[TrainingSync]:
    """Yield the answer, then shorter ones: what nodes sent may be so long that together it fits no envelope."""
    yield sync
    yield replace(sync, best=sync.best[:2], patterns=(), pending=sync.pending[:1])
    yield replace(sync, best=(), patterns=(), pending=sync.pending[:1])
    yield replace(sync, best=(), patterns=(), pending=(), peers=())
    yield replace(sync, best=(), patterns=(), pending=(), peers=(), verdicts=(), receipts=sync.receipts[:1])


class Desk:
    """Writes and sends the hub's own messages."""

    def __init__(
        self,
        db: Database,
        source: Source,
        registry: Registry,
        ledger: Ledger,
        workloads: WorkloadStore,
        *,
        session: int,
        prefix: str,
        clock: Callable[[], float],
    ) -> None:
        self._db, self._source, self._registry, self._ledger = db, source, registry, ledger
        self._workloads = workloads
        self._session, self._prefix, self._clock = session, prefix, clock
        self._transfers = Transfers(clock)
        self._owed: dict[Key, list[Rejection]] = {}
        self.sent: list[Accepted] = []
        self.quarantined: tuple[str, ...] = ()  # whom nobody shall listen to

    def take_sent(self) -> list[Accepted]:
        """Return what was sent since the last call."""
        sent, self.sent = self.sent, []
        return sent

    def owe_receipts(self, receipts: dict[Key, list[Rejection]]) -> bool:
        """Note which sessions are to be told, and what was rejected; True for the first since the last were sent."""
        first = bool(receipts) and not self._owed
        for key, rejected in receipts.items():
            if len(self._owed.get(key, ())) + len(rejected) > REJECTIONS_MAX:
                self._send_receipt(key, self._owed.pop(key))
            self._owed.setdefault(key, []).extend(rejected)
        return first

    def send_receipts(self) -> None:
        """Tell each session touched how far it is committed and what was rejected."""
        owed, self._owed = self._owed, {}
        for key, rejected in owed.items():
            self._send_receipt(key, rejected)

    def _send_receipt(self, key: Key, rejected: list[Rejection]) -> None:
        receipt = Receipt(self._ledger.receipt(*key), tuple(rejected))
        self._send(MessageType.RECEIPT, receipt, recipient=key[0])

    def answers(self, greetings: list[Greeting]) -> list[TrainingSync | MqttHubError]:
        """Return the TRAINING_SYNC for each HELLO; reads archive and files, so call it in the archive's thread."""
        self._workloads.refresh()
        return [self._answer(greeting) for greeting in greetings]

    def _answer(self, greeting: Greeting) -> TrainingSync | MqttHubError:
        try:
            return self._sync(greeting)
        except sqlite3.Error as error:
            return ArchiveError(str(error))
        except MqttHubError as error:
            return error

    def _sync(self, greeting: Greeting) -> TrainingSync:
        hello, node = greeting.hello.message.body, greeting.hello.message.sender
        if greeting.refused:
            return TrainingSync(accepted=False, reason=greeting.refused, session=0)
        return TrainingSync(
            accepted=True,
            reason=welcome.reason(self._db, node),
            session=greeting.session,
            receipts=tuple(
                receipt for session in greeting.earlier if (receipt := self._ledger.receipt(node, session)).highest
            ),
            peers=self._registry.peers(but=node)[:PEERS_MAX],
            best=welcome.best_components(self._db, hello.kinds, limit=BEST_MAX),
            patterns=welcome.best_patterns(self._db, hello.kinds, limit=PATTERNS_MAX),
            pending=welcome.pending_components(self._db, node, hello.kinds, limit=PENDING_MAX)
            if hello.role == "validator"
            else (),
            verdicts=welcome.verdicts_on(self._db, node, limit=VERDICTS_MAX),
            workloads=tuple(stored.entry for stored in self._workloads.for_role(hello.role, hello.kinds))[
                :WORKLOADS_MAX
            ],
        )

    def greet(self, greeting: Greeting, sync: TrainingSync) -> None:
        """Send the answer to a HELLO, and put in line the workloads that the node does not have."""
        message = greeting.hello.message
        for fitting in _shorter(sync):
            try:
                self._send(
                    MessageType.TRAINING_SYNC, fitting, recipient=message.sender, correlation_id=message.correlation_id
                )
                break
            except ProtocolError as error:
                _log.warning("TRAINING_SYNC for %s is shortened: %s", message.sender, error)
        if not greeting.refused:
            have = set(message.body.have)
            for stored in self._workloads.for_role(message.body.role, message.body.kinds):
                if stored.entry.id not in have:
                    self._transfers.ask(stored, message.body.partial.get(stored.entry.id, 0))

    def tell_verdict(self, verdict: Verdict) -> None:
        """Tell everybody what a quorum came to."""
        self._send(MessageType.VERDICT, verdict, correlation_id=verdict.submission)

    def workloads(self) -> int:
        """Return how many workload files there are."""
        return len(self._workloads.entries())

    def look_for_workloads(self) -> None:
        """Look at the directory: reads files, so call it in the archive's thread."""
        self._workloads.refresh()

    def offer_new_workloads(self) -> None:
        """Put in line what was added while the hub runs: train and hidden parts go out together, to all."""
        for stored in self._workloads.take_news():
            self._transfers.ask(stored)

    def send_due_workloads(self) -> None:
        """Send the next `CHUNKS_PER_TICK_MAX` pieces of what was asked for."""
        for type_, chunk in self._transfers.pieces(CHUNKS_PER_TICK_MAX):
            self._send(type_, chunk, archived_as=replace(chunk, data=""))

    def tell_status(self, status: dict[str, Any]) -> None:
        """Publish the hub's retained status, with as many of the connected nodes by name as it has room for."""
        names = list(status["connected_nodes"].items())
        status_only = Status("ready", self._session, "hub")
        while True:
            text = to_json(status | {"connected_nodes": dict(names)}).decode()
            try:
                told = replace(status_only, hub=text, quarantined=self._shunned())
                self._send(MessageType.STATUS, told, archived_as=status_only)
            except ProtocolError:
                if not names:
                    raise
                names = names[: len(names) // 2]
            else:
                return

    def tell_broker_status(self, figures: dict[str, Any]) -> None:
        """Publish the broker's retained status; not archived, for the hub's own has the same figures."""
        self._publish_broker(Status("ready", self._session, "hub", broker=to_json(figures).decode()))

    def last_will(self) -> Will:
        """Return what a broker that outlives the hub is to say of it: lost."""
        status = Status("lost", self._session, "hub", quarantined=self._shunned())
        message = Message(MessageType.STATUS, HUB, self._session, stamp(self._clock()), status)
        return Will(build(MessageType.STATUS, HUB, prefix=self._prefix), encode(message), qos=1, retain=True)

    def say_goodbye(self) -> None:
        """Publish that the hub goes, and its broker with it."""
        status = Status("disconnected", self._session, "hub")
        self._send(MessageType.STATUS, replace(status, quarantined=self._shunned()), archived_as=status)
        self._publish_broker(Status("disconnected", self._session, "hub"))

    def _shunned(self) -> tuple[str, ...]:
        return self.quarantined[:QUARANTINED_MAX]

    def _publish_broker(self, status: Status) -> None:
        message = Message(MessageType.STATUS, BROKER, self._session, stamp(self._clock()), status)
        topic = build(MessageType.STATUS, BROKER, prefix=self._prefix)
        self._source.publish(topic, encode(message), qos=TABLE[MessageType.STATUS].qos, retain=True)

    def _send(
        self,
        type_: MessageType,
        body: Body,
        *,
        recipient: str = "",
        correlation_id: str = "",
        archived_as: Body = None,
    ) -> None:
        now = stamp(self._clock())
        message = Message(type_, HUB, self._session, now, body, correlation_id=correlation_id)
        payload = encode(message)
        scope = scope_of(message, recipient)
        row = TABLE[type_]
        self._source.publish(build(type_, HUB, scope, prefix=self._prefix), payload, qos=row.qos, retain=row.retain)
        if archived_as is not None:
            message = replace(message, body=archived_as)
            payload = encode(message)
        self.sent.append(Accepted(message, scope, payload, now))
