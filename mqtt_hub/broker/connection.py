"""One client's connection: what each packet does.

::

    CONNECT ─▶ admit (awaits the authenticator, touches no session) ─▶ will allowed? ─▶ open ─▶ CONNACK
    then     PUBLISH ─▶ Exchange.accept ─▶ AckWindow       SUBSCRIBE, UNSUBSCRIBE ─▶ Exchange
             PUBACK, PUBREC, PUBREL, PUBCOMP ─▶ Session    PINGREQ     DISCONNECT ─▶ close, no will

The clock of a connection first waits for CONNECT, then for 1.5 times the keep-alive.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from mqtt_hub.broker.gate import Peer, decided
from mqtt_hub.broker.link import Link
from mqtt_hub.broker.logins import RefusedError
from mqtt_hub.broker.packets import (
    PROTOCOL_LEVEL,
    Connack,
    Connect,
    Disconnect,
    MalformedPacketError,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    ReturnCode,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)
from mqtt_hub.broker.session import Session

if TYPE_CHECKING:
    from mqtt_hub.broker.reception import Reception

__all__ = ["Connection"]

_LOG = logging.getLogger("mqtt_hub.broker")
_KEEP_ALIVE_FACTOR = 1.5  # 3.1.2.10


class Connection(Link):
    """A client from its first byte to its last."""

    def __init__(self, reception: Reception, listener: str) -> None:
        self._exchange = reception.exchange
        super().__init__(self._exchange.limits, self._exchange.counters, reception.deliveries, reception.flusher)
        self._reception = reception
        self.listener = listener
        self.peer: Peer | None = None
        self._session: Session | None = None
        self._will: Will | None = None
        self._will_row = 0  # on disk
        self._timer: asyncio.TimerHandle | None = None
        self._keep_alive_s = 0

    def opened(self) -> bool:
        """Start the clock for CONNECT, if there is room for another connection."""
        if not self._reception.enter(self):
            return False
        self._timer = self._loop.call_later(self._limits.connect_timeout_s, self._connect_timed_out)
        return True

    def drained(self) -> None:
        """Let the session send on."""
        if self._session is not None:
            self._session.pump()

    def leave_will(self) -> None:
        """Leave the will on disk: it fires at the next start of this broker, which stops."""
        self._will_row = 0

    def ended(self, reason: str, *, will: bool) -> None:
        """Detach the session, publish the will, tell who listens: in this order."""
        if self._timer is not None:
            self._timer.cancel()
        self._reception.exit(self)
        _LOG.info("connection %s:%s of %s ended: %s", *self.remote, self.peer or "nobody", reason)
        session, self._session = self._session, None
        if session is not None:
            self._exchange.leave(session, self._loop.time())
            if will and self._will is not None:
                self._reception.fire_will(session.peer, self._will)
            self._exchange.forget_will(self._will_row)
            self._reception.announce_left(session.peer, reason)

    # the clock

    def _connect_timed_out(self) -> None:
        self._counters.connect_timeouts += 1
        self.close(f"no CONNECT accepted within {self._limits.connect_timeout_s} s", abort=True)

    def _check_keep_alive(self) -> None:
        now_s = self._loop.time()
        if self._deaf:
            self._heard_at_s = now_s
        due_s = self._heard_at_s + _KEEP_ALIVE_FACTOR * self._keep_alive_s
        if now_s < due_s:
            self._timer = self._loop.call_at(due_s, self._check_keep_alive)
            return
        self._counters.keep_alive_expired += 1
        self.close("nothing heard within 1.5 times the keep-alive", abort=True)

    # CONNECT

    async def _admit(self, connect: Connect) -> None:
        try:
            peer = await self._checked(connect)
            if not self._closed:
                self._open(connect, peer)
        except RefusedError as refused:
            if not self._closed:
                self.write(Connack(session_present=False, code=refused.code).encode())
                self.close(f"CONNECT refused: {refused}")

    async def _checked(self, connect: Connect) -> Peer:
        if connect.level != PROTOCOL_LEVEL:
            raise RefusedError(ReturnCode.UNACCEPTABLE_PROTOCOL_LEVEL, f"protocol level {connect.level}")
        too_long = len(connect.client_id.encode()) > self._limits.client_id_bytes_max
        if too_long or not (connect.client_id or connect.clean_session):  # 3.1.3.1
            raise RefusedError(ReturnCode.IDENTIFIER_REJECTED, "client id too long, or empty with clean session 0")
        peer = await self._reception.admit(connect, self.remote, self.listener)
        self._reception.seat(self, peer)
        if connect.will is not None:
            ask = partial(self._exchange.refusal, peer, connect.will.topic, retain=connect.will.retain)
            reason = await decided(self._exchange.gate, ask)
            if reason is not None:
                self._counters.wills_refused += 1
                raise RefusedError(ReturnCode.NOT_AUTHORIZED, f"last will of {peer}: {reason}")
        return peer

    def _open(self, connect: Connect, peer: Peer) -> None:
        opened = self._exchange.open_session(peer, clean=connect.clean_session)
        if opened is None:
            raise RefusedError(ReturnCode.SERVER_UNAVAILABLE, "too many sessions")
        session, present = opened
        self._session, self._will = session, connect.will
        self._allowance = self._reception.allowance(peer)
        if connect.will is not None:
            self._will_row = self._exchange.note_will(peer, connect.will)
        if self._timer is not None:
            self._timer.cancel()
        self._keep_alive_s = connect.keep_alive_s
        if connect.keep_alive_s:
            self._heard_at_s = self._loop.time()
            self._check_keep_alive()
        self.write(Connack(session_present=present, code=ReturnCode.ACCEPTED).encode())
        session.attach(self, peer)
        session.pump()
        _LOG.info("connection %s:%s is %s", *self.remote, peer)
        self._reception.announce_entered(peer)

    # packets

    def handle(self, packet: Packet) -> None:
        """Act on the client's next packet."""
        session = self._session
        if session is None:
            if not isinstance(packet, Connect):
                name = type(packet).__name__.upper()
                raise MalformedPacketError(f"the first packet is {name}, not CONNECT (3.1)")
            self.wait_for(self._admit(packet))
        elif isinstance(packet, Publish):
            self._on_publish(session, packet)
        elif isinstance(packet, Puback):
            session.pubacks([packet.packet_id, *self._parser.further_pubacks()])
        elif isinstance(packet, Pubrec):
            session.pubrec(packet.packet_id)
        elif isinstance(packet, Pubcomp):
            session.pubcomp(packet.packet_id)
        elif isinstance(packet, Pubrel):
            self._on_pubrel(session, packet.packet_id)
        else:
            self._handle_rare(session, packet)

    def _handle_rare(self, session: Session, packet: Packet) -> None:
        if isinstance(packet, Pingreq):
            self.write(Pingresp().encode())
        elif isinstance(packet, Subscribe):
            self._on_subscribe(session, packet)
        elif isinstance(packet, Unsubscribe):
            before = self._exchange.changes
            self._exchange.unsubscribe(session, packet.filters)
            self._answer(Unsuback(packet.packet_id).encode(), before)
            self._reception.announce_unsubscribed(session.peer, packet)
        elif isinstance(packet, Disconnect):
            self.close("DISCONNECT", will=False)
        else:
            raise MalformedPacketError(f"a client may not send {type(packet).__name__.upper()} now")

    async def decide(self, packet: Packet) -> None:
        """Handle a packet as soon as plugins have answered."""

        def step() -> None:
            if not self._closed:
                self.handle(packet)

        await decided(self._exchange.gate, step)

    def _on_publish(self, session: Session, packet: Publish) -> None:
        if packet.qos == 2 and packet.packet_id in session.received:
            self._on_repeated(session, packet)
            return
        if packet.qos == 2 and len(session.received) >= self._limits.received_qos2_max:
            self._counters.qos2_refused += 1
            self.close(f"more than {self._limits.received_qos2_max} QoS 2 messages without PUBREL")
            return
        exchange, store = self._exchange, self._exchange.store
        before = 0 if store is None else store.changes
        refused = exchange.accept(session.peer, packet)
        self._counters.messages_in += 1
        if self._allowance is not None:
            self._allowance.spend(len(packet.payload))
        self._reception.announce_message(session.peer.client_id, packet, refused)
        if packet.qos == 2 and session.record is not None:
            session.record.receive(packet.packet_id)
        if store is not None and store.changes == before:
            store = None  # nothing that has to be on disk
        delivery = self._window.hand_over(packet, session.peer, refused, store)
        if packet.qos == 2:
            session.received[packet.packet_id] = delivery

    def _on_repeated(self, session: Session, packet: Publish) -> None:
        """Answer a QoS 2 message that has been routed; one of before a restart was perhaps not consumed."""
        if packet.packet_id in session.restored:
            refused = self._exchange.refusal(session.peer, packet.topic, retain=packet.retain)
            session.restored.discard(packet.packet_id)
            session.received[packet.packet_id] = self._window.hand_over(packet, session.peer, refused)
        else:
            self._window.repeat(packet.packet_id, session.received[packet.packet_id])

    def _on_pubrel(self, session: Session, packet_id: int) -> None:
        before = self._exchange.changes
        if packet_id in session.received:
            del session.received[packet_id]
            session.restored.discard(packet_id)
            if session.record is not None:
                session.record.forget_received(packet_id)
        self._answer(Pubcomp(packet_id).encode(), before)

    def _answer(self, answer: bytes, changes_before: int) -> None:
        """Write an answer now, or, if something has changed that must survive, when that is on disk."""
        store = self._exchange.store
        if store is None or store.changes == changes_before:
            self.write(answer)
        else:
            store.after_commit(partial(self._write_late, answer))

    def _write_late(self, answer: bytes) -> None:
        if not self._closed:
            self.write(answer)

    def _on_subscribe(self, session: Session, packet: Subscribe) -> None:
        before = self._exchange.changes
        codes, retained = self._exchange.subscribe(session, packet.filters)
        self._answer(Suback(packet.packet_id, codes).encode(), before)
        for message, qos in retained:
            session.deliver(message, qos, retain=True)
        self._reception.announce_subscribed(session.peer, packet, codes)
