"""Telemetry that waits for its turn: bounded, the oldest dropped and counted, behind everything that must arrive.

::

    put() ──▶ at most TELEMETRY_MESSAGES_MAX ──▶ take() while the connection has nothing else to write
                 └─ full: the oldest goes, `dropped` grows, PROGRESS tells it, the hub's status sums it up
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

__all__ = ["TELEMETRY_MESSAGES_MAX", "Telemetry", "Word"]

TELEMETRY_MESSAGES_MAX = 256


@dataclass(frozen=True, slots=True)
class Word:
    """One message of telemetry, ready to be published at QoS 0."""

    topic: str
    payload: bytes


class Telemetry:
    """What a node would like to tell. Any thread may use it: log lines come from all of them."""

    def __init__(self, messages_max: int = TELEMETRY_MESSAGES_MAX) -> None:
        self._words: deque[Word] = deque()
        self._messages_max = messages_max
        self._lock = threading.Lock()
        self.dropped = 0

    def put(self, word: Word) -> None:
        """Take in a message; at the bound the oldest is dropped and counted."""
        with self._lock:
            if len(self._words) >= self._messages_max:
                self._words.popleft()
                self.dropped += 1
            self._words.append(word)

    def take(self) -> Word | None:
        """Return the oldest message, or None."""
        with self._lock:
            return self._words.popleft() if self._words else None
