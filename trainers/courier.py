"""The courier carries the outbox to the broker and back: window, receipts, resending.

::

    submit() ─▶ outbox ─▶ pump() ─▶ publish      at most WINDOW_MESSAGES without a receipt
                  ▲                    │
                  └── receipt() ◀──────┘         gaps and what is overdue are published again

Two threads use it, the node's loop and the network's; one lock guards it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from mqtt_hub.protocol.bodies import SessionReceipt
from mqtt_hub.protocol.codec import Message
from trainers.outbox import Outbox, Parcel, Rescue

__all__ = ["RESEND_AFTER_S", "WINDOW_MESSAGES", "Courier"]

WINDOW_MESSAGES = 200  # published and not yet receipted
RESEND_AFTER_S = 10.0  # some brokers acknowledge and drop; a receipt that takes this long is asked for again
GAP_AFTER_S = 1.0  # what the hub misses may still be on its way


class Courier:
    """Gets every message of the outbox to the archive, once the node is `open`."""

    def __init__(self, outbox: Outbox, publish: Callable[[Parcel], None], clock: Callable[[], float]) -> None:
        self._outbox, self._publish, self._clock = outbox, publish, clock
        self._lock = threading.RLock()
        self._sent_at: dict[tuple[int, int], float] = {}
        self._open = False

    @property
    def session(self) -> int:
        """The session of this start: proposed until the hub has granted it."""
        with self._lock:
            return self._outbox.session

    def submit(self, message: Message, recipient: str) -> None:
        """Commit a message and send it when there is room; raises `OutboxWaitError` where it must wait."""
        with self._lock:
            self._outbox.put(message, recipient)
            self._pump()

    def open(self, session: int, receipts: tuple[SessionReceipt, ...]) -> None:
        """Begin to send: the hub has granted a session and said what it has."""
        with self._lock:
            self._outbox.adopt_session(session)
            for receipt in receipts:
                self._outbox.trim(receipt)
            self._open = True
            self._pump()

    def begin_anew(self, path: Path) -> Rescue | None:
        """Close a damaged outbox and set it aside; returns what became of it. The hub has to grant a new session."""
        with self._lock:
            self.shut()
            self._outbox.close()
            self._outbox, rescue = Outbox.begin(path)
            return rescue

    def shut(self) -> None:
        """Stop sending: the connection is lost, and with it what was under way."""
        with self._lock:
            self._open = False
            self._sent_at.clear()

    def receipt(self, committed: SessionReceipt) -> None:
        """Forget what is in the archive, send again what the hub misses, and go on."""
        with self._lock:
            self._outbox.trim(committed)
            for session, seq in list(self._sent_at):
                covered = session == committed.session and seq <= committed.highest
                if covered and not any(gap.first <= seq <= gap.last for gap in committed.missing):
                    del self._sent_at[session, seq]
            if committed.missing:
                self._resend(GAP_AFTER_S)
            self._pump()

    def resend_overdue(self) -> None:
        """Publish again what has waited for its receipt longer than `RESEND_AFTER_S`."""
        with self._lock:
            self._resend(RESEND_AFTER_S)

    def pending(self) -> int:
        """Return how many messages have no receipt yet."""
        with self._lock:
            return self._outbox.count()

    def close(self) -> None:
        """Close the outbox; what has no receipt stays in it for the next start."""
        with self._lock:
            self._open = False
            self._outbox.close()

    def _pump(self) -> None:
        room = WINDOW_MESSAGES - len(self._sent_at)
        if self._open and room > 0:
            for parcel in self._outbox.pending(after=max(self._sent_at, default=(0, 0)), limit=room):
                self._send(parcel)

    def _resend(self, after_s: float) -> None:
        now = self._clock()
        overdue = {key for key, at in self._sent_at.items() if abs(now - at) > after_s}
        if self._open and overdue:
            for parcel in self._outbox.pending(limit=WINDOW_MESSAGES):
                if (parcel.session, parcel.seq) in overdue:
                    self._send(parcel)

    def _send(self, parcel: Parcel) -> None:
        self._sent_at[parcel.session, parcel.seq] = self._clock()
        self._publish(parcel)
