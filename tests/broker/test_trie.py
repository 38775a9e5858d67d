"""The topic trees find what a matcher that tries every filter finds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.broker.trie import RetainedTree, SubscriptionTrie

level = st.sampled_from(["", "a", "b", "$s"])
topics = st.lists(level, min_size=1, max_size=4).map("/".join)
plain = st.lists(level | st.just("+"), min_size=1, max_size=4).map("/".join)
filters = plain | plain.map(lambda name: name + "/#") | st.just("#")
modest = settings(max_examples=200, deadline=None)


def matches(name: str, topic: str) -> bool:
    """Match as MQTT 3.1.1 section 4.7 says it, level by level."""
    wanted, given_ = name.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for depth, pattern in enumerate(wanted):
        if pattern == "#":
            return True
        if depth >= len(given_) or pattern not in ("+", given_[depth]):
            return False
    return len(wanted) == len(given_)


@modest
@given(st.lists(st.tuples(filters, st.integers(0, 4), st.integers(0, 2)), max_size=12), st.lists(topics, max_size=6))
def test_a_topic_finds_each_subscriber_once_with_the_highest_qos(
    subscriptions: list[tuple[str, int, int]], wanted: list[str]
) -> None:
    trie: SubscriptionTrie[int] = SubscriptionTrie()
    latest: dict[tuple[str, int], int] = {}
    for name, subscriber, qos in subscriptions:
        trie.add(name, subscriber, qos)
        latest[name, subscriber] = qos
    assert len(trie) == len(latest)
    for topic in wanted:
        expected: dict[int, int] = {}
        for (name, subscriber), qos in latest.items():
            if matches(name, topic):
                expected[subscriber] = max(qos, expected.get(subscriber, 0))
        assert trie.match(topic) == expected


@modest
@given(st.lists(st.tuples(filters, st.integers(0, 3)), max_size=12), st.data())
def test_what_is_removed_leaves_nothing_behind(subscriptions: list[tuple[str, int]], data: st.DataObject) -> None:
    trie: SubscriptionTrie[int] = SubscriptionTrie()
    for name, subscriber in subscriptions:
        trie.add(name, subscriber, 1)
    for name, subscriber in data.draw(st.permutations(sorted(set(subscriptions)))):
        assert trie.remove(name, subscriber)
        assert not trie.remove(name, subscriber)
    assert len(trie) == 0
    assert not trie._root.children


@modest
@given(st.lists(topics, max_size=10), st.lists(topics, max_size=5), filters)
def test_a_filter_finds_the_retained_topics_that_it_matches(put: list[str], removed: list[str], name: str) -> None:
    tree: RetainedTree[str] = RetainedTree()
    for topic in put:
        tree.put(topic, topic)
    for topic in removed:
        tree.remove(topic)
    left = set(put) - set(removed)
    assert len(tree) == len(left)
    assert sorted(tree.match(name)) == sorted(topic for topic in left if matches(name, topic))
    for topic in put:
        assert tree.get(topic) == (topic if topic in left else None)


def test_the_examples_of_the_standard() -> None:
    for name, topic, expected in (
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/uptime", False),
        ("+/monitor/clients", "$SYS/monitor/clients", False),
        ("$SYS/#", "$SYS/monitor/clients", True),
        ("$SYS/monitor/+", "$SYS/monitor/clients", True),
    ):
        trie: SubscriptionTrie[str] = SubscriptionTrie()
        trie.add(name, "subscriber", 0)
        assert bool(trie.match(topic)) is expected, (name, topic)
