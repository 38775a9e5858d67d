"""Who is next when more has arrived than one batch takes: everybody in turn, a few messages each, each in order.

::

    put("flood", 1) put("flood", 2) … put("good", 1)      take(…) ──▶ flood 1..16, good 1, flood 17..32, …

So a good node waits for the batch in hand and not for all that others have sent. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

__all__ = ["FairQueue"]

TURN_MESSAGES = 16  # of one sender, before the next has its turn

T = TypeVar("T")


class FairQueue(Generic[T]):
    """A queue for each sender that has something waiting. The broker's bounds on the unacknowledged bound it."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[T]] = {}
        self._turn: deque[str] = deque()  # the senders in it, each once
        self._count = 0

    def put(self, sender: str, item: T) -> None:
        """Add an item behind all others of its sender."""
        queue = self._queues.get(sender)
        if queue is None:
            queue = self._queues[sender] = deque()
            self._turn.append(sender)
        queue.append(item)
        self._count += 1

    def take(self, most: int) -> list[T]:
        """Return at most so many items, and take them out."""
        taken: list[T] = []
        while self._turn and len(taken) < most:
            sender = self._turn.popleft()
            queue = self._queues[sender]
            for _ in range(min(TURN_MESSAGES, len(queue), most - len(taken))):
                taken.append(queue.popleft())  # noqa: PERF401 — at the rate of messages, without a list of its own
            if queue:
                self._turn.append(sender)
            else:
                del self._queues[sender]
        self._count -= len(taken)
        return taken

    def __len__(self) -> int:
        return self._count
