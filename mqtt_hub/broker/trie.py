"""Two trees over topic levels: whose filters match a topic, and whose topics match a filter.

::

    SubscriptionTrie            a/+ : S1        RetainedTree           a/b : message
        root ─ a ─ +  {S1: 1}   a/# : S2            root ─ a ─ b
                 └ #  {S2: 0}                                └ c

    match("a/b") ──▶ {S1: 1, S2: 0}             match("a/+") ──▶ messages of a/b, a/c

Cost grows with the levels of the topic and the wildcards on its way, not with the number of filters
(MQTT 3.1.1, 4.7). A subscriber whose filters overlap is found once, with its highest QoS (3.3.5).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

__all__ = ["RetainedTree", "SubscriptionTrie"]

S = TypeVar("S", bound=Hashable)
V = TypeVar("V")


class _Node(Generic[V]):
    """One level of the tree; ``value`` is what ends here."""

    __slots__ = ("children", "value")

    def __init__(self) -> None:
        self.children: dict[str, _Node[V]] = {}
        self.value: V | None = None


def _make_path(root: _Node[V], name: str) -> _Node[V]:
    node = root
    for level in name.split("/"):
        node = node.children.setdefault(level, _Node())
    return node


def _find(root: _Node[V], name: str) -> _Node[V] | None:
    node = root
    for level in name.split("/"):
        child = node.children.get(level)
        if child is None:
            return None
        node = child
    return node


def _prune(root: _Node[V], name: str) -> None:
    """Remove the nodes of ``name`` that hold nothing any more, from the last level up."""
    path = [root]
    levels = name.split("/")
    for level in levels:
        path.append(path[-1].children[level])
    for parent, level in zip(reversed(path[:-1]), reversed(levels), strict=True):
        node = parent.children[level]
        if node.children or node.value is not None:
            return
        del parent.children[level]


class SubscriptionTrie(Generic[S]):
    """Filters and who subscribed to each, with the QoS granted."""

    def __init__(self) -> None:
        self._root: _Node[dict[S, int]] = _Node()
        self._count = 0

    def __len__(self) -> int:
        """Return how many (filter, subscriber) pairs there are."""
        return self._count

    def add(self, name: str, subscriber: S, qos: int) -> None:
        """Subscribe to the filter ``name``, or replace the QoS of that subscription (3.8.4)."""
        node = _make_path(self._root, name)
        if node.value is None:
            node.value = {}
        self._count += subscriber not in node.value
        node.value[subscriber] = qos

    def remove(self, name: str, subscriber: S) -> bool:
        """Take a subscription back; False if there was none."""
        node = _find(self._root, name)
        if node is None or node.value is None or subscriber not in node.value:
            return False
        del node.value[subscriber]
        self._count -= 1
        if not node.value:
            node.value = None
            _prune(self._root, name)
        return True

    def match(self, topic: str) -> dict[S, int]:
        """Return every subscriber of ``topic`` once, with the highest QoS of its matching filters."""
        found: dict[S, int] = {}
        levels = topic.split("/")
        nodes = [self._root]
        for depth, level in enumerate(levels):
            below = []
            for node in nodes:
                children = node.children
                if depth or not level.startswith("$"):  # a wildcard never stands for $… (4.7.2)
                    if (rest := children.get("#")) is not None:
                        _collect(rest, found)
                    if (any_level := children.get("+")) is not None:
                        below.append(any_level)
                if (same := children.get(level)) is not None:
                    below.append(same)
            if not below:
                return found
            nodes = below
        for node in nodes:
            _collect(node, found)
            if (rest := node.children.get("#")) is not None:  # a/# matches a as well (4.7.1)
                _collect(rest, found)
        return found


def _collect(node: _Node[dict[S, int]], found: dict[S, int]) -> None:
    if node.value is None:
        return
    for subscriber, qos in node.value.items():
        if found.get(subscriber, -1) < qos:
            found[subscriber] = qos


class RetainedTree(Generic[V]):
    """One value a topic, found by filter."""

    def __init__(self) -> None:
        self._root: _Node[V] = _Node()
        self._count = 0

    def __len__(self) -> int:
        """Return how many topics hold a value."""
        return self._count

    def get(self, topic: str) -> V | None:
        """Return the value of exactly this topic."""
        node = _find(self._root, topic)
        return None if node is None else node.value

    def put(self, topic: str, value: V) -> None:
        """Set or replace the value of a topic."""
        node = _make_path(self._root, topic)
        self._count += node.value is None
        node.value = value

    def remove(self, topic: str) -> None:
        """Forget a topic, if it is there."""
        node = _find(self._root, topic)
        if node is None or node.value is None:
            return
        node.value = None
        self._count -= 1
        _prune(self._root, topic)

    def match(self, name: str) -> Iterator[V]:
        """Yield the values of all topics that the filter matches, each once."""
        nodes = [self._root]
        for depth, level in enumerate(name.split("/")):
            if level == "#":
                for node in nodes:
                    yield from _everything(node, skip_dollar=not depth)
                return
            if level == "+":
                nodes = [
                    child for node in nodes for key, child in node.children.items() if depth or not key.startswith("$")
                ]
            else:
                nodes = [node.children[level] for node in nodes if level in node.children]
        for node in nodes:
            if node.value is not None:
                yield node.value


def _everything(top: _Node[V], *, skip_dollar: bool) -> Iterator[V]:
    """Yield the value of ``top`` and all below it; at the root without the topics that begin with $."""
    if top.value is not None:
        yield top.value
    below = [child for key, child in top.children.items() if not (skip_dollar and key.startswith("$"))]
    while below:
        node = below.pop()
        if node.value is not None:
            yield node.value
        below.extend(node.children.values())
