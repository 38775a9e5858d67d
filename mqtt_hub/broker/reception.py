"""Where connections come in and go out: who is let in, what is told, what is done when nobody can wait.

The reception is all that a connection knows of the broker beside the exchange.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter, deque
from collections.abc import Callable
from functools import partial

from amqtt.events import BrokerEvents

from mqtt_hub.broker.connection import Connection
from mqtt_hub.broker.counters import take_one
from mqtt_hub.broker.delivery import AckWindow, Deliveries
from mqtt_hub.broker.exchange import Exchange
from mqtt_hub.broker.flusher import Flusher
from mqtt_hub.broker.gate import Peer, UndecidedError, decided
from mqtt_hub.broker.identity import Account, Authenticator, Credentials
from mqtt_hub.broker.logins import LoginThrottle, RefusedError, address_group
from mqtt_hub.broker.packets import Connect, Publish, ReturnCode, Subscribe, Unsubscribe, Will
from mqtt_hub.broker.plugins import PluginBridge
from mqtt_hub.broker.rate import Allowance, Allowances

__all__ = ["Entered", "Left", "Reception"]

_LOG = logging.getLogger("mqtt_hub.broker")

Entered = Callable[[Account, str], None]  # account, client id
Left = Callable[[Account, str, str], None]  # account, client id, reason


class Reception:
    """All connections of one broker."""

    def __init__(
        self,
        exchange: Exchange,
        deliveries: Deliveries,
        bridge: PluginBridge,
        *,
        authenticate: Authenticator | None,
        on_connected: Entered | None,
        on_disconnected: Left | None,
    ) -> None:
        self.exchange = exchange
        self.deliveries = deliveries
        self.flusher = Flusher(asyncio.get_running_loop())
        self.announce_message = bridge.fire_message  # bound here: one call less for each message
        self.connections: dict[Connection, None] = {}
        self.connections_max: dict[str, int] = {}  # of each listener that has a bound of its own
        self._bridge = bridge
        self._authenticate = authenticate
        self._on_connected, self._on_disconnected = on_connected, on_disconnected
        self._by_address: Counter[str] = Counter()
        self._by_account: Counter[str] = Counter()
        self._throttle = LoginThrottle(exchange.limits)
        self._allowances = Allowances(exchange.limits)
        self._turns = asyncio.Semaphore(exchange.limits.logins_at_once_max)
        self._revocations = 0
        self._deferred: deque[Callable[[], None]] = deque()
        self._worker: asyncio.Task[None] | None = None

    # coming and going

    def enter(self, connection: Connection) -> bool:
        """Take a connection in; False above a bound."""
        counters, limits = self.exchange.counters, self.exchange.limits
        limit = self.connections_max.get(connection.listener, 0)
        counters.connections_total += 1
        full = len(self.connections) >= limits.connections_max
        if limit and not full:
            full = sum(other.listener == connection.listener for other in self.connections) >= limit
        if full:
            counters.connections_refused += 1
            return False
        address = address_group(connection.remote[0])
        if self._by_address[address] >= limits.connections_per_address_max:
            counters.connections_refused_address += 1
            return False
        self._by_address[address] += 1
        self.connections[connection] = None
        return True

    def seat(self, connection: Connection, peer: Peer) -> None:
        """Note whose connection it is. Raises RefusedError above the account's bound, unless it takes one over."""
        name = peer.account.name
        if connection not in self.connections:  # it ended while its login was checked
            return
        if name:  # "" is the anonymous account: as many people as there are connections
            session = self.exchange.sessions.get(peer.key)
            others = self._by_account[name] - (session is not None and session.outlet is not None)
            if others >= self.exchange.limits.connections_per_account_max:
                self.exchange.counters.connections_refused_account += 1
                raise RefusedError(ReturnCode.SERVER_UNAVAILABLE, f"too many connections of {name}")
            self._by_account[name] += 1
        connection.peer = peer

    def allowance(self, peer: Peer) -> Allowance | None:
        """Return what the account of a connection may publish, over all its connections; anonymous ones have none."""
        name = peer.account.name
        return self._allowances.of(name, asyncio.get_running_loop().time()) if name else None

    def exit(self, connection: Connection) -> None:
        """Forget an ended connection."""
        if connection not in self.connections:
            return
        del self.connections[connection]
        take_one(self._by_address, address_group(connection.remote[0]))
        if connection.peer is not None and connection.peer.account.name:
            take_one(self._by_account, connection.peer.account.name)

    async def admit(self, connect: Connect, remote: tuple[str, int], listener: str) -> Peer:
        """Return who this CONNECT is; no session is touched (defects S1, S4).

        Raises RefusedError if it is nobody, or, without asking, while its failures before make it wait.
        """
        address, name = remote[0], connect.username or ""
        now_s, counters = asyncio.get_running_loop().time, self.exchange.counters
        async with self._turns:
            if self._throttle.wait_s(address, name, now_s()) > 0:
                counters.logins_delayed += 1
                raise RefusedError(ReturnCode.SERVER_UNAVAILABLE, f"login as {name!r}: too many have failed, wait")
            peer = await self._identify(connect, remote, listener)
            if peer is None:
                counters.logins_refused += 1
                self._throttle.failed(address, name, now_s())
                raise RefusedError(ReturnCode.NOT_AUTHORIZED, f"login as {name!r}")
            self._throttle.succeeded(address, name)
            return peer

    async def _identify(self, connect: Connect, remote: tuple[str, int], listener: str) -> Peer | None:
        client_id = connect.client_id or f"auto-{secrets.token_hex(8)}"  # 3.1.3.1
        profile = self._bridge.profile(connect, client_id, remote)
        while True:  # again if an account was disconnected meanwhile: the answer may be out of date
            revocations = self._revocations
            if self._authenticate is None:
                account = await self._bridge.authenticate(profile, listener)
            else:
                credentials = Credentials(connect.username, connect.password, client_id, remote[0])
                account = await self._authenticate(credentials)
            if revocations == self._revocations:
                return None if account is None else Peer(account, client_id, profile)

    def forget_failures(self, now_s: float) -> None:
        """Forget logins that failed long ago, and what accounts that are away have published."""
        self._throttle.forget(now_s)
        self._allowances.forget(self._by_account, now_s)

    def disconnect(self, account_name: str, *, forget_session: bool) -> int:
        """End all connections of an account; return how many there were."""
        self._revocations += 1
        theirs = [
            connection
            for connection in self.connections
            if connection.peer is not None and connection.peer.account.name == account_name
        ]
        for connection in theirs:
            connection.close("disconnected by the broker")
        if forget_session:
            for session in list(self.exchange.sessions.values()):
                if session.peer.account.name == account_name:
                    self.exchange.forget(session)
        return len(theirs)

    # what nobody waits for

    def run(self, step: Callable[[], None]) -> None:
        """Do ``step`` now, or in turn after the plugins that it depends on have answered."""
        if not self._deferred:
            try:
                return step()
            except UndecidedError:
                pass
        if len(self._deferred) >= self.exchange.limits.deferred_messages_max:
            self.exchange.counters.dropped_deferred += 1
            return None
        self._deferred.append(step)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._catch_up())
        return None

    async def _catch_up(self) -> None:
        while self._deferred:
            try:
                await decided(self.exchange.gate, self._deferred[0])
            finally:
                self._deferred.popleft()

    def fire_will(self, peer: Peer, will: Will) -> None:
        """Publish a will as its client would: access checked (defect S3), handed to the consumer."""
        self.run(partial(self._publish_will, peer, Publish(*will)))

    def _publish_will(self, peer: Peer, packet: Publish) -> None:
        refused = self.exchange.accept(peer, packet)
        self._bridge.fire_message(peer.client_id, packet, refused)
        nobody = AckWindow(self.deliveries, lambda _: None, lambda: None)
        nobody.close()
        nobody.hand_over(packet, peer, refused)

    # what is told

    def announce_entered(self, peer: Peer) -> None:
        """Tell that a client is connected."""
        self._bridge.fire(BrokerEvents.CLIENT_CONNECTED, client_id=peer.client_id, client_session=peer.profile)
        if self._on_connected is not None:
            self._on_connected(peer.account, peer.client_id)

    def announce_left(self, peer: Peer, reason: str) -> None:
        """Tell that a client is gone; its will, if due, has been handed over before."""
        self._bridge.fire(BrokerEvents.CLIENT_DISCONNECTED, client_id=peer.client_id, client_session=peer.profile)
        if self._on_disconnected is not None:
            self._on_disconnected(peer.account, peer.client_id, reason)

    def announce_subscribed(self, peer: Peer, packet: Subscribe, codes: tuple[int, ...]) -> None:
        """Tell plugins which filters were granted."""
        for (name, _), code in zip(packet.filters, codes, strict=True):
            if code != ReturnCode.SUBSCRIPTION_REFUSED:
                self._bridge.fire(BrokerEvents.CLIENT_SUBSCRIBED, client_id=peer.client_id, topic=name, qos=code)

    def announce_unsubscribed(self, peer: Peer, packet: Unsubscribe) -> None:
        """Tell plugins which filters were given up."""
        for name in packet.filters:
            self._bridge.fire(BrokerEvents.CLIENT_UNSUBSCRIBED, client_id=peer.client_id, topic=name)

    async def close(self) -> None:
        """End all connections without their wills (a durable broker's next start fires them), and what still runs."""
        everybody = list(self.connections)
        for connection in everybody:
            connection.leave_will()
            connection.close("the broker stops", abort=True, will=False)
        for connection in everybody:
            await connection.wait_closed()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        await self._bridge.finish()
