"""One table of examples drives round trip, every truncation, bounds and disagreements with the topic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_hub.protocol import codec
from mqtt_hub.protocol.codec import ENVELOPE_BYTES_MAX, decode, encode, stamp
from mqtt_hub.protocol.errors import ProtocolError
from mqtt_hub.protocol.table import TABLE, MessageType
from mqtt_hub.protocol.topics import Topic
from tests.protocol.examples import BODIES, KIND, SENT_AT, message, scope

EVERY = pytest.mark.parametrize("type_", list(MessageType))


def changed(type_: MessageType, **fields: Any) -> bytes:
    envelope = orjson.loads(encode(message(type_)))
    for name, value in fields.items():
        if value is ...:
            del envelope[name]
        else:
            envelope[name] = value
    return orjson.dumps(envelope)


def test_the_table_of_examples_and_the_table_of_messages_name_the_same_types() -> None:
    assert set(BODIES) == set(TABLE) == set(MessageType)


@EVERY
def test_what_is_encoded_decodes_to_the_same_message(type_: MessageType) -> None:
    original = message(type_)
    topic = Topic(type_, original.sender, scope(type_))
    assert decode(encode(original), topic) == original


@EVERY
def test_no_truncation_is_a_message(type_: MessageType) -> None:
    payload = encode(message(type_))
    for length in range(0, len(payload), max(1, len(payload) // 97)):
        with pytest.raises(ProtocolError):
            decode(payload[:length])


@EVERY
def test_a_body_without_any_one_required_field_is_named_as_missing(type_: MessageType) -> None:
    body = orjson.loads(encode(message(type_)))["body"]
    for name in body:
        short = {key: value for key, value in body.items() if key != name}
        try:
            decode(changed(type_, body=short))
        except ProtocolError as error:
            # Without one of the two a component's name and source do not belong together.
            pair = name in ("component", "source")
            assert error.facts == f"body.{name}: is missing" or (pair and "is not the SHA-256" in error.facts)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"v": 2}, "v"),
        ({"v": True}, "v"),
        ({"v": ...}, "v"),
        ({"type": "GOSSIP"}, "type"),
        ({"type": 7}, "type"),
        ({"sender": "no spaces"}, "sender"),
        ({"sender": "x" * 65}, "sender"),
        ({"session": -1}, "session"),
        ({"session": 2**60}, "session"),
        ({"seq": 0}, "seq"),
        ({"seq": ...}, "seq"),
        ({"seq": True}, "seq"),
        ({"sent_at": "yesterday"}, "sent_at"),
        ({"sent_at": "2026-02-31T12:00:00.123Z"}, "sent_at"),
        ({"correlation_id": "a" * 129}, "correlation_id"),
        ({"expires_at": "2026-01-31"}, "expires_at"),
        ({"body": []}, "body"),
        ({"body": None}, "body"),
    ],
)
def test_an_envelope_outside_its_bounds_is_named_with_its_path(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(changed(MessageType.PATTERN_SHARE, **fields))
    assert caught.value.facts.startswith(f"{path}:")


def test_a_type_without_receipts_carries_no_seq() -> None:
    with pytest.raises(ProtocolError, match=r"^seq: STATUS carries none"):
        decode(changed(MessageType.STATUS, seq=1))


def test_unknown_fields_are_ignored() -> None:
    assert decode(changed(MessageType.HELLO, from_the_future=1)) == message(MessageType.HELLO)


def test_an_envelope_at_the_size_limit_passes_and_one_byte_more_does_not() -> None:
    payload = changed(MessageType.LOG, padding="")
    at_limit = changed(MessageType.LOG, padding="x" * (ENVELOPE_BYTES_MAX - len(payload)))
    assert len(at_limit) == ENVELOPE_BYTES_MAX
    assert decode(at_limit).type is MessageType.LOG
    with pytest.raises(ProtocolError, match="at most"):
        decode(at_limit[:-1] + b' "')


@pytest.mark.parametrize("depth", [17, 1000, 40_000])
def test_deep_nesting_is_refused_without_recursion(depth: int) -> None:
    payload = changed(MessageType.LOG, padding=0).replace(b'"padding":0', b'"padding":' + b"[" * depth + b"]" * depth)
    with pytest.raises(ProtocolError):
        decode(payload)


@pytest.mark.parametrize(
    ("topic", "path"),
    [
        (Topic(MessageType.CODE_SHARE, "AI_Node_1", KIND), "type"),
        (Topic(MessageType.PATTERN_SHARE, "AI_Node_2", KIND), "sender"),
        (Topic(MessageType.PATTERN_SHARE, "AI_Node_1", "cpu_scheduling"), "body.kind"),
    ],
)
def test_a_message_that_disagrees_with_its_topic_is_refused(topic: Topic, path: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(encode(message(MessageType.PATTERN_SHARE)), topic)
    assert caught.value.facts.startswith(f"{path}:")


def test_what_breaks_its_own_bounds_is_not_even_sent() -> None:
    log = message(MessageType.LOG)
    with pytest.raises(ProtocolError, match=r"^body\.text"):
        encode(replace(log, body=replace(log.body, text="x" * 3000)))


@pytest.mark.parametrize(
    "type_", [MessageType.CODE_SHARE, MessageType.OS_COMPONENT_SHARE, MessageType.COLLABORATION_REQUEST]
)
def test_nobody_can_put_other_words_under_a_components_name(type_: MessageType) -> None:
    body = orjson.loads(encode(message(type_)))["body"]
    with pytest.raises(ProtocolError, match=r"^body\.component: is not the SHA-256 of body\.source"):
        decode(changed(type_, body=body | {"source": body["source"] + "\n"}))


def test_a_request_is_named_by_its_sender_so_nobody_takes_its_name_first() -> None:
    for name in ("", "AI_Node_2.3.1", "AI_Node_11"):
        with pytest.raises(ProtocolError, match=r"^correlation_id"):
            decode(changed(MessageType.COLLABORATION_REQUEST, correlation_id=name))


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_protocol_error(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(payload)


@given(st.sampled_from(list(MessageType)), st.data())
def test_a_valid_message_with_any_byte_changed_is_read_or_refused(type_: MessageType, data: st.DataObject) -> None:
    payload = bytearray(encode(message(type_)))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(payload))
    except ProtocolError as error:
        assert str(error)


@given(st.floats(0, 4e9))
def test_a_time_stamp_is_of_the_form_the_codec_takes(seconds: float) -> None:
    hello = message(MessageType.HELLO)
    assert decode(encode(replace(hello, sent_at=stamp(seconds)))).sent_at == stamp(seconds)


def test_times_are_utc_with_milliseconds() -> None:
    assert stamp(1769860800.123) == SENT_AT


def test_times_found_right_are_remembered_within_bounds_and_wrong_ones_are_refused_every_time() -> None:
    hello = message(MessageType.HELLO)
    for second in range(codec._TIMES_REMEMBERED_MAX + 10):
        decode(encode(replace(hello, sent_at=stamp(second))))
        assert len(codec._times) <= codec._TIMES_REMEMBERED_MAX
    for _ in range(2):
        with pytest.raises(ProtocolError, match="sent_at: expected a time"):
            decode(encode(hello).replace(SENT_AT.encode(), b"2026-02-30T12:00:00.123Z"))
