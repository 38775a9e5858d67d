"""The courier on a disk that may refuse or fail: waits are said once, damage is set aside, nothing else changes.

::

    submit() ──┬─ in the outbox
               ├─ OutboxWaitError      at the bound, or the disk refuses: said once, the search waits
               └─ damaged              until begin_anew(): the file is set aside, a new one begins, and the hub has to
                                       grant a session in which no key was ever used
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mqtt_hub.protocol.bodies import SessionReceipt
from mqtt_hub.protocol.codec import Message, read_json
from mqtt_hub.protocol.table import MessageType
from trainers.courier import Courier
from trainers.outbox import Outbox, Parcel, Rescue
from trainers.outbox_file import OutboxError, OutboxWaitError

__all__ = ["Mailroom", "Publish"]

Publish = Callable[[MessageType, str, bytes], None]  # (type, last topic level, payload)


class Mailroom:
    """A node's outbox and its courier. Both threads of the node use it."""

    def __init__(self, path: Path, publish: Publish, clock: Callable[[], float], log: logging.Logger) -> None:
        """Open the outbox, setting a damaged one aside; raises `OutboxError`."""
        self._path, self._publish, self._log = path, publish, log
        self._waits = False
        self.damaged = False
        outbox, rescue = Outbox.begin(path)
        self._courier = Courier(outbox, self._publish_parcel, clock)
        self._tell_rescue(rescue)

    @property
    def session(self) -> int:
        """The session of this start: proposed until the hub has granted it."""
        return self._courier.session

    def submit(self, message: Message, recipient: str) -> bool:
        """Commit a message and send it when there is room; False where the outbox is damaged.

        Raises `OutboxWaitError` where it takes nothing now.
        """
        try:
            self._courier.submit(message, recipient)
        except OutboxWaitError as error:
            self._tell_wait(error)
            raise
        except OutboxError:
            self.damaged = True
            return False
        if self._waits:
            self._waits = False
            self._log.info("the outbox takes messages again, going on")
        return True

    def open(self, session: int, receipts: tuple[SessionReceipt, ...]) -> bool:
        """Begin to send under the session that the hub has granted; False where the outbox does not take it now."""
        return self._try(self._courier.open, session, receipts)

    def receipt(self, committed: SessionReceipt) -> None:
        """Forget what is in the archive; on a disk that refuses it is told again."""
        self._try(self._courier.receipt, committed)

    def resend_overdue(self) -> None:
        """Publish again what has waited too long for its receipt."""
        self._try(self._courier.resend_overdue)

    def shut(self) -> None:
        """Stop sending: the connection is lost."""
        self._courier.shut()

    def begin_anew(self) -> None:
        """Set a damaged outbox aside and begin a new one; raises `OutboxError` where the disk refuses that too."""
        self._tell_rescue(self._courier.begin_anew(self._path))
        self.damaged = False

    def pending(self) -> int:
        """Return how many messages have no receipt yet; raises `OutboxError`."""
        return self._courier.pending()

    def close(self) -> None:
        """Close the outbox; what has no receipt stays in it for the next start."""
        self._courier.close()

    def _try(self, call: Callable[..., None], *arguments: Any) -> bool:
        try:
            call(*arguments)
        except OutboxWaitError as error:
            self._tell_wait(error)
            return False
        except OutboxError:
            self.damaged = True
            return False
        return True

    def _publish_parcel(self, parcel: Parcel) -> None:
        # Not judged again: what an earlier version of this node accepted, the hub accepts or rejects with a reason.
        envelope = read_json(parcel.payload)
        self._publish(MessageType(envelope["type"]), parcel.recipient or envelope["body"]["kind"], parcel.payload)

    def _tell_wait(self, error: OutboxWaitError) -> None:
        if not self._waits:
            self._waits = True
            self._log.warning("waiting: %s", error)

    def _tell_rescue(self, rescue: Rescue | None) -> None:
        if rescue is not None:
            self._log.error(
                "the outbox was damaged, it lies at %s: %d messages in it could be read and go out under their keys,"
                " about %d could not; going on in a new session",
                rescue.aside, rescue.saved, rescue.unreadable,
            )  # fmt: skip
