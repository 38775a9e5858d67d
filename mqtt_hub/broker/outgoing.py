"""One QoS 1 or 2 message on its way to one client, and what takes it there."""

from __future__ import annotations

from typing import Protocol

from mqtt_hub.broker.message import Message

__all__ = ["Outgoing", "Outlet"]


class Outlet(Protocol):
    """The connected side of a session."""

    @property
    def ready(self) -> bool:
        """Whether it takes messages now; if not, it calls ``Session.pump`` when it does again."""

    def write(self, *parts: bytes) -> None:
        """Send bytes with those of the same loop turn."""

    def close(self, reason: str) -> None:
        """End the connection and detach the session."""

    def overflow(self) -> None:
        """Be told that the session's queue is full because the client does not read."""


class Outgoing:
    """A message that the client has not taken over yet: first in the queue, then in the window."""

    __slots__ = ("held", "message", "qos", "released", "retain", "row")

    def __init__(self, message: Message, qos: int, retain: bool, row: int) -> None:  # noqa: FBT001 — on the hot path
        self.message, self.qos, self.retain = message, qos, retain
        self.row = row  # on disk, 0 for none
        self.held = False  # it may not go out before it is on disk
        self.released = False  # PUBREC has come, PUBREL is out
