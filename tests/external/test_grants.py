"""The grants are the access rule: for every account and every topic of the protocol they say what `may` says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.broker.access import may
from mqtt_hub.broker.trie import SubscriptionTrie
from mqtt_hub.protocol.table import ROLES, TABLE, MessageType, Scope
from mqtt_hub.protocol.topics import LOG_LEVELS, NAME, build
from mqtt_hub.rules.grants import grants

NAMES = st.one_of(st.sampled_from(["AI_Node_1", "AI_Node_2", "x", "y", "hub"]), st.from_regex(NAME, fullmatch=True))


def covered(filters: tuple[str, ...], topic: str) -> int:
    """Return how many of the filters match."""
    trie: SubscriptionTrie[str] = SubscriptionTrie()
    for filter_ in filters:
        trie.add(filter_, filter_, 0)
    return len(trie.match(topic))


@st.composite
def topics(draw: st.DrawFn, prefix: str) -> str:
    type_ = draw(st.sampled_from(MessageType))
    scope = {Scope.NONE: st.just(""), Scope.LEVEL: st.sampled_from(LOG_LEVELS)}.get(TABLE[type_].scope, NAMES)
    return build(type_, draw(NAMES), draw(scope), prefix=prefix)


@settings(max_examples=150, deadline=None)
@given(
    role=st.sampled_from([role for role in ROLES if role != "hub"]),
    name=NAMES.filter(lambda name: name != "hub"),
    topic=topics("fleet"),
)
def test_grants_cover_what_may_allows_and_nothing_else(role: str, name: str, topic: str) -> None:
    granted = grants(role, name, "fleet")
    assert covered(granted.publish, topic) == (may(role, name, "publish", topic, prefix="fleet") is None)
    assert covered(granted.receive, topic) == (may(role, name, "receive", topic, prefix="fleet") is None)


@settings(max_examples=50, deadline=None)
@given(topic=topics("fleet"))
def test_the_hub_reads_all_and_publishes_what_is_its_own(topic: str) -> None:
    granted = grants("hub", "hub", "fleet")
    assert covered(granted.receive, topic) == 1
    own = may("hub", "hub", "publish", topic, prefix="fleet") is None or topic == "fleet/v1/status/broker"
    assert covered(granted.publish, topic) == own


@pytest.mark.parametrize("role", ROLES)
def test_no_two_grants_overlap(role: str) -> None:
    # Some brokers deliver once for each filter that matches.
    for filters in grants(role, "hub" if role == "hub" else "AI_Node_1", "kernel"):
        assert len(set(filters)) == len(filters)
        for filter_ in filters:
            assert covered(filters, filter_.replace("+", "sample").replace("#", "sample")) == 1
