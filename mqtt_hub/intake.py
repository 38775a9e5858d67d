"""Intake: the bytes that arrived become an `Accepted` or a `Rejected` entry. Pure: no I/O, no clock.

::

    (topic, payload, received_at, sender, refused) ──▶ Accepted(message) | Rejected(reason)

Whatever the bytes are, nothing is raised and nothing vanishes: what cannot be accepted is archived with its
reason. ``sender`` is the authenticated account, never what the payload says of itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import orjson

from mqtt_hub.broker.access import is_forgery
from mqtt_hub.protocol.codec import Message, decode
from mqtt_hub.protocol.compiled import constructor
from mqtt_hub.protocol.errors import ProtocolError
from mqtt_hub.protocol.topics import parse

__all__ = ["Accepted", "Entry", "Rejected", "reject", "take"]

REASON_CHARACTERS_MAX = 400
SEQ_MAX = 2**53


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that follows the protocol and came from the account it names."""

    message: Message
    scope: str
    payload: bytes
    received_at: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """What came instead; ``session`` and ``seq`` are set where the sender's own key could be read.

    ``forged``: it speaks in another's name, or as only another role may.
    """

    sender: str
    topic: str
    payload: bytes
    received_at: str
    reason: str
    session: int | None = None
    seq: int | None = None
    forged: bool = False


Entry = Accepted | Rejected
_accepted = constructor(Accepted)


def take(topic: str, payload: bytes, received_at: str, *, sender: str, refused: str | None, prefix: str) -> Entry:
    """Return the entry for one delivery; ``refused`` is the access rule's reason, if it had one."""
    if refused is not None:
        rejected = _rejected(topic, payload, received_at, sender, f"access: {refused}")
        return replace(rejected, forged=True) if is_forgery(refused) else rejected
    try:
        parsed = parse(topic, prefix=prefix)
        entry: Accepted = _accepted(decode(payload, parsed), parsed.scope, payload, received_at)
    except ProtocolError as error:
        return _rejected(topic, payload, received_at, sender, str(error))
    return entry


def reject(accepted: Accepted, topic: str, reason: str) -> Rejected:
    """Return the same delivery as rejected, for a reason that only the hub's state can tell."""
    message = accepted.message
    return Rejected(message.sender, topic, accepted.payload, accepted.received_at, reason, message.session, message.seq)


def _rejected(topic: str, payload: bytes, received_at: str, sender: str, reason: str) -> Rejected:
    """Return the entry with the sender's own (session, seq), so that the receipt can name what was rejected.

    A message that is too long or nests too deep has a key all the same: without it in the receipt its sender
    would send it for ever. The broker bounds the bytes.
    """
    entry = Rejected(sender, topic, payload, received_at, reason[:REASON_CHARACTERS_MAX])
    try:
        envelope = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return entry
    if type(envelope) is not dict:
        return entry
    said, session, seq = envelope.get("sender"), envelope.get("session"), envelope.get("seq")
    if said != sender:
        return replace(entry, forged=type(said) is str)
    if type(session) is int and type(seq) is int and 0 <= session <= SEQ_MAX and 0 < seq <= SEQ_MAX:
        return replace(entry, session=session, seq=seq)
    return entry
