"""The wire side of a connection: bytes to packets, parts of packets to one write per loop turn.

::

    data_received ─▶ Parser ─▶ handle(packet)        write(parts) ─▶ one join per loop turn ─▶ transport
         ▲ pause_reading while blocked                   ▲ ready? else messages wait in the session

Reading is blocked while a decision is awaited, while the consumer has too much unacknowledged, while the client does
not read what it is sent, and while its account has used up its allowance. Everything that ends a connection goes
through ``close``, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import abstractmethod
from collections.abc import Coroutine
from functools import partial
from typing import Any

from mqtt_hub.broker.counters import Counters
from mqtt_hub.broker.delivery import AckWindow, Deliveries
from mqtt_hub.broker.flusher import Flusher
from mqtt_hub.broker.gate import UndecidedError
from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.packets import MalformedPacketError, Packet
from mqtt_hub.broker.parser import Parser
from mqtt_hub.broker.rate import Allowance

__all__ = ["Link"]

_LOG = logging.getLogger("mqtt_hub.broker")


class Link(asyncio.Protocol):
    """An `asyncio.Protocol` that hands packets to ``handle`` and is the `Outlet` of a session."""

    def __init__(self, limits: Limits, counters: Counters, deliveries: Deliveries, flusher: Flusher) -> None:
        self.remote: tuple[str, int] = ("", 0)
        self._limits = limits
        self._counters = counters
        self._flusher, self._flush_later = flusher, flusher.flush_later
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._parser = Parser(limits.packet_bytes_max)
        self._deliveries = deliveries
        self._window = AckWindow(deliveries, self.write, self._resume)
        self._allowance: Allowance | None = None  # of the account, once it is known
        self._task: asyncio.Task[None] | None = None  # while a decision is awaited
        self._heard_at_s = 0.0
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._flush_due = False
        self._writing_paused = False
        self._reading_paused = False
        self._resume_due = False
        self._overflowed = False
        self._closed = False

    # what a connection does with it

    @abstractmethod
    def opened(self) -> bool:
        """Take note of the new connection; False to refuse it."""

    @abstractmethod
    def handle(self, packet: Packet) -> None:
        """Act on the client's next packet.

        Raises MalformedPacketError to close, and, before it has done anything, UndecidedError to be called
        again with the same packet when plugins have answered.
        """

    @abstractmethod
    async def decide(self, packet: Packet) -> None:
        """Handle a packet as soon as plugins have answered."""

    @abstractmethod
    def drained(self) -> None:
        """Write what waits: the client can be sent messages again."""

    @abstractmethod
    def ended(self, reason: str, *, will: bool) -> None:
        """Clean up; called once, ``will`` says whether the client's will is due."""

    # the transport's calls

    def connection_made(self, transport: Any) -> None:
        """Take the connection in or refuse it."""
        self._transport = transport
        peername = transport.get_extra_info("peername")
        self.remote = peername[:2] if isinstance(peername, tuple) else ("", 0)
        transport.set_write_buffer_limits(high=self._limits.outgoing_bytes_max)
        if not self.opened():
            self._closed = True
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Handle all packets that the bytes complete."""
        self._heard_at_s = self._loop.time()
        self._counters.bytes_in += len(data)
        self._parser.feed(data)
        self._flusher.reading_begins()
        self._process()
        self._flusher.reading_ends()

    def pause_writing(self) -> None:
        """Stop sending messages: the client does not read as fast as it is written to."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """Send what has waited in the session, read what has waited in the socket."""
        self._writing_paused = False
        if not self._closed:
            self.drained()
        self._process()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what belongs to the connection."""
        self.close(f"connection lost: {exc}" if exc else "connection lost")

    # reading

    def _process(self) -> None:
        next_packet, window, deliveries, limits, allowance = (
            self._parser.next,
            self._window,
            self._deliveries,
            self._limits,
            self._allowance,
        )
        pending = window.pending
        own_max, total_max = limits.unacknowledged_messages_max, limits.unacknowledged_total_max
        own_bytes_max, total_bytes_max = limits.unacknowledged_bytes_max, limits.unacknowledged_total_bytes_max
        try:
            for _ in range(limits.packets_per_turn_max):
                if (
                    self._writing_paused
                    or self._task is not None
                    or self._closed
                    or len(pending) >= own_max
                    or deliveries.unacknowledged >= total_max
                    or window.pending_bytes >= own_bytes_max
                    or deliveries.unacknowledged_bytes >= total_bytes_max
                    or (allowance is not None and allowance.left < 1)
                ) and self._blocked():
                    break
                packet = next_packet()
                if packet is None:
                    self._read_on()
                    return
                try:
                    self.handle(packet)
                except UndecidedError:
                    self.wait_for(self.decide(packet))
            else:
                self._resume()
        except MalformedPacketError as error:
            self._counters.malformed += 1
            self.close(f"malformed packet: {error}")
        except Exception:  # noqa: BLE001 — a fault of the consumer ends this connection and nothing else
            _LOG.exception("connection %s:%s", *self.remote)
            self.close("unexpected error", abort=True)
        if not self._closed and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _read_on(self) -> None:
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()

    def _blocked(self) -> bool:
        """Say whether no packet may be handled now; `_process` asks only when there may be a reason."""
        if self._closed or self._task is not None:
            return True
        if self._window.full:
            self._window.stall()
            return True
        if self._allowance is not None and self._allowance.left < 1:
            wait_s = self._allowance.wait_s(self._loop.time())
            if wait_s > 0:
                self._pause(wait_s)
                return True
        if not self._writing_paused:
            return False
        unsent_bytes = self._out_bytes + int(self._transport.get_write_buffer_size())
        return unsent_bytes > 2 * self._limits.outgoing_bytes_max

    def _resume(self) -> None:
        if not self._resume_due:
            self._resume_due = True
            self._loop.call_soon(self._go_on)

    def _pause(self, wait_s: float) -> None:
        if not self._resume_due:
            self._resume_due = True
            self._counters.publishes_throttled += 1
            self._loop.call_later(wait_s, self._go_on)

    def _go_on(self) -> None:
        self._resume_due = False
        self._process()

    @property
    def _deaf(self) -> bool:
        """Whether nothing can be heard for reasons that are ours and not the client's."""
        return self._reading_paused and not self._writing_paused

    def wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        """Await ``work``, and handle no packet until it is done."""
        self._task = self._loop.create_task(self._work(work))

    async def _work(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except MalformedPacketError as error:
            self._counters.malformed += 1
            self.close(f"malformed packet: {error}")
        except Exception:  # noqa: BLE001 — a fault of an authenticator ends this connection and nothing else
            _LOG.exception("connection %s:%s", *self.remote)
            self.close("unexpected error", abort=True)
        finally:
            self._task = None
        self._heard_at_s = self._loop.time()
        self._process()

    # writing

    @property
    def ready(self) -> bool:
        """Whether messages may be written; acknowledgements always may."""
        return not (self._writing_paused or self._closed or self._out_bytes >= self._limits.outgoing_bytes_max)

    def write(self, *parts: bytes) -> None:
        """Send bytes at the end of this loop turn, together with all others of it."""
        self._out += parts
        size = self._out_bytes
        for part in parts:
            size += len(part)
        self._out_bytes = size
        if not self._flush_due:
            self._flush_due = True
            self._flush_later(self)

    def overflow(self) -> None:
        """Disconnect a client that is too far behind, after the message in hand has been routed."""
        if not self._overflowed:
            self._overflowed = True
            self._counters.slow_readers += 1
            self._loop.call_soon(partial(self.close, "slow reader: its queue is full", abort=True))

    def flush(self) -> None:
        """Write what has gathered; called at the end of the turn."""
        self._flush_due = False
        if not self._out or self._transport.is_closing():
            return
        data = b"".join(self._out)
        self._out.clear()
        held_back, self._out_bytes = self._out_bytes >= self._limits.outgoing_bytes_max, 0
        self._counters.bytes_out += len(data)
        self._transport.write(data)
        if held_back and not (self._writing_paused or self._closed):
            self.drained()

    # the end

    def close(self, reason: str, *, abort: bool = False, will: bool = True) -> None:
        """End the connection: its session is detached, its will fires, its socket closes.

        ``abort`` throws away what has not been sent; ``will=False`` is for DISCONNECT and for shutdown.
        """
        if self._closed:
            return
        self._closed = True
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        if abort:
            self._transport.abort()
        else:
            self.flush()
            self._transport.close()
            if self._transport.get_write_buffer_size():
                self._loop.call_later(self._limits.linger_s, self._transport.abort)
        self._window.close()
        self.ended(reason, will=will)

    async def wait_closed(self) -> None:
        """Return when no task of this connection runs any more."""
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
