"""What the broker keeps for one client, connected or not: subscriptions, queue, in-flight window.

::

    deliver ──▶ QoS 0 ──▶ outlet (or, while the reader is behind, a bounded backlog: oldest dropped)
            └─▶ QoS 1/2 ──▶ queue ──▶ window ──▶ outlet
                          (bounded)   PUBLISH ── PUBACK ──────────────▶ done
                                      PUBLISH ── PUBREC ── PUBREL ── PUBCOMP ──▶ done

No I/O: the connection is an `Outlet`, what is on disk a `SessionRecord` (persistent sessions of a durable broker).
There QoS 2 goes out, and is released, only when that is on disk: a packet id that was seen must not be forgotten.

When a client returns, what is in the window goes out again first, in the old order, with DUP and the old packet ids
(MQTT 3.1.1, 4.4); then the queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from mqtt_hub.broker.counters import Counters
from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.message import Message
from mqtt_hub.broker.outgoing import Outgoing, Outlet
from mqtt_hub.broker.packets import Pubrel
from mqtt_hub.broker.record import SessionRecord

if TYPE_CHECKING:
    from mqtt_hub.broker.delivery import Delivery
    from mqtt_hub.broker.gate import Peer

__all__ = ["Session"]

_PACKET_ID_MAX = 0xFFFF


class Session:
    """State of one (account, client id); ``persistent`` outlives the connection (CONNECT with clean=0)."""

    __slots__ = (
        "_backlog",
        "_backlog_bytes",
        "_counters",
        "_inflight",
        "_last_packet_id",
        "_limits",
        "_queue",
        "_queue_bytes",
        "_resend",
        "disconnected_at_s",
        "outlet",
        "peer",
        "persistent",
        "received",
        "record",
        "restored",
        "subscriptions",
    )

    def __init__(
        self, peer: Peer, *, persistent: bool, limits: Limits, counters: Counters, record: SessionRecord | None = None
    ) -> None:
        self.peer = peer
        self.record = record
        self.persistent = persistent
        self.outlet: Outlet | None = None
        self.disconnected_at_s: float | None = None
        self.subscriptions: dict[str, int] = {}
        self.received: dict[int, Delivery | None] = {}  # QoS 2 packet ids until their PUBREL
        self.restored: set[int] = set()  # those of before a restart: routed, perhaps not consumed
        self._limits, self._counters = limits, counters
        self._inflight: dict[int, Outgoing] = {}
        self._last_packet_id = 0
        self._resend: deque[int] = deque()
        self._queue: deque[Outgoing] = deque()
        self._queue_bytes = 0
        self._backlog: deque[tuple[Message, bool]] = deque()
        self._backlog_bytes = 0

    @property
    def key(self) -> Hashable:
        """Account name and client id: two accounts never share a session."""
        return self.peer.key

    @property
    def queued_messages(self) -> int:
        """How many QoS 1 and 2 messages wait for the window."""
        return len(self._queue)

    @property
    def inflight_messages(self) -> int:
        """How many QoS 1 and 2 messages the client has been sent and has not taken over."""
        return len(self._inflight)

    def attach(self, outlet: Outlet, peer: Peer) -> None:
        """Connect the client; call ``pump`` when it may be sent messages."""
        self.outlet, self.peer = outlet, peer
        self.disconnected_at_s = None
        self._resend = deque(packet_id for packet_id, sent in self._inflight.items() if not sent.held)
        if self.record is not None:
            self.record.enter(peer.account, peer.client_id)

    def detach(self, now_s: float) -> None:
        """Disconnect the client; QoS 0 that it has not read is lost, as MQTT has it."""
        self.outlet = None
        self.disconnected_at_s = now_s
        self._resend.clear()
        self._backlog.clear()
        self._backlog_bytes = 0
        if self.record is not None:
            self.record.leave(self.peer.account, self.peer.client_id)

    def restore(
        self, message: Message, qos: int, *, retain: bool, row: int, packet_id: int | None, released: bool
    ) -> None:
        """Take back a message from disk, in the old order; call ``trim`` after the last."""
        item = Outgoing(message, qos, retain, row)
        if packet_id is None:
            self._queue.append(item)
            self._queue_bytes += message.size_bytes
            return
        self._inflight[packet_id] = item
        item.released = released
        self._last_packet_id = packet_id

    def erase(self) -> None:
        """Forget what is on disk of it."""
        if self.record is not None:
            self.record.erase(self.subscriptions, self.received, self._rows())
            self.record = None

    def _rows(self) -> Iterator[tuple[int, Message]]:
        yield from ((item.row, item.message) for item in chain(self._inflight.values(), self._queue))

    def deliver(self, message: Message, qos: int, *, retain: bool = False) -> None:
        """Send a message now or when the client takes it; within the bounds of ``Limits``."""
        outlet = self.outlet
        if qos == 0:
            if outlet is None:
                return
            if outlet.ready and not self._backlog:
                self._counters.messages_out += 1
                outlet.write(message.head(0, retain), message.payload)
            else:
                self._put_back(message, retain=retain)
        elif (
            outlet is not None
            and not self._queue
            and not self._resend
            and len(self._inflight) < self._limits.inflight_messages_max
            and outlet.ready
        ):
            self._launch(outlet, Outgoing(message, qos, retain, 0))
        else:
            self._enqueue(message, qos, retain=retain)

    def pump(self) -> None:
        """Send what waits, as far as the outlet and the window take it."""
        outlet = self.outlet
        if outlet is None:
            return
        while self._resend and outlet.ready:
            self._send_again(outlet, self._resend.popleft())
        while self._backlog and outlet.ready:
            message, retain = self._backlog.popleft()
            self._backlog_bytes -= message.size_bytes
            self._counters.messages_out += 1
            outlet.write(message.head(0, retain), message.payload)
        if self._resend:
            return
        queue, inflight, window = self._queue, self._inflight, self._limits.inflight_messages_max
        while queue and len(inflight) < window and outlet.ready:
            item = queue.popleft()
            self._queue_bytes -= item.message.size_bytes
            self._launch(outlet, item)

    def pubacks(self, packet_ids: Iterable[int]) -> None:
        """Take QoS 1 messages out of the window, then send on; unknown ids are ignored."""
        inflight, record = self._inflight, self.record
        for packet_id in packet_ids:
            sent = inflight.get(packet_id)
            if sent is not None and sent.qos == 1:
                del inflight[packet_id]
                if record is not None:
                    record.drop(sent.row, sent.message)
        if self._queue:
            self.pump()

    def pubrec(self, packet_id: int) -> None:
        """Release a QoS 2 message; an unknown id is released too, so that the client forgets it."""
        sent = self._inflight.get(packet_id)
        if sent is not None and sent.qos == 2 and not sent.released and self.record is not None:
            self.record.change(sent.row, sent.message, 2, retain=sent.retain, packet_id=packet_id, released=True)
            self.record.after_commit(partial(self._release, packet_id))
        else:
            self._release(packet_id)

    def _release(self, packet_id: int) -> None:
        sent = self._inflight.get(packet_id)
        if sent is not None and sent.qos == 2:
            sent.released = True
        if self.outlet is not None:
            self.outlet.write(Pubrel(packet_id).encode())

    def pubcomp(self, packet_id: int) -> None:
        """Take a released QoS 2 message out of the window; an unknown id is ignored."""
        sent = self._inflight.get(packet_id)
        if sent is not None and sent.released:
            del self._inflight[packet_id]
            if self.record is not None:
                self.record.drop(sent.row, sent.message)
            if self._queue:
                self.pump()

    def _launch(self, outlet: Outlet, item: Outgoing) -> None:
        inflight, packet_id, message = self._inflight, self._last_packet_id % _PACKET_ID_MAX + 1, item.message
        while packet_id in inflight:  # ends: the window is far smaller than the range of packet ids
            packet_id = packet_id % _PACKET_ID_MAX + 1
        self._last_packet_id = packet_id
        inflight[packet_id] = item
        if self.record is not None:
            if item.row:
                self.record.change(item.row, message, item.qos, retain=item.retain, packet_id=packet_id)
            else:
                item.row = self.record.keep(message, item.qos, retain=item.retain, packet_id=packet_id)
            if item.qos == 2:
                item.held = True
                self.record.after_commit(partial(self._launch_held, packet_id, item))
                return
        self._counters.messages_out += 1
        outlet.write(message.head(item.qos, item.retain), packet_id.to_bytes(2, "big"), message.payload)

    def _launch_held(self, packet_id: int, sent: Outgoing) -> None:
        sent.held = False
        if self._inflight.get(packet_id) is sent and self.outlet is not None:
            self._counters.messages_out += 1
            head = sent.message.head(2, sent.retain)
            self.outlet.write(head, packet_id.to_bytes(2, "big"), sent.message.payload)

    def _send_again(self, outlet: Outlet, packet_id: int) -> None:
        sent = self._inflight.get(packet_id)
        if sent is None:  # acknowledged meanwhile
            return
        if sent.released:
            outlet.write(Pubrel(packet_id).encode())
        else:
            head = sent.message.head(sent.qos, sent.retain, dup=True)
            outlet.write(head, packet_id.to_bytes(2, "big"), sent.message.payload)

    def _enqueue(self, message: Message, qos: int, *, retain: bool) -> None:
        limits = self._limits
        row = 0 if self.record is None else self.record.keep(message, qos, retain=retain)
        self._queue.append(Outgoing(message, qos, retain, row))
        self._queue_bytes += message.size_bytes
        if len(self._queue) <= limits.queue_messages_max and self._queue_bytes <= limits.queue_bytes_max:
            return
        if self.outlet is not None:
            self.outlet.overflow()
        self.trim()

    def trim(self) -> None:
        """Drop the oldest queued messages beyond the bounds."""
        limits = self._limits
        while len(self._queue) > limits.queue_messages_max or self._queue_bytes > limits.queue_bytes_max:
            item = self._queue.popleft()
            self._queue_bytes -= item.message.size_bytes
            self._counters.dropped_queue_full += 1
            if self.record is not None:
                self.record.drop(item.row, item.message)

    def _put_back(self, message: Message, *, retain: bool) -> None:
        self._backlog.append((message, retain))
        self._backlog_bytes += message.size_bytes
        while self._backlog_bytes > self._limits.qos0_backlog_bytes_max:
            self._backlog_bytes -= self._backlog.popleft()[0].size_bytes
            self._counters.dropped_slow_qos0 += 1
