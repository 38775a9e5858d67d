"""From the state file back into the exchange, at the start: sessions, what they wait for, retained messages, wills.

The bounds in force now hold for what was stored under others: what is beyond is dropped, oldest first, and counted.
Sessions of accounts that may no longer connect are dropped with all that they hold. The connections of before are
gone without DISCONNECT, so their wills are due: the retained presence of a node that does not come back is not true.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from mqtt_hub.broker.exchange import Exchange
from mqtt_hub.broker.gate import Peer
from mqtt_hub.broker.identity import Account
from mqtt_hub.broker.message import Message
from mqtt_hub.broker.packets import Will
from mqtt_hub.broker.record import SessionRecord
from mqtt_hub.broker.session import Session
from mqtt_hub.broker.state_file import Row
from mqtt_hub.broker.store import Store

__all__ = ["RoleOf", "restore"]

RoleOf = Callable[[str], str | None]  # the role of an account that may connect


def restore(exchange: Exchange, store: Store, role_of: RoleOf | None, *, now_s: float) -> list[tuple[Peer, Will]]:
    """Fill an empty exchange; return the wills that are due. Raises `ArchiveError`."""
    for topic, payload, qos in store.load("retained"):
        if not exchange.retained.keep(Message(topic, payload, qos=qos, retain=True)):
            exchange.counters.retained_refused += 1
            store.delete("retained", (topic,))
    _Restoring(exchange, store, role_of, now_s).sessions()
    wills = []
    for row, account, role, client_id, topic, payload, qos, retain in store.load("wills"):
        store.delete("wills", (row,))
        peer = _peer(account, role, client_id, role_of)
        if peer is not None:
            wills.append((peer, Will(topic, payload, qos, bool(retain))))
    return wills


def _peer(account: str, role: str, client_id: str, role_of: RoleOf | None) -> Peer | None:
    now_role = role if role_of is None else role_of(account)
    return None if now_role is None or now_role != role else Peer(Account(account, role), client_id)


class _Restoring:
    """The sessions of one file."""

    def __init__(self, exchange: Exchange, store: Store, role_of: RoleOf | None, now_s: float) -> None:
        self._exchange, self._store, self._role_of, self._now_s = exchange, store, role_of, now_s
        sessions = store.load("sessions")
        self._messages = {row[0]: self._message(row) for row in store.load("messages")}
        self._of = {table: self._by_session(table) for table in ("subscriptions", "received", "outgoing")}
        self._rows = sessions

    def sessions(self) -> None:
        """Restore them all, and drop what belongs to none."""
        for row, account, role, client_id, left_at in self._rows:
            peer = _peer(account, role, client_id, self._role_of)
            if peer is None or not self._exchange.has_room(account, persistent=True):
                self._store.delete("sessions", (row,))
                continue
            session = self._session(row, peer)
            away_s = 0.0 if left_at is None else max(self._store.clock() - left_at, 0.0)
            session.disconnected_at_s = self._now_s - away_s
            self._exchange.add(session)
        for table, key_columns in (("subscriptions", 2), ("received", 2), ("outgoing", 1)):
            for rows in self._of[table].values():
                for row in rows:
                    self._store.delete(table, row[:key_columns])
        for message in self._messages.values():
            if not message.holders:
                self._store.delete("messages", (message.row,))

    def _session(self, row: int, peer: Peer) -> Session:
        exchange, limits = self._exchange, self._exchange.limits
        record = SessionRecord(self._store, row)
        session = Session(peer, persistent=True, limits=limits, counters=exchange.counters, record=record)
        for _, name, qos in self._of["subscriptions"].pop(row, ()):
            if len(session.subscriptions) < limits.subscriptions_per_session_max:
                session.subscriptions[name] = qos
                exchange.subscriptions.add(name, session, qos)
            else:
                exchange.counters.subscriptions_refused += 1
                record.unsubscribe(name)
        for _, packet_id in self._of["received"].pop(row, ()):
            session.received[packet_id] = None
            session.restored.add(packet_id)
        for out, _, message_row, qos, retain, packet_id, released in self._of["outgoing"].pop(row, ()):
            message = self._messages.get(message_row)
            if message is None:  # never written so; a file that somebody has worked on must not stop the hub
                self._store.delete("outgoing", (out,))
                continue
            message.holders += 1
            session.restore(message, qos, retain=bool(retain), row=out, packet_id=packet_id, released=bool(released))
        session.trim()
        return session

    def _by_session(self, table: str) -> dict[int, list[Row]]:
        column = 1 if table == "outgoing" else 0
        found: dict[int, list[Row]] = defaultdict(list)
        for row in self._store.load(table):
            found[row[column]].append(row)
        return found

    @staticmethod
    def _message(row: Row) -> Message:
        message = Message(row[1], row[2], qos=0)  # each of its rows has the QoS that it goes out with
        message.row = row[0]
        return message
