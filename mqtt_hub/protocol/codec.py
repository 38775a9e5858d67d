"""Bytes to message and back: one codec, every size bounded, nothing raised but `ProtocolError`.

::

    {"v":1, "type":"PATTERN_SHARE", "sender":"AI_Node_1", "session":17, "seq":42,
     "sent_at":"2026-01-31T12:00:00.123Z", "body":{...}}
     plus correlation_id, reply_to, expires_at where they apply

``(sender, session, seq)`` identifies a sequenced message for ever. Fields this version does not know are
ignored here and kept in the archive, which stores the bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson

from mqtt_hub.protocol.bodies import Body
from mqtt_hub.protocol.bodies.fields import Name, Session
from mqtt_hub.protocol.bounds import Text, Whole, fail
from mqtt_hub.protocol.compiled import constructor
from mqtt_hub.protocol.errors import ProtocolError
from mqtt_hub.protocol.schema import checker
from mqtt_hub.protocol.table import TABLE, MessageType, Scope
from mqtt_hub.protocol.topics import Topic

__all__ = ["ENVELOPE_BYTES_MAX", "Message", "decode", "encode", "read_json", "scope_of", "stamp", "to_json"]

ENVELOPE_BYTES_MAX = 96 * 1024  # below every broker's limit (AWS: 128 KiB)
JSON_DEPTH_MAX = 16
VERSION = 1

_NAME = checker(Name)
_SESSION = checker(Session)
_SEQ = checker(Annotated[int, Whole(1, 2**53)])
_TIME = checker(Annotated[str, Text(24, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")])
_ID = checker(Annotated[str, Text(128, r"[A-Za-z0-9_.:/-]*")])
_READERS = {type_.value: (type_, TABLE[type_].sequenced, checker(TABLE[type_].body)) for type_ in MessageType}
_SCOPE_FIELD = {type_: row.scope for type_, row in TABLE.items() if row.scope in (Scope.KIND, Scope.LEVEL)}
_TIMES_REMEMBERED_MAX = 1_024


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the protocol; ``seq`` is None where the type wants no receipt."""

    type: MessageType
    sender: str
    session: int
    sent_at: str
    body: Body
    seq: int | None = None
    correlation_id: str = ""
    reply_to: str = ""
    expires_at: str = ""


_message = constructor(Message)
_times: set[str] = set()  # found right: many messages are of one millisecond


def stamp(seconds: float) -> str:
    """Return seconds since the epoch in the protocol's form: UTC, milliseconds, ``Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_json(body: Body) -> bytes:
    """Return a body (or any part of one) as JSON."""
    return orjson.dumps(body)


def encode(message: Message) -> bytes:
    """Return the message's bytes; raises `ProtocolError` when it breaks its own bounds."""
    envelope: dict[str, Any] = {
        "v": VERSION,
        "type": message.type,
        "sender": message.sender,
        "session": message.session,
    }
    if message.seq is not None:
        envelope["seq"] = message.seq
    envelope["sent_at"] = message.sent_at
    for name in ("correlation_id", "reply_to", "expires_at"):
        if value := getattr(message, name):
            envelope[name] = value
    envelope["body"] = message.body
    try:
        payload = orjson.dumps(envelope)
    except TypeError as error:  # a lone surrogate, an integer beyond 64 bits
        raise ProtocolError(f"body: cannot be written as JSON: {error}") from error
    decode(payload)  # what we send, we could read: a fault surfaces at its author
    return payload


def read_json(payload: bytes) -> dict[str, Any]:
    """Return the JSON object in the bytes; raises `ProtocolError` on size, syntax, depth."""
    if len(payload) > ENVELOPE_BYTES_MAX:
        raise ProtocolError(f"envelope: {len(payload)} bytes, at most {ENVELOPE_BYTES_MAX}")
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise ProtocolError(f"envelope: no JSON: {error}") from error
    if type(value) is not dict:
        raise fail("envelope", "an object", value)
    if payload.count(b"[") + payload.count(b"{") > JSON_DEPTH_MAX and _depth(value) > JSON_DEPTH_MAX:
        raise ProtocolError(f"envelope: nested deeper than {JSON_DEPTH_MAX}")
    if len(orjson.dumps(value)) != len(payload):  # not as we write it: spaces, escapes, or a key twice
        _refuse_doubled_keys(payload)
    return value


