"""Intake: whatever arrives becomes an entry with a reason; nothing is raised, nothing vanishes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_hub.intake import REASON_CHARACTERS_MAX, Accepted, Rejected, reject, take
from mqtt_hub.protocol.codec import ENVELOPE_BYTES_MAX, encode
from mqtt_hub.protocol.table import TABLE, MessageType
from mqtt_hub.protocol.topics import build
from tests.protocol.examples import KIND, message, scope

NOW = "2026-01-31T12:00:01.000Z"
PATTERN = "kernel/v1/pattern_share/AI_Node_1/page_replacement"


def taken(topic: str, payload: bytes, *, sender: str = "AI_Node_1", refused: str | None = None) -> Accepted | Rejected:
    return take(topic, payload, NOW, sender=sender, refused=refused, prefix="kernel")


def pattern(**changes: Any) -> bytes:
    return orjson.dumps(orjson.loads(encode(message(MessageType.PATTERN_SHARE))) | changes)


topics = st.text(max_size=60) | st.sampled_from(
    [build(type_, "AI_Node_1", scope(type_)) for type_ in MessageType] + ["kernel/v1/gossip/x", "$SYS/x", ""]
)
envelopes = st.fixed_dictionaries(
    {},
    optional={
        "v": st.sampled_from([1, 2, "1", None]),
        "type": st.sampled_from([*MessageType, "GOSSIP", 3]),
        "sender": st.sampled_from(["AI_Node_1", "AI_Node_2", "", 7]),
        "session": st.integers(-1, 2**64 - 1) | st.just("1"),
        "seq": st.integers(-1, 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(),
        "body": st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3) | st.lists(st.none()),
    },
).map(orjson.dumps)


@given(topics, st.binary(max_size=80) | envelopes, st.sampled_from(["AI_Node_1", "observer", ""]), st.booleans())
def test_any_bytes_on_any_topic_become_an_entry(topic: str, payload: bytes, sender: str, refused: bool) -> None:  # noqa: FBT001 — drawn
    entry = taken(topic, payload, sender=sender, refused="no" if refused else None)
    assert entry.payload == payload
    assert entry.received_at == NOW
    if isinstance(entry, Rejected):
        assert entry.sender == sender
        assert entry.topic == topic
        assert 0 < len(entry.reason) <= REASON_CHARACTERS_MAX
        assert (entry.session is None) == (entry.seq is None)


@pytest.mark.parametrize("type_", list(MessageType))
def test_the_example_of_every_type_is_accepted_as_it_was_sent(type_: MessageType) -> None:
    sent = message(type_)
    payload = encode(sent)
    entry = taken(build(type_, sent.sender, scope(type_)), payload, sender=sent.sender)
    assert entry == Accepted(sent, scope(type_), payload, NOW)


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (PATTERN, pattern(sender="AI_Node_2"), "sender: AI_Node_2 came on a topic of AI_Node_1"),
        (PATTERN.replace(KIND, "cpu_scheduling"), pattern(), f"body.kind: '{KIND}' came on a topic of"),
        (PATTERN.replace("pattern", "code"), pattern(), "type: PATTERN_SHARE came on a topic of CODE_SHARE"),
        (PATTERN, pattern(v=2), "v: expected protocol version 1, got 2"),
        (PATTERN, pattern(body={}), "body.kind: is missing"),
        (PATTERN, b"", "envelope: no JSON"),
        (PATTERN, b"[]", "envelope: expected an object"),
        (PATTERN, b"\xff\x00", "envelope: no JSON"),
        (PATTERN, pattern(sent_at="today"), "sent_at: expected text matching"),
        ("kernel/v1/gossip/AI_Node_1", pattern(), "topic: 'kernel/v1/gossip/AI_Node_1' names no message type"),
        ("other/v1/hello/AI_Node_1", pattern(), "topic: 'other/v1/hello/AI_Node_1' is not under kernel/v1/"),
    ],
)
def test_what_disagrees_is_rejected_with_its_reason(topic: str, payload: bytes, reason: str) -> None:
    entry = taken(topic, payload)
    assert isinstance(entry, Rejected)
    assert entry.reason.startswith(reason)


@pytest.mark.parametrize(
    "payload",
    [
        pattern(v=2),
        pattern(body={}),
        pattern(type="GOSSIP"),
        pattern(body="[" * 200),
        pattern(body="x" * ENVELOPE_BYTES_MAX),
        pattern().replace(b'"v":1', b'"v":' + b"[" * 100 + b"]" * 100),
    ],
    ids=["version", "body", "type", "text", "oversized", "deep"],
)
def test_a_rejected_message_keeps_its_key_so_that_its_sender_can_be_told(payload: bytes) -> None:
    entry = taken(PATTERN, payload)
    assert isinstance(entry, Rejected)
    assert (entry.session, entry.seq) == (3, 7)


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": "AI_Node_2"},
        {"seq": 0},
        {"seq": True},
        {"seq": 2**53 + 1},
        {"seq": 1.0},
        {"session": -1},
        {"session": 2**60},
        {"session": None},
    ],
)
def test_a_key_that_is_anothers_or_no_key_is_not_kept(changes: dict[str, Any]) -> None:
    entry = taken(PATTERN, pattern(body={}, **changes))
    assert isinstance(entry, Rejected)
    assert (entry.session, entry.seq) == (None, None)
    assert entry.forged == (changes.get("sender") == "AI_Node_2"), "only a message in another's name is forged"


def test_what_the_access_rule_refused_is_rejected_whatever_it_says_and_keeps_its_key() -> None:
    entry = taken(PATTERN, pattern(), refused="a trainer may not publish TEST_RESULT")
    assert entry == Rejected(
        "AI_Node_1", PATTERN, pattern(), NOW, "access: a trainer may not publish TEST_RESULT", 3, 7, forged=True
    )


def test_a_payload_at_the_limit_is_accepted_and_one_byte_more_is_rejected() -> None:
    short = pattern(padding="")
    at_limit = pattern(padding="x" * (ENVELOPE_BYTES_MAX - len(short)))
    assert isinstance(taken(PATTERN, at_limit), Accepted)
    entry = taken(PATTERN, at_limit.replace(b'"padding":"', b'"padding":"x'))
    assert isinstance(entry, Rejected)
    assert entry.reason == f"envelope: {ENVELOPE_BYTES_MAX + 1} bytes, at most {ENVELOPE_BYTES_MAX}"
    assert len(entry.payload) == ENVELOPE_BYTES_MAX + 1


def test_an_accepted_message_can_be_rejected_by_the_state_of_the_hub_under_its_key() -> None:
    entry = taken(PATTERN, pattern())
    assert isinstance(entry, Accepted)
    assert reject(entry, PATTERN, "too late") == Rejected("AI_Node_1", PATTERN, pattern(), NOW, "too late", 3, 7)


def test_a_type_without_receipts_is_told_apart_by_its_missing_seq() -> None:
    for type_, row in TABLE.items():
        entry = taken(build(type_, message(type_).sender, scope(type_)), encode(message(type_)))
        assert isinstance(entry, Accepted)
        assert (entry.message.seq is None) == (not row.sequenced)
