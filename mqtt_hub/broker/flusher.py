"""Writes what the connections have gathered, together, once a turn of the loop.

::

    data_received ── packets ── write(…), write(…) of many connections ──▶ flush: one transport.write each

asyncio sends within ``transport.write``, so there flushing waits for the end of the turn. uvloop gathers what is
written in a turn itself and sends it after the poll; there flushing at the end of each ``data_received`` costs
no further send, and spares the turn of the loop that a callback needs.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["Flusher"]


class Flushable(Protocol):
    """What has gathered bytes."""

    def flush(self) -> None:
        """Write them."""


class Flusher:
    """Flushes whoever asks for it, all in one call: fan-out to a thousand connections schedules one, not a thousand."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._loop_gathers = type(loop).__module__.startswith("uvloop")
        self._reading = False
        self._waiting: list[Flushable] = []

    def flush_later(self, link: Flushable) -> None:
        """Flush ``link`` at the end of this turn or sooner; it asks once."""
        if not self._waiting and not self._reading:
            self._loop.call_soon(self.flush)
        self._waiting.append(link)

    def reading_begins(self) -> None:
        """Take note that packets are being handled; `reading_ends` follows."""
        self._reading = self._loop_gathers and not self._waiting

    def reading_ends(self) -> None:
        """Flush what they have led to, where that is as good as later."""
        if self._reading:
            self._reading = False
            self.flush()

    def flush(self) -> None:
        """Write everything."""
        waiting, self._waiting = self._waiting, []
        for link in waiting:
            link.flush()
