"""What of one session is on disk: each step of its life as the rows that it writes and deletes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mqtt_hub.broker.identity import Account
from mqtt_hub.broker.message import Message
from mqtt_hub.broker.store import Store

__all__ = ["SessionRecord"]


class SessionRecord:
    """The rows of one persistent session."""

    __slots__ = ("_session", "_store")

    def __init__(self, store: Store, session: int) -> None:
        self._store, self._session = store, session

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call ``call`` once all changes up to now are on disk."""
        self._store.after_commit(call)

    def enter(self, account: Account, client_id: str) -> None:
        """The client is connected."""
        self._store.put("sessions", (self._session,), account.name, account.role, client_id, None)

    def leave(self, account: Account, client_id: str) -> None:
        """The client is gone, its session stays."""
        self._store.put("sessions", (self._session,), account.name, account.role, client_id, self._store.clock())

    def subscribe(self, name: str, qos: int) -> None:
        """A filter was granted, or its QoS has changed."""
        self._store.put("subscriptions", (self._session, name), qos)

    def unsubscribe(self, name: str) -> None:
        """A filter was given up."""
        self._store.delete("subscriptions", (self._session, name))

    def receive(self, packet_id: int) -> None:
        """A QoS 2 message of the client's has been routed."""
        self._store.put("received", (self._session, packet_id))

    def forget_received(self, packet_id: int) -> None:
        """Its PUBREL has come."""
        self._store.delete("received", (self._session, packet_id))

    def keep(self, message: Message, qos: int, *, retain: bool, packet_id: int | None = None) -> int:
        """A message waits for the client, in flight if it has a packet id; return the id of its row."""
        if not message.holders:
            message.row = self._store.new_id()
            self._store.put("messages", (message.row,), message.topic, message.payload)
        message.holders += 1
        row = self._store.new_id()
        self.change(row, message, qos, retain=retain, packet_id=packet_id)
        return row

    def change(
        self, row: int, message: Message, qos: int, *, retain: bool, packet_id: int | None, released: bool = False
    ) -> None:
        """It has got a packet id, or its PUBREC has come."""
        self._store.put("outgoing", (row,), self._session, message.row, qos, int(retain), packet_id, int(released))

    def drop(self, row: int, message: Message) -> None:
        """The client has taken the message over, or it was dropped at a bound."""
        self._store.delete("outgoing", (row,))
        message.holders -= 1
        if not message.holders:
            self._store.delete("messages", (message.row,))

    def erase(self, filters: Iterable[str], received: Iterable[int], outgoing: Iterable[tuple[int, Message]]) -> None:
        """The session is forgotten with all that it holds."""
        self._store.delete("sessions", (self._session,))
        for name in filters:
            self.unsubscribe(name)
        for packet_id in received:
            self.forget_received(packet_id)
        for row, message in outgoing:
            self.drop(row, message)
