"""How much of the archive a node's rejected messages may take: bounded for each node, counted beyond it. Pure.

::

    rejected ──▶ take(node, bytes) ──┬─ True    archived with its reason and its bytes
                                     └─ False   counted; uses up no key, so an honest sender still has it
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from mqtt_hub.bounds import HubLimits

__all__ = ["Quota"]


class Quota:
    """What is kept of each node, and what was beyond."""

    def __init__(
        self, limits: HubLimits, kept: Iterable[tuple[str, int, int]] = (), beyond: Mapping[str, int] | None = None
    ) -> None:
        self._limits = limits
        self._messages: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        for node, messages, size in kept:
            self._messages[node], self._bytes[node] = messages, size
        self._beyond: Counter[str] = Counter(beyond or {})
        self._moved: set[str] = set()

    def take(self, node: str, size: int) -> bool:
        """Take up room for one rejected message, or count it where there is none."""
        full = self._messages[node] >= self._limits.rejected_messages_max
        if full or self._bytes[node] + size > self._limits.rejected_bytes_max:
            self._beyond[node] += 1
            self._moved.add(node)
            return False
        self._messages[node] += 1
        self._bytes[node] += size
        return True

    @property
    def beyond(self) -> int:
        """How many rejected messages, of all nodes, were counted only."""
        return self._beyond.total()

    def take_moved(self) -> dict[str, int]:
        """Return the counts that have changed since the last call."""
        moved, self._moved = self._moved, set()
        return {node: self._beyond[node] for node in moved}

    def moved_again(self, nodes: Iterable[str]) -> None:
        """Take counts back that could not be written down."""
        self._moved.update(nodes)
