"""The hub's own messages on their way to an external broker. No I/O.

::

    offer() ──▶ waiting (bounded: the oldest goes, counted) ──▶ take() ──▶ in flight (window) ──▶ acknowledged()
                                                                   ▲            │
                                                     connected() ──┴── again ◀──┘ the connection was lost

What waits retained is replaced by what follows on its topic: after an hour without a broker one status goes out,
not eighteen hundred.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from mqtt_hub.broker.packets import Publish
from mqtt_hub.external.settings import BrokerSettings

__all__ = ["SUBSCRIBE_ID", "Outgoing"]

SUBSCRIBE_ID = 0xFFFF  # the one packet id that no message gets


class Outgoing:
    """A queue and a window of QoS 1 messages (4.3.2, 4.4)."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self._waiting: OrderedDict[int, Publish] = OrderedDict()  # by a number that grows
        self._retained: dict[str, int] = {}  # topic of a waiting retained message -> its number
        self._number = 0
        self._waiting_bytes = 0
        self._in_flight: dict[int, Publish] = {}  # by packet id, in the order in which they were sent first
        self._again: deque[Publish] = deque()
        self._last_id = 0
        self.dropped = 0
        self.acknowledged_total = 0

    @property
    def waiting(self) -> int:
        """How many messages have not been sent."""
        return len(self._waiting)

    @property
    def in_flight(self) -> int:
        """How many have been sent and not been acknowledged."""
        return len(self._in_flight)

    @property
    def empty(self) -> bool:
        """Whether the broker has everything."""
        return not self._waiting and not self._in_flight

    def offer(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Put a message in line."""
        message = Publish(topic, payload, min(qos, 1), retain)
        self._waiting_bytes += len(payload)
        earlier = self._retained.get(topic) if retain else None
        if earlier is not None:
            self._waiting_bytes -= len(self._waiting[earlier].payload)
            self._waiting[earlier] = message
        else:
            self._number += 1
            self._waiting[self._number] = message
            if retain:
                self._retained[topic] = self._number
        settings = self._settings
        while len(self._waiting) > settings.queue_messages_max or self._waiting_bytes > settings.queue_bytes_max:
            self._pop()
            self.dropped += 1

    def take(self) -> Publish | None:
        """Return the next message to send now; None when there is none or the window is full."""
        if self._again:
            return self._again.popleft()
        if not self._waiting or len(self._in_flight) >= self._settings.inflight_messages_max:
            return None
        message = self._pop()
        if message.qos:
            message = message._replace(packet_id=self._free_id())
            self._in_flight[message.packet_id] = message
        return message

    def acknowledged(self, packet_id: int) -> None:
        """Forget what the broker has taken over."""
        if self._in_flight.pop(packet_id, None) is not None:
            self.acknowledged_total += 1

    def connected(self) -> None:
        """Send first what the last connection left unacknowledged, with DUP and its packet id (4.4.0-1)."""
        self._again = deque(message._replace(dup=True) for message in self._in_flight.values())

    def _pop(self) -> Publish:
        _number, message = self._waiting.popitem(last=False)
        self._waiting_bytes -= len(message.payload)
        if message.retain:
            del self._retained[message.topic]
        return message

    def _free_id(self) -> int:
        while True:  # ends: the window is smaller than the ids
            self._last_id = self._last_id % (SUBSCRIBE_ID - 1) + 1
            if self._last_id not in self._in_flight:
                return self._last_id
