"""Topics: one grammar, built and parsed in one place; what a node subscribes to never overlaps."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_hub.broker.access import may
from mqtt_hub.protocol.errors import ProtocolError
from mqtt_hub.protocol.table import TABLE, MessageType, Scope
from mqtt_hub.protocol.topics import Topic, build, parse, subscriptions

names = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@given(st.sampled_from(list(MessageType)), names, names, names)
def test_what_is_built_parses_to_the_same_parts(type_: MessageType, sender: str, scope: str, prefix: str) -> None:
    kind = TABLE[type_].scope
    scope = {Scope.NONE: "", Scope.LEVEL: "info"}.get(kind, scope)
    topic = build(type_, sender, scope, prefix=prefix)
    assert parse(topic, prefix=prefix) == Topic(type_, sender, scope)
    assert topic.count("/") <= 4


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "kernel",
        "kernel/v1",
        "kernel/v1/hello",
        "kernel/v2/hello/AI_Node_1",
        "other/v1/hello/AI_Node_1",
        "kernel/v1/HELLO/AI_Node_1",
        "kernel/v1/gossip/AI_Node_1",
        "kernel/v1/hello/AI_Node_1/more",
        "kernel/v1/pattern_share/AI_Node_1",
        "kernel/v1/pattern_share/AI_Node_1/kind/more",
        "kernel/v1/hello/",
        "kernel/v1/hello/a.b",
        "kernel/v1/hello/+",
        "kernel/v1/log/AI_Node_1/loud",
        "$SYS/broker/clients",
        "/kernel/v1/hello/AI_Node_1",
        "kernel/v1/hello/" + "x" * 300,
    ],
)
def test_a_topic_outside_the_grammar_is_refused(topic: str) -> None:
    with pytest.raises(ProtocolError, match=r"^topic:"):
        parse(topic)


@given(st.text(max_size=40))
def test_no_text_raises_anything_but_a_protocol_error(text: str) -> None:
    try:
        parse(text)
    except ProtocolError:
        return
    raise AssertionError(text)


def test_a_name_outside_the_grammar_cannot_be_built() -> None:
    with pytest.raises(ProtocolError):
        build(MessageType.HELLO, "a/b")
    with pytest.raises(ProtocolError):
        build(MessageType.PATTERN_SHARE, "AI_Node_1")
    with pytest.raises(ProtocolError):
        build(MessageType.HELLO, "AI_Node_1", "page_replacement")


def overlap(one: str, other: str) -> bool:
    left, right = one.split("/"), other.split("/")
    return len(left) == len(right) and all(a == b or "+" in (a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("peers", [False, True])
@pytest.mark.parametrize("role", ["trainer", "validator"])
def test_a_nodes_filters_do_not_overlap_and_are_all_granted(role: str, peers: bool) -> None:  # noqa: FBT001 — a case
    filters = subscriptions(role, "AI_Node_1", ("page_replacement", "cpu_scheduling"), peers=peers)
    assert not [pair for pair in combinations(filters, 2) if overlap(*pair)]
    assert {topic: may(role, "AI_Node_1", "subscribe", topic) for topic in filters} == dict.fromkeys(filters)
