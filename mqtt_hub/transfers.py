"""Which workloads are on their way to nodes, and from which piece on.

::

    ask(stored, first) ─▶ due: gathers askers for GATHER_S, begins at the least of their firsts
                           └─▶ under way, one after the other ─▶ pieces(n)

A workload goes to everybody who may read its topic, so what several nodes ask for is sent once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mqtt_hub.protocol.bodies import WorkloadChunk
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.workload_store import StoredWorkload

__all__ = ["GATHER_S", "Transfers"]

GATHER_S = 0.3  # a workload asked for by several nodes within this time is sent once

_log = logging.getLogger("mqtt_hub.workloads")


@dataclass(slots=True)
class _Due:
    """Asked for; ``first`` is the first chunk that somebody lacks."""

    stored: StoredWorkload
    first: int
    at: float


@dataclass(slots=True)
class _UnderWay:
    """Being sent; ``next`` is the chunk that comes next."""

    stored: StoredWorkload
    next: int
    chunks: Iterator[WorkloadChunk]


class Transfers:
    """What the hub still has to send of its workloads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._due: dict[str, _Due] = {}
        self._under_way: dict[str, _UnderWay] = {}

    def ask(self, stored: StoredWorkload, first: int = 0) -> None:
        """Put a workload in line; who asks holds the chunks before ``first`` already."""
        digest = stored.entry.id
        if first >= stored.chunk_count:  # holds all, yet asks: what it holds is of no use to it
            first = 0
        sending = self._under_way.get(digest)
        if sending is not None and sending.next <= first:
            return  # all that it lacks is still to come
        due = self._due.setdefault(digest, _Due(stored, first, self._clock() + GATHER_S))
        due.first = min(due.first, first)

    def pieces(self, pieces_max: int) -> Iterator[tuple[MessageType, WorkloadChunk]]:
        """Yield the next pieces, at most so many, of what is due; a file that cannot be read is left out."""
        self._begin_due()
        for _ in range(pieces_max):
            chunk = None
            while chunk is None:
                if not self._under_way:
                    return
                sending = next(iter(self._under_way.values()))
                chunk = self._next_of(sending)
            yield sending.stored.type, chunk

    def _begin_due(self) -> None:
        now = self._clock()
        # A clock set back makes everything due rather than nothing. Who lacks what has passed gets it once more.
        for digest, due in list(self._due.items()):
            if not now < due.at <= now + GATHER_S and digest not in self._under_way:
                del self._due[digest]
                self._under_way[digest] = _UnderWay(due.stored, due.first, due.stored.chunks(due.first))

    def _next_of(self, sending: _UnderWay) -> WorkloadChunk | None:
        try:
            chunk = next(sending.chunks, None)
        except OSError as error:
            _log.warning("workload %s cannot be sent: %s", sending.stored.entry.id, error)
            chunk = None
        if chunk is None:
            del self._under_way[sending.stored.entry.id]
        else:
            sending.next = chunk.chunk + 1
        return chunk
