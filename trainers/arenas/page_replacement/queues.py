"""A queue of pages with a hand, and the hash of what was evicted: what both Python models are made of."""

from __future__ import annotations

__all__ = ["SEED", "Queue", "digest"]

SEED = 0x9E3779B97F4A7C15
NONE = -1


def digest(trail: int, accessed: int) -> int:
    """Add an eviction to the hash: the page is named by the request number of its last access."""
    trail = (trail ^ (accessed + 1)) * SEED & (1 << 64) - 1
    return trail ^ trail >> 32


class Queue:
    """A doubly linked list from head (newest) to tail; its hand stands at the tail until it is moved."""

    def __init__(self) -> None:
        self.head = self.tail = self.hand = NONE
        self.towards_head: dict[int, int] = {}
        self.towards_tail: dict[int, int] = {}

    @property
    def size(self) -> int:
        """How many pages stand in the queue."""
        return len(self.towards_head)

    def link(self, page: int, *, at_tail: bool = False) -> None:
        """Put a page at the head, or at the tail."""
        before, after = (self.tail, NONE) if at_tail else (NONE, self.head)
        self.towards_head[page], self.towards_tail[page] = before, after
        self._join(before, page)
        self._join(page, after)

    def unlink(self, page: int) -> None:
        """Take a page out; a hand that points at it moves on first."""
        if self.hand == page:
            self.hand = self.towards_head[page]
        before, after = self.towards_head.pop(page), self.towards_tail.pop(page)
        self._join(before, after)

    def at_hand(self) -> int:
        """Return the page that the hand points at."""
        return self.tail if self.hand == NONE else self.hand

    def move_hand(self) -> None:
        """Move the hand one page towards the head; past the head it is at the tail again."""
        self.hand = self.towards_head[self.at_hand()]

    def _join(self, before: int, after: int) -> None:
        if before == NONE:
            self.head = after
        else:
            self.towards_tail[before] = after
        if after == NONE:
            self.tail = before
        else:
            self.towards_head[after] = before
