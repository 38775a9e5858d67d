"""A message on its way through the broker, encoded once for all its receivers."""

from __future__ import annotations

from mqtt_hub.broker.packets import publish_head

__all__ = ["Message"]


class Message:
    """Topic and payload with the publisher's QoS.

    Receivers of one QoS get the same bytes but for the packet id, so the bytes before it are built once and shared by
    all that get it with the same flags one after the other.
    """

    __slots__ = ("_flags", "_head", "holders", "payload", "qos", "raw_topic", "retain", "row", "size_bytes", "topic")

    def __init__(self, topic: str, payload: bytes, qos: int, retain: bool = False) -> None:  # noqa: FBT001, FBT002 — on the hot path
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.raw_topic = topic.encode()
        self.size_bytes = len(self.raw_topic) + len(payload)
        self.holders = 0  # persistent sessions that wait with it, and its row on disk while there are any
        self.row = 0
        self._flags = -1

    def head(self, qos: int, retain: bool = False, *, dup: bool = False) -> bytes:  # noqa: FBT001, FBT002 — on the hot path
        """Return the bytes of its PUBLISH before the packet id."""
        flags = dup << 3 | qos << 1 | retain
        if flags != self._flags:
            self._flags, self._head = flags, publish_head(self.raw_topic, len(self.payload), flags)
        return self._head
