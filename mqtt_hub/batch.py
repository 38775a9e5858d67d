"""One batch of deliveries, sorted: what to write, and what follows once it is on disk.

::

    delivery ──▶ Sorter.read() ──▶ Arrival          as it comes, while the batch before is being written
    arrivals ──▶ Sorter.sort() ──▶ Work
                                      ├─ rows        to the archive, in one transaction
                                      ├─ claimed     seqs by session: to the ledger, once committed
                                      ├─ deliveries  to be acknowledged, once committed
                                      ├─ receipts    per session touched, with what was rejected
                                      └─ hellos      to be answered with TRAINING_SYNC
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from mqtt_hub.archive.storing import Grant
from mqtt_hub.broker import Delivery
from mqtt_hub.intake import Accepted, Entry, Rejected, reject, take
from mqtt_hub.ledger import Claim, Ledger
from mqtt_hub.protocol.bodies import Rejection
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.quota import Quota
from mqtt_hub.registry import Registry

__all__ = ["REJECTIONS_MAX", "Arrival", "Greeting", "Key", "Sorter", "Work"]

REJECTIONS_MAX = 32  # named in one receipt; all are archived
REASON_MAX = 512  # characters
BEYOND_QUOTA = "not archived, too much of this node was rejected"

Arrival = tuple[Delivery, Entry]  # and what it turned out to be
Key = tuple[str, int]  # node, session


@dataclass(frozen=True, slots=True)
class Greeting:
    """A HELLO to answer: the session granted, or the reason of a refusal."""

    hello: Accepted
    session: int
    refused: str = ""
    earlier: tuple[int, ...] = ()  # sessions of the node that the archive knows, newest first


@dataclass(slots=True)
class Work:
    """What one batch comes to."""

    rows: list[Entry | Grant] = field(default_factory=list)
    claimed: dict[Key, list[int]] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    receipts: dict[Key, list[Rejection]] = field(default_factory=dict)
    hellos: list[Greeting] = field(default_factory=list)

    def touch(self, key: Key) -> list[int]:
        """Remember that this session is to get a receipt; return the list of seqs that it has claimed."""
        self.receipts.setdefault(key, [])
        return self.claimed.setdefault(key, [])

    def owe(self, key: Key, rejection: Rejection) -> None:
        """Remember that a receipt is to name this rejection."""
        named = self.receipts.setdefault(key, [])
        if len(named) < REJECTIONS_MAX:
            named.append(rejection)


class Sorter:
    """Sorts deliveries by what the protocol, the registry and the ledger say of them."""

    def __init__(
        self, registry: Registry, ledger: Ledger, quota: Quota, *, role_of: Callable[[str], str], prefix: str
    ) -> None:
        self._registry = registry
        self._ledger = ledger
        self._quota = quota
        self._role_of = role_of
        self._prefix = prefix

    def read(self, delivery: Delivery, now: str) -> Arrival:
        """Decode a delivery: nothing is decided yet that depends on others."""
        entry = take(
            delivery.topic, delivery.payload, now, sender=delivery.sender, refused=delivery.refused, prefix=self._prefix
        )
        return delivery, entry

    def sessions(self, arrivals: Iterable[Arrival]) -> set[Key]:
        """Return the agreed sessions whose seqs are among them: the ledger has to know these before `sort`."""
        keys = {
            (entry.message.sender, entry.message.session)
            if isinstance(entry, Accepted)
            else (entry.sender, entry.session or 0)
            for _delivery, entry in arrivals
        }
        return {(name, session) for name, session in keys if 0 < session <= self._registry.session(name)}

    def sort(self, arrivals: Iterable[Arrival], own: Iterable[Accepted]) -> Work:
        """Return the work of one batch: what others sent, and what the hub itself sent since the last."""
        work = Work(rows=list(own))
        for delivery, entry in arrivals:
            work.deliveries.append(delivery)
            if isinstance(entry, Accepted):
                self._accepted(entry, delivery.topic, work)
            else:
                self._rejected(entry, work)
        return work

    def _accepted(self, entry: Accepted, topic: str, work: Work) -> None:
        message = entry.message
        if message.seq is not None:
            self._sequenced(entry, topic, message.seq, work)
            return
        if message.type is MessageType.HELLO:
            self._hello(entry, topic, work)
            return
        if message.type is MessageType.STATUS:
            self._registry.note_status(message.sender, message.session, message.body)
        elif message.type is MessageType.PROGRESS:
            self._registry.note_dropped(message.sender, message.session, message.body.dropped)
        work.rows.append(entry)

    def _sequenced(self, entry: Accepted, topic: str, seq: int, work: Work) -> None:
        key = node, session = entry.message.sender, entry.message.session
        seqs = work.claimed.get(key)
        if seqs is None:
            if not 0 < session <= self._registry.session(node):
                self._rejected(reject(entry, topic, f"session {session} is not agreed: send HELLO first"), work)
                return
            seqs = work.touch(key)
        claim = self._ledger.claim(node, session, seq)
        if claim is Claim.NEW:
            work.rows.append(entry)
            seqs.append(seq)
        elif claim is Claim.BEYOND:
            self._refuse(reject(entry, topic, f"seq {seq} is too far beyond what has arrived"), work)

    def _hello(self, entry: Accepted, topic: str, work: Work) -> None:
        message, role = entry.message, self._role_of(entry.message.sender)
        if message.body.role != role:
            refused = f"this account is a {role}, not a {message.body.role}"
            self._refuse(reject(entry, topic, refused), work)
            work.hellos.append(Greeting(entry, 0, refused))
            return
        session = self._registry.agree(message.sender, message.session, message.body)
        work.rows.append(Grant(entry, session))
        work.hellos.append(Greeting(entry, session))

    def _rejected(self, entry: Rejected, work: Work) -> None:
        """Archive a rejection under the sender's key where that is readable, agreed and not yet used."""
        if not self._has_room(entry, work):
            return
        session, seq = entry.session, entry.seq
        if session is None or seq is None or not self._agreed(entry):
            self._keep_beside(entry, work)
            return
        key = entry.sender, session
        claim = self._ledger.claim(*key, seq)
        if claim is Claim.BEYOND:
            self._keep_beside(entry, work)
            return
        if claim is Claim.NEW:
            work.touch(key).append(seq)
        # Sent again it is told again; the writer knows whether it is the same message or another under its key.
        work.rows.append(entry)
        work.owe(key, Rejection(session, seq, entry.reason))

    def _refuse(self, entry: Rejected, work: Work) -> None:
        """Archive a rejection that may not take up the key it names; the sender is told all the same."""
        if self._has_room(entry, work):
            self._keep_beside(entry, work)

    def _keep_beside(self, entry: Rejected, work: Work) -> None:
        work.rows.append(replace(entry, seq=None))
        rejection = Rejection(entry.session or 0, entry.seq or 0, entry.reason)
        work.owe((entry.sender, self._registry.session(entry.sender)), rejection)

    def _has_room(self, entry: Rejected, work: Work) -> bool:
        """Say whether the archive has room for a rejection; its sender is told where it has none."""
        if self._quota.take(entry.sender, len(entry.payload)):
            return True
        session = entry.session if entry.session is not None and self._agreed(entry) else None
        rejection = Rejection(entry.session or 0, entry.seq or 0, f"{BEYOND_QUOTA}: {entry.reason}"[:REASON_MAX])
        work.owe((entry.sender, session or self._registry.session(entry.sender)), rejection)
        return False

    def _agreed(self, entry: Rejected) -> bool:
        return entry.session is not None and 0 < entry.session <= self._registry.session(entry.sender)
