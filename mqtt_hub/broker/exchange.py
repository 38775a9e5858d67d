"""The broker without its sockets: sessions, subscriptions, retained messages, and who gets what.

::

    accept(peer, PUBLISH) ──▶ refused: reason
                          └─▶ route ──▶ receivers (trie ∩ RECEIVE, cached by topic) ──▶ Session.deliver
                                   └──▶ retained

Every method is synchronous and asks the gate before it changes anything, so a message reaches all of its
receivers or, while a plugin has to be asked, none yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping

from mqtt_hub.broker.counters import Counters, take_one
from mqtt_hub.broker.gate import Gate, Peer, Question, UndecidedError
from mqtt_hub.broker.identity import Action
from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.message import Message
from mqtt_hub.broker.packets import Publish, ReturnCode, Will
from mqtt_hub.broker.record import SessionRecord
from mqtt_hub.broker.retained import Retained
from mqtt_hub.broker.session import Session
from mqtt_hub.broker.store import Store
from mqtt_hub.broker.topics import too_large
from mqtt_hub.broker.trie import SubscriptionTrie

__all__ = ["Exchange"]

DOLLAR = "topics that begin with $ belong to the broker"
Receivers = tuple[tuple[Session, int], ...]


class Exchange:
    """All state of one broker."""

    def __init__(self, gate: Gate, limits: Limits, counters: Counters, store: Store | None = None) -> None:
        self.gate = gate
        self.store = store  # where persistent sessions and retained messages survive; None for memory only
        self.limits = limits
        self.counters = counters
        self.sessions: dict[Hashable, Session] = {}
        self._owned: Counter[str] = Counter()  # persistent sessions by account
        self.subscriptions: SubscriptionTrie[Session] = SubscriptionTrie()
        self.retained = Retained(limits)
        self._routes: dict[str, Receivers] = {}

    @property
    def changes(self) -> int:
        """A number that grows with everything that has to be on disk before it is acknowledged."""
        return 0 if self.store is None else self.store.changes

    # sessions

    def open_session(self, peer: Peer, *, clean: bool) -> tuple[Session, bool] | None:
        """Return the peer's session and whether it was there before (3.2.2.2); None above a bound, counted.

        An older connection of the same session is ended first, its will fires (3.1.4).
        """
        old = self.sessions.get(peer.key)
        if old is not None and old.outlet is not None:
            self.counters.taken_over += 1
            old.outlet.close("taken over by a new connection")
            old = self.sessions.get(peer.key)  # gone if it was a clean one
        if old is not None and clean:
            self.forget(old)
            old = None
        if old is not None:
            self._routes.clear()  # what the account may receive is decided anew for each connection
            return old, True
        if not self.has_room(peer.account.name, persistent=not clean):
            return None
        record = None if clean or self.store is None else SessionRecord(self.store, self.store.new_id())
        session = Session(peer, persistent=not clean, limits=self.limits, counters=self.counters, record=record)
        self.add(session)
        return session, False

    def has_room(self, account: str, *, persistent: bool) -> bool:
        """Say whether another session may be kept, for this account too; count it if not."""
        if len(self.sessions) >= self.limits.sessions_max:
            self.counters.sessions_refused += 1
            return False
        if persistent and account and self._owned[account] >= self.limits.sessions_per_account_max:
            self.counters.sessions_refused_account += 1
            return False
        return True

    def add(self, session: Session) -> None:
        """Take up a session that is new, or back from disk."""
        self.sessions[session.key] = session
        if session.persistent:
            self._owned[session.peer.account.name] += 1

    def leave(self, session: Session, now_s: float) -> None:
        """Detach a session from its ended connection; a clean session ends with it."""
        session.detach(now_s)
        if not session.persistent:
            self.forget(session)

    def forget(self, session: Session) -> None:
        """Delete a session with its subscriptions and all that it was still to get."""
        session.erase()
        for name in session.subscriptions:
            self.subscriptions.remove(name, session)
        session.subscriptions.clear()
        self._routes.clear()
        if self.sessions.get(session.key) is session:
            del self.sessions[session.key]
            if session.persistent:
                take_one(self._owned, session.peer.account.name)

    def expire(self, now_s: float) -> None:
        """Forget the sessions that have been away for too long."""
        limit_s = self.limits.session_expiry_s
        for session in list(self.sessions.values()):
            since_s = session.disconnected_at_s
            if since_s is not None and now_s - since_s > limit_s:
                self.forget(session)
                self.counters.sessions_expired += 1

    def forget_access(self, account_name: str | None) -> None:
        """Forget what has been decided about one account, or about all."""
        self._routes.clear()
        for session in self.sessions.values():
            if account_name is None or session.peer.account.name == account_name:
                session.peer.forget_decisions()

    def note_will(self, peer: Peer, will: Will) -> int:
        """Note the will of an open connection, which fires when this process ends without it; return its row."""
        if self.store is None:
            return 0
        row = self.store.new_id()
        self.store.put("wills", (row,), peer.account.name, peer.account.role, peer.client_id, *will)
        return row

    def forget_will(self, row: int) -> None:
        """Forget a will that has fired, or is not to."""
        if self.store is not None and row:
            self.store.delete("wills", (row,))

    # messages

    def refusal(self, peer: Peer, topic: str, *, retain: bool) -> str | None:
        """Return why a client may not publish there, or None."""
        if topic.startswith("$"):  # 4.7.2
            return DOLLAR
        reason = too_large(topic, self.limits)
        if reason is not None:
            return reason
        return self.gate.refusal(Question(peer, Action.PUBLISH, topic, retain))

    def accept(self, peer: Peer, packet: Publish) -> str | None:
        """Route a client's message (or will), or return why it is refused."""
        topic, payload, qos, retain, _dup, _packet_id = packet
        if topic in peer.may_publish and not retain:
            if self._routes.get(topic) != ():  # else nobody listens
                self.route(Message(topic, payload, qos))
            return None
        reason = self.refusal(peer, topic, retain=retain)
        if reason is None:
            if not retain:
                if len(peer.may_publish) >= self.limits.decisions_per_session_max:
                    peer.may_publish.clear()
                peer.may_publish.add(topic)
            self.route(Message(topic, payload, qos, retain))
        else:
            self.counters.publishes_refused += 1
        return reason

    def route(self, message: Message) -> None:
        """Deliver a message to everybody who subscribed and may receive it; retain it if it says so."""
        routes = self._routes
        receivers = routes.get(message.topic)
        if receivers is None:
            receivers = self._receivers(message.topic)
            if len(routes) >= self.limits.routes_max:
                routes.clear()
            routes[message.topic] = receivers
        if message.retain:
            self._retain(message)
        qos = message.qos
        for session, granted_qos in receivers:
            session.deliver(message, qos if qos < granted_qos else granted_qos)  # noqa: FURB136 — min() costs a call

    def _retain(self, message: Message) -> None:
        if not self.retained.keep(message):
            self.counters.retained_refused += 1
        elif self.store is not None and message.payload:
            self.store.put("retained", (message.topic,), message.payload, message.qos)
        elif self.store is not None:
            self.store.delete("retained", (message.topic,))

    def _receivers(self, topic: str) -> Receivers:
        matching = self.subscriptions.match(topic)
        refusals = self._ask(Question(session.peer, Action.RECEIVE, topic) for session in matching)
        return tuple(item for item, refusal in zip(matching.items(), refusals, strict=True) if refusal is None)

    def _ask(self, questions: Iterable[Question]) -> list[str | None]:
        """Return the refusal (or None) for each question; raises UndecidedError with all open ones."""
        refusals: list[str | None] = []
        undecided: list[Question] = []
        for question in questions:
            try:
                refusals.append(self.gate.refusal(question))
            except UndecidedError as error:
                undecided += error.questions
        if undecided:
            raise UndecidedError(undecided)
        return refusals

    # subscriptions

    def subscribe(
        self, session: Session, filters: Iterable[tuple[str, int]]
    ) -> tuple[tuple[int, ...], list[tuple[Message, int]]]:
        """Subscribe a session to filters with a QoS each.

        Return SUBACK's codes (3.9.3), and the retained messages that the granted filters match, each once,
        with the QoS to deliver it at.
        """
        wanted = list(filters)
        refusals = self._ask(Question(session.peer, Action.SUBSCRIBE, name) for name, _ in wanted)
        granted: dict[str, int] = {}
        codes = []
        room = self.limits.subscriptions_per_session_max - len(session.subscriptions)
        for (name, qos), refusal in zip(wanted, refusals, strict=True):
            known = name in session.subscriptions or name in granted
            if refusal or too_large(name, self.limits) or not (known or room > 0):
                codes.append(ReturnCode.SUBSCRIPTION_REFUSED)
                self.counters.subscriptions_refused += 1
            else:
                room -= not known
                granted[name] = qos
                codes.append(qos)
        retained = self._retained_for(session.peer, granted)
        for name, qos in granted.items():
            session.subscriptions[name] = qos
            self.subscriptions.add(name, session, qos)
            if session.record is not None:
                session.record.subscribe(name, qos)
        self._routes.clear()
        return tuple(codes), retained

    def unsubscribe(self, session: Session, filters: Iterable[str]) -> None:
        """Take subscriptions back; filters that were not subscribed to are ignored (3.10.4)."""
        for name in filters:
            if session.subscriptions.pop(name, None) is not None:
                self.subscriptions.remove(name, session)
                if session.record is not None:
                    session.record.unsubscribe(name)
        self._routes.clear()

    def _retained_for(self, peer: Peer, filters: Mapping[str, int]) -> list[tuple[Message, int]]:
        found: dict[str, tuple[Message, int]] = {}
        for name, qos in filters.items():
            for message in self.retained.match(name):
                before = found.get(message.topic, (message, 0))[1]
                found[message.topic] = (message, max(before, min(qos, message.qos)))
        refusals = self._ask(Question(peer, Action.RECEIVE, topic) for topic in found)
        return [item for item, refusal in zip(found.values(), refusals, strict=True) if refusal is None]
