"""MQTT over WebSocket: a transport that a `Link` cannot tell from a socket's.

Binary frames carry the stream in any split (MQTT 3.1.1, 6); a connection that ends within a packet ends there,
and nothing of the packet is seen (defect L14 of amqtt 0.12.1).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from mqtt_hub.broker.link import Link

__all__ = ["WebSocketTransport"]


class WebSocketTransport:
    """What `asyncio.Transport` offers, as far as a `Link` uses it."""

    def __init__(self, websocket: ServerConnection, link: Link) -> None:
        self._websocket = websocket
        self._link = link
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._bytes_max = 0
        self._wake = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._paused = False
        self._closing = False

    async def run(self) -> None:
        """Carry bytes both ways until one side ends the connection."""
        self._link.connection_made(self)
        writer = asyncio.get_running_loop().create_task(self._write())
        try:
            async for frame in self._websocket:
                if self._closing:
                    break
                if isinstance(frame, str):
                    self._link.close("a text frame, MQTT needs binary ones (6.0)")
                    break
                self._link.data_received(frame)
                await self._reading.wait()
        except ConnectionClosed:
            pass
        finally:
            self._link.connection_lost(None)
            await writer

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    data = b"".join(self._waiting)
                    self._waiting.clear()
                    await self._websocket.send(data)
                    self._waiting_bytes -= len(data)
                    if self._paused and self._waiting_bytes <= self._bytes_max:
                        self._paused = False
                        self._link.resume_writing()
                if self._closing:
                    break
            await self._websocket.close()

    def get_extra_info(self, name: str) -> Any:
        """Return the remote address for "peername"."""
        return self._websocket.remote_address if name == "peername" else None

    def set_write_buffer_limits(self, high: int) -> None:
        """Pause the link's writing above ``high`` bytes."""
        self._bytes_max = high

    def get_write_buffer_size(self) -> int:
        """Return how many bytes have not been sent."""
        return self._waiting_bytes

    def is_closing(self) -> bool:
        """Whether nothing more may be written."""
        return self._closing

    def write(self, data: bytes) -> None:
        """Send bytes as soon as the client takes them."""
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._wake.set()
        if not self._paused and self._waiting_bytes > self._bytes_max:
            self._paused = True
            self._link.pause_writing()

    def pause_reading(self) -> None:
        """Take no further frame."""
        self._reading.clear()

    def resume_reading(self) -> None:
        """Take frames again."""
        self._reading.set()

    def close(self) -> None:
        """Send what waits, then close."""
        self._closing = True
        self._reading.set()
        self._wake.set()

    def abort(self) -> None:
        """Close at once."""
        self.close()
        self._waiting.clear()
        self._websocket.transport.abort()