def decode(payload: bytes, topic: Topic | None = None) -> Message:
    """Return the message in the bytes, checked against its topic where one is given.

    Raises `ProtocolError` whose facts open with the path of the field that does not fit.
    """
    envelope = read_json(payload)
    get = envelope.get
    version = get("v")
    if version != VERSION or version is True:
        raise fail("v", f"protocol version {VERSION}", version)
    named = get("type")
    reader = _READERS.get(named) if type(named) is str else None
    if reader is None:
        raise fail("type", "a message type of topics.md", named)
    type_, sequenced, check_body = reader
    seq = get("seq")
    if sequenced:
        seq = _SEQ(seq, "seq")
    elif seq is not None:
        raise ProtocolError(f"seq: {type_} carries none")
    expires_at = get("expires_at", "")
    message: Message = _message(
        type_,
        _NAME(get("sender"), "sender"),
        _SESSION(get("session"), "session"),
        _time(get("sent_at"), "sent_at"),
        check_body(get("body"), "body"),
        seq,
        _ID(envelope["correlation_id"], "correlation_id") if "correlation_id" in envelope else "",
        _ID(envelope["reply_to"], "reply_to") if "reply_to" in envelope else "",
        _time(expires_at, "expires_at") if expires_at != "" else "",
    )
    if type_ is MessageType.COLLABORATION_REQUEST and not message.correlation_id.startswith(f"{message.sender}."):
        # Whoever answers names the request; its own sender's name in it keeps others from taking that name first.
        raise ProtocolError(f"correlation_id: a request of {message.sender} is named {message.sender}.…")
    if topic is not None:
        _agree(message, topic)
    return message


def scope_of(message: Message, recipient: str = "") -> str:
    """Return the last topic level of a message ("" where its type has none)."""
    scope = TABLE[message.type].scope
    if scope is Scope.KIND:
        return str(message.body.kind)
    if scope is Scope.LEVEL:
        return str(message.body.level)
    return recipient if scope is Scope.RECIPIENT else ""


def _refuse_doubled_keys(payload: bytes) -> None:
    """Raise `ProtocolError` where an object names a key twice: we would read the last, SQLite and others the first."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _value in pairs]
            doubled = next(name for name in names if names.count(name) > 1)
            raise ProtocolError(f"envelope: the key {doubled[:60]!r} is there twice")
        return found

    json.loads(payload, object_pairs_hook=once)


def _agree(message: Message, topic: Topic) -> None:
    type_ = message.type
    if type_ is not topic.type:
        raise ProtocolError(f"type: {type_} came on a topic of {topic.type}")
    if message.sender != topic.sender:
        raise ProtocolError(f"sender: {message.sender} came on a topic of {topic.sender}")
    field = _SCOPE_FIELD.get(type_)
    if field is not None and getattr(message.body, field) != topic.scope:
        raise ProtocolError(f"body.{field}: {scope_of(message)!r} came on a topic of {topic.scope!r}")


def _time(value: Any, path: str) -> str:
    if type(value) is str and value in _times:
        return value
    text: str = _TIME(value, path)
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise fail(path, "a time such as 2026-01-31T12:00:00.123Z", value) from None
    if len(_times) >= _TIMES_REMEMBERED_MAX:
        _times.clear()
    _times.add(text)
    return text


def _depth(value: Any) -> int:
    """Return how deep lists and objects nest, without recursion: the depth is the attacker's choice."""
    deepest, pending = 0, [(value, 1)]
    while pending:
        item, depth = pending.pop()
        deepest = max(deepest, depth)
        if type(item) is dict:
            pending += [(part, depth + 1) for part in item.values()]
        elif type(item) is list:
            pending += [(part, depth + 1) for part in item]
    return deepest
