"""The last retained message of each topic (MQTT 3.1.1, 3.3.1.3), bounded in count and bytes."""

from __future__ import annotations

from collections.abc import Iterator

from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.message import Message
from mqtt_hub.broker.trie import RetainedTree

__all__ = ["Retained"]


class Retained:
    """Set, replaced and cleared by topic; found by filter."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tree: RetainedTree[Message] = RetainedTree()
        self.bytes = 0

    def __len__(self) -> int:
        """Return how many topics have a retained message."""
        return len(self._tree)

    def keep(self, message: Message) -> bool:
        """Retain ``message``, or clear its topic if the payload is empty; False where a bound forbids it.

        At a bound the topic keeps what it had.
        """
        old = self._tree.get(message.topic)
        freed_bytes = 0 if old is None else old.size_bytes
        if not message.payload:
            self._tree.remove(message.topic)
            self.bytes -= freed_bytes
            return True
        count = len(self._tree) + (old is None)
        size_bytes = self.bytes - freed_bytes + message.size_bytes
        if count > self._limits.retained_messages_max or size_bytes > self._limits.retained_bytes_max:
            return False
        self._tree.put(message.topic, message)
        self.bytes = size_bytes
        return True

    def match(self, name: str) -> Iterator[Message]:
        """Yield the retained messages that the filter ``name`` matches."""
        return self._tree.match(name)
