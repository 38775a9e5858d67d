"""What a node hears, for its loop: bounded, and nothing of its own or of who is under quarantine.

::

    hub's STATUS ──▶ shun()   who is under quarantine
    message ───────▶ hear() ──┬─ kept; at INBOX_MESSAGES_MAX the oldest goes, `unheard` grows
                              └─ not for this node: its own echo, the broker's figures, who is under quarantine
"""

from __future__ import annotations

import logging
import queue
from contextlib import suppress

from mqtt_hub.protocol.bodies import Status
from mqtt_hub.protocol.codec import Message
from mqtt_hub.protocol.table import RESERVED, TABLE, MessageType

__all__ = ["INBOX_MESSAGES_MAX", "Inbox"]

INBOX_MESSAGES_MAX = 2_000  # beyond it the oldest goes unheard, counted: what peers share can be had again


class Inbox(queue.Queue[Message]):
    """Messages that wait for the node's loop: the network's thread fills it."""

    def __init__(self, name: str, log: logging.Logger, messages_max: int = INBOX_MESSAGES_MAX) -> None:
        super().__init__(messages_max)
        self._name, self._log = name, log
        self.quarantined: frozenset[str] = frozenset()
        self.unheard = 0

    def hear(self, message: Message) -> None:
        """Keep a message if it is one to listen to."""
        sender, status = message.sender, message.type is MessageType.STATUS
        if sender == self._name or (status and sender in RESERVED):
            return
        # The hub refuses what they share; a broker other than the hub's own has passed it on all the same.
        if sender in self.quarantined and (status or TABLE[message.type].sequenced):
            return
        self.keep(message)

    def keep(self, message: Message) -> None:
        """Keep a message; at the bound the oldest goes and is counted."""
        while True:
            try:
                self.put_nowait(message)
            except queue.Full:
                self.unheard += 1
                with suppress(queue.Empty):  # the node's loop may just have made room
                    self.get_nowait()
            else:
                return

    def shun(self, hub: Status) -> None:
        """Take up whom the hub has under quarantine; its last will, as old as its connection, takes back none."""
        named = frozenset(hub.quarantined)
        if hub.state == "lost":
            named |= self.quarantined
        if named != self.quarantined:
            self.quarantined = named
            self._log.info(
                "not listened to, the hub has them under quarantine: %s", ", ".join(sorted(named)) or "nobody"
            )
