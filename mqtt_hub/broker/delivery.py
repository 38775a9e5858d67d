"""The in-process consumer, whose acknowledge releases the publisher's PUBACK.

::

    PUBLISH ──▶ AckWindow.hand_over ──▶ consumer(Delivery) … commit … delivery.acknowledge()
                    │ in order of arrival, bounded                          │
    PUBACK / PUBREC ◀───────────────────────────────────────────────────────┘
                     and, if a persistent session or the retained messages changed, Store's commit

A PUBACK therefore means what the consumer's commit means. Acknowledgements leave in the order in which the
messages came (MQTT 3.1.1, 4.6), whatever the order of ``acknowledge``. At a bound the window is ``full``: its
connection stops reading and is resumed when there is room again; nothing is dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from mqtt_hub.broker.gate import Peer
from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.packets import Publish, Pubrec, acknowledgement
from mqtt_hub.broker.store import Store

__all__ = ["AckWindow", "Consumer", "Deliveries", "Delivery"]


class Delivery:
    """A message that a client sent (or left as its will), accepted and routed, or refused."""

    __slots__ = ("_packet", "_peer", "_unconsumed", "_window", "due", "payload", "qos", "refused", "topic")

    def __init__(self, packet: Publish, peer: Peer, refused: str | None, window: AckWindow, due: int) -> None:
        self.topic, self.payload, self.qos, _retain, _dup, _packet_id = self._packet = packet
        self.refused = refused  # why it was not routed, or None
        self._peer = peer
        self._window = window
        self.due = due  # how many have to say that it is safe: the consumer, the store
        self._unconsumed = True

    @property
    def retain(self) -> bool:
        """Whether the sender wanted it retained."""
        return self._packet.retain

    @property
    def sender(self) -> str:
        """The name of the account that it came from, "" for anonymous clients."""
        return self._peer.account.name

    @property
    def client_id(self) -> str:
        """The client id that it came from."""
        return self._peer.client_id

    def acknowledge(self) -> None:
        """Say that the message is safe; due for every delivery of any QoS, refused ones and wills too.

        Called on the loop's thread; what is due to the publisher goes out in the loop's next turn. A second call and
        one after the end of the connection do no harm.
        """
        if self._unconsumed:
            self._unconsumed = False
            self.settle()

    def settle(self) -> None:
        """One of those who have to says that it is safe."""
        self.due -= 1
        if not self.due:
            self._window.release_later()

    def move_to(self, window: AckWindow) -> None:
        """Answer on another connection, to which its sender has moved meanwhile."""
        if window is not self._window:
            window.adopt(self, self._window)
            self._window = window

    @property
    def acknowledged(self) -> bool:
        """Whether all have said that it is safe."""
        return not self.due

    def reply(self) -> bytes:
        """Return the packet that tells the publisher, none for QoS 0."""
        return _acknowledgement(self.qos, self._packet.packet_id) if self.qos else b""


def _acknowledgement(qos: int, packet_id: int) -> bytes:
    """Return PUBACK or PUBREC."""
    return acknowledgement(0x40 if qos == 1 else 0x50, packet_id)


Consumer: TypeAlias = Callable[[Delivery], None]


class Deliveries:
    """The consumer and what it has not acknowledged, over all connections."""

    def __init__(self, consumer: Consumer | None, limits: Limits) -> None:
        self.consumer = consumer
        self.limits = limits
        self.unacknowledged = 0
        self.unacknowledged_bytes = 0
        self.stalled: dict[AckWindow, None] = {}  # in the order in which they stalled
        self._releasing: dict[AckWindow, None] = {}
        self._loop = asyncio.get_running_loop()

    @property
    def full(self) -> bool:
        """Whether all connections together have reached a bound."""
        return (
            self.unacknowledged >= self.limits.unacknowledged_total_max
            or self.unacknowledged_bytes >= self.limits.unacknowledged_total_bytes_max
        )

    def release_later(self, window: AckWindow) -> None:
        """Let a window write what is due at the end of this turn: a batch that is acknowledged makes one write."""
        if not self._releasing:
            self._loop.call_soon(self._release)
        self._releasing[window] = None

    def _release(self) -> None:
        windows, self._releasing = self._releasing, {}
        for window in windows:
            window.release()

    def resume_one(self) -> None:
        """Let the longest-waiting window go on."""
        window = next(iter(self.stalled), None)
        if window is not None and not window.full:
            del self.stalled[window]
            window.resume()


class AckWindow:
    """What one connection has handed to the consumer and may not be told yet."""

    def __init__(self, deliveries: Deliveries, write: Callable[[bytes], None], resume: Callable[[], None]) -> None:
        self._deliveries = deliveries
        self._write: Callable[[bytes], None] | None = write
        self.pending: deque[Delivery] = deque()  # in order of arrival
        self.pending_bytes = 0
        self.resume = resume
        self._releasing = False

    @property
    def full(self) -> bool:
        """Whether nothing more may be handed over now."""
        deliveries, limits = self._deliveries, self._deliveries.limits
        return (
            len(self.pending) >= limits.unacknowledged_messages_max
            or self.pending_bytes >= limits.unacknowledged_bytes_max
            or deliveries.full
        )

    def stall(self) -> None:
        """Ask to be resumed when there is room."""
        self._deliveries.stalled[self] = None

    def hand_over(
        self, packet: Publish, peer: Peer, refused: str | None, store: Store | None = None
    ) -> Delivery | None:
        """Give a message to the consumer, and let it wait for a commit of ``store`` if there is one.

        Without both it is acknowledged at once and there is no Delivery.
        """
        consumer = self._deliveries.consumer
        if consumer is None and store is None and not self.pending:
            if packet.qos and self._write is not None:
                self._write(_acknowledgement(packet.qos, packet.packet_id))
            return None
        delivery = Delivery(packet, peer, refused, self, (consumer is not None) + (store is not None))
        self.pending.append(delivery)
        size = len(packet.payload)
        self.pending_bytes += size
        self._deliveries.unacknowledged += 1
        self._deliveries.unacknowledged_bytes += size
        if store is not None:
            store.after_commit(delivery.settle)
        if consumer is not None:
            consumer(delivery)
        return delivery

    def repeat(self, packet_id: int, delivery: Delivery | None) -> None:
        """Answer a QoS 2 message that came again: now, or when its first delivery is acknowledged."""
        if delivery is not None and not delivery.acknowledged:
            delivery.move_to(self)
        elif self._write is not None:
            self._write(Pubrec(packet_id).encode())

    def adopt(self, delivery: Delivery, former: AckWindow) -> None:
        """Take over a delivery from the earlier connection of the same session."""
        former.pending.remove(delivery)
        self.pending.append(delivery)
        former.pending_bytes -= len(delivery.payload)
        self.pending_bytes += len(delivery.payload)

    def release_later(self) -> None:
        """Write what is due at the end of this turn."""
        if not self._releasing:
            self._releasing = True
            self._deliveries.release_later(self)

    def release(self) -> None:
        """Write the acknowledgements that are due, in order."""
        self._releasing = False
        pending, deliveries = self.pending, self._deliveries
        replies: list[bytes] = []
        before, size = len(pending), 0
        while pending and not pending[0].due:
            delivery = pending.popleft()
            size += len(delivery.payload)
            replies.append(delivery.reply())
        self.pending_bytes -= size
        deliveries.unacknowledged -= before - len(pending)
        deliveries.unacknowledged_bytes -= size
        if self._write is not None and replies:
            self._write(b"".join(replies))
        if self in deliveries.stalled and not self.full:
            del deliveries.stalled[self]
            self.resume()
        elif not deliveries.full:
            deliveries.resume_one()

    def close(self) -> None:
        """Forget the connection: later acknowledgements are counted, but not written."""
        self._write = None
        self._deliveries.stalled.pop(self, None)
        self.resume = _nothing  # without a way back to its connection, both are freed at once


def _nothing() -> None:
    """Go on with a connection that has ended."""
