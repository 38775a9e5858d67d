"""Entries for the archive, made from the table of examples the way the hub makes them: through intake."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mqtt_hub.archive.storing import Grant
from mqtt_hub.intake import Accepted, Rejected, take
from mqtt_hub.protocol.codec import encode
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import TABLE, MessageType, Scope
from mqtt_hub.protocol.topics import build
from tests.protocol.examples import changed, message, named, scope

NOW = "2026-01-31T12:00:01.000Z"
LATER = "2026-01-31T13:00:00.000Z"

__all__ = ["LATER", "NOW", "accepted", "digest", "hello", "rejected", "result_on", "source"]


def source(number: int) -> str:
    """Return a source that is easy to tell from others."""
    return f"source {number}"


def digest(number: int) -> str:
    """Return the name of the component with that source."""
    return named(source(number))


def accepted(
    type_: MessageType,
    sender: str = "",
    *,
    seq: int = 7,
    session: int = 3,
    to: str = "",
    at: str = NOW,
    envelope: dict[str, Any] | None = None,
    **body: Any,
) -> Accepted:
    """Return the example of a type as accepted, with other values in its body and envelope."""
    made = message(type_, sender, session=session, seq=seq)
    made = replace(made, body=changed(made.body, **body), **(envelope or {}))
    scope_ = to or scope(type_)
    if TABLE[type_].scope is Scope.KIND:
        scope_ = made.body.kind
    topic = build(type_, made.sender, scope_)
    entry = take(topic, encode(made), at, sender=made.sender, refused=None, prefix="kernel")
    assert isinstance(entry, Accepted), entry
    return entry


def result_on(submission: Accepted, by: str = "Validator_1", **body: Any) -> Accepted:
    """Return a validator's result on a submission; ``at``, ``seq`` and ``session`` as in `accepted`."""
    said = submission.message.body
    return accepted(
        MessageType.TEST_RESULT, by, component=said.component, kind=said.kind, submitter=submission.message.sender,
        submission=submission_id(submission.message.sender, said), **body,
    )  # fmt: skip


def hello(sender: str, *, session: int, **body: Any) -> Grant:
    """Return a HELLO with the session that it was granted."""
    return Grant(accepted(MessageType.HELLO, sender, session=session, **body), session)


def rejected(sender: str, payload: bytes, *, session: int | None = None, seq: int | None = None) -> Rejected:
    """Return a rejected entry."""
    return Rejected(sender, f"kernel/v1/hello/{sender}", payload, NOW, "made up", session, seq)
