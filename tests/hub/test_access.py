"""The access rule as a table: every role, every message type, both directions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_hub.broker.access import Action, is_forgery, may
from mqtt_hub.protocol.table import TABLE, MessageType, Scope
from mqtt_hub.protocol.topics import build

# Who may publish what, written out a second time on purpose: the table in the code is what is tested.
PUBLISHERS = {
    "trainer": {
        "HELLO", "PATTERN_SHARE", "CODE_SHARE", "COLLABORATION_REQUEST", "COLLABORATION_RESPONSE",
        "OS_COMPONENT_SHARE", "STATUS", "PROGRESS", "LOG",
    },
    "validator": {"HELLO", "TEST_RESULT", "STATUS", "PROGRESS", "LOG"},
    "observer": set(),
    "hub": {"TRAINING_SYNC", "WORKLOAD", "WORKLOAD_HIDDEN", "VERDICT", "RECEIPT", "STATUS"},
}  # fmt: skip
KEPT_FROM = {"WORKLOAD_HIDDEN": {"trainer", "observer"}, "TEST_RESULT": {"trainer"}}  # what is measured in secret
PRIVATE = {"TRAINING_SYNC", "RECEIPT", "COLLABORATION_RESPONSE"}


def topic(type_: MessageType, sender: str, recipient: str = "AI_Node_1") -> str:
    scopes = {Scope.NONE: "", Scope.KIND: "page_replacement", Scope.LEVEL: "info", Scope.RECIPIENT: recipient}
    return build(type_, sender, scopes[TABLE[type_].scope])


@pytest.mark.parametrize("type_", list(MessageType))
@pytest.mark.parametrize("role", list(PUBLISHERS))
def test_a_role_publishes_its_types_in_its_own_name_only(role: str, type_: MessageType) -> None:
    allowed = may(role, "AI_Node_1", "publish", topic(type_, "AI_Node_1")) is None
    assert allowed == (type_.value in PUBLISHERS[role])
    assert may(role, "AI_Node_1", "publish", topic(type_, "AI_Node_2")) is not None


@pytest.mark.parametrize("type_", list(MessageType))
@pytest.mark.parametrize("role", ["trainer", "validator", "observer", "hub"])
def test_everybody_reads_everything_but_what_is_hidden_or_for_another(role: str, type_: MessageType) -> None:
    mine = may(role, "AI_Node_1", "receive", topic(type_, "hub", "AI_Node_1")) is None
    others = may(role, "AI_Node_1", "receive", topic(type_, "hub", "AI_Node_2")) is None
    assert mine == (role not in KEPT_FROM.get(type_.value, ()))
    assert others == (mine and (type_.value not in PRIVATE or role in ("observer", "hub")))


@pytest.mark.parametrize("type_", list(MessageType))
@pytest.mark.parametrize("role", ["trainer", "validator"])
def test_who_is_quarantined_announces_itself_and_reads_but_shares_nothing(role: str, type_: MessageType) -> None:
    def refused(action: Action, quarantined: str) -> str | None:
        return may(role, "AI_Node_1", action, topic(type_, "AI_Node_1"), quarantined=quarantined)

    assert refused("receive", "why") == refused("receive", "")
    if TABLE[type_].sequenced and refused("publish", "") is None:
        assert refused("publish", "may not publish x") == "AI_Node_1 is quarantined: may not publish x"
        assert not is_forgery(refused("publish", "may not publish x") or "")
    else:
        assert refused("publish", "why") == refused("publish", "")


def test_speaking_for_another_or_above_ones_role_is_forgery_and_other_refusals_are_none() -> None:
    pattern, result = topic(MessageType.PATTERN_SHARE, "AI_Node_2"), topic(MessageType.TEST_RESULT, "AI_Node_1")
    own = topic(MessageType.PATTERN_SHARE, "AI_Node_1")
    for refused_topic, retain, forged in (
        (pattern, False, True), (result, False, True), (own, True, False), ("kernel/v1/gossip/AI_Node_1", False, False),
    ):  # fmt: skip
        reason = may("trainer", "AI_Node_1", "publish", refused_topic, retain=retain)
        assert reason
        assert is_forgery(reason) == forged


@pytest.mark.parametrize("type_", list(MessageType))
def test_only_status_may_be_retained(type_: MessageType) -> None:
    role = min(TABLE[type_].publishers)
    refused = may(role, "AI_Node_1", "publish", topic(type_, "AI_Node_1"), retain=True)
    assert (refused is None) == (type_ is MessageType.STATUS)


@pytest.mark.parametrize(
    ("role", "filter_", "granted"),
    [
        ("hub", "kernel/#", True),
        ("hub", "#", False),
        ("observer", "kernel/v1/#", True),
        ("observer", "kernel/v1/+/+/+", True),
        ("observer", "kernel/#", False),
        ("observer", "#", False),
        ("observer", "kernel/v1/workload_hidden/hub/page_replacement", False),
        ("observer", "kernel/v1/workload_hidden/#", False),
        ("observer", "$SYS/#", False),
        ("trainer", "kernel/v1/#", False),
        ("trainer", "kernel/v1/+/+/+", False),
        ("trainer", "kernel/v1/pattern_share/+/page_replacement", True),
        ("trainer", "kernel/v1/pattern_share/#", True),
        ("trainer", "kernel/v1/status/+", True),
        ("trainer", "kernel/v1/receipt/hub/AI_Node_1", True),
        ("trainer", "kernel/v1/receipt/hub/AI_Node_2", False),
        ("trainer", "kernel/v1/receipt/hub/+", False),
        ("trainer", "kernel/v1/receipt/#", False),
        ("trainer", "kernel/v1/receipt/+/AI_Node_1", True),
        ("trainer", "kernel/v1/collaboration_response/+/AI_Node_1", True),
        ("trainer", "kernel/v1/collaboration_response/+/+", False),
        ("trainer", "kernel/v1/workload_hidden/hub/page_replacement", False),
        ("validator", "kernel/v1/workload_hidden/hub/page_replacement", True),
        ("trainer", "kernel/v1/workload/hub/page_replacement", True),
        ("trainer", "kernel/v1/gossip/+", False),
        ("trainer", "other/v1/pattern_share/+/+", False),
    ],
)
def test_filters_are_granted_as_the_protocol_says(role: str, filter_: str, *, granted: bool) -> None:
    assert (may(role, "AI_Node_1", "subscribe", filter_) is None) == granted


@given(
    st.sampled_from(["trainer", "validator", "observer", "stranger", ""]),
    st.sampled_from(["publish", "subscribe", "receive"]),
    st.text("kernl/v1pats_hr+#$0", max_size=40),
)
def test_whatever_the_topic_the_rule_answers_and_never_raises(role: str, action: str, text: str) -> None:
    answer = may(role, "AI_Node_1", action, text)  # type: ignore[arg-type]
    assert answer is None or answer


@given(st.text(max_size=30))
def test_nobody_but_the_owner_of_a_name_publishes_under_it(other: str) -> None:
    if other != "AI_Node_1":
        assert may("trainer", other, "publish", "kernel/v1/hello/AI_Node_1") is not None
