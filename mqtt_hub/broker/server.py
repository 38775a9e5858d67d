"""`HubBroker`: amqtt's broker with a connection handling of its own.

::

    amqtt: configuration, listeners, TLS, plugins, states
        │ stream of bytes
    Connection ── packets ──▶ Exchange ──▶ Session ──▶ Connection of each receiver
        │                        └──▶ Gate: may this account do that?
        └── AckWindow ──▶ consumer … commit … acknowledge ──▶ PUBACK

Why, and at what price: docs/decisions/0001-own-the-hot-path-of-amqtt.md. How: docs/broker.md.
"""

from __future__ import annotations

import asyncio
import copy
import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from amqtt.contexts import BrokerConfig
from amqtt.errors import BrokerError
from amqtt.events import BrokerEvents

from mqtt_hub.broker.counters import Counters
from mqtt_hub.broker.delivery import Consumer, Deliveries
from mqtt_hub.broker.exchange import Exchange
from mqtt_hub.broker.gate import Gate, PluginGate, RuleGate
from mqtt_hub.broker.identity import Authenticator, May
from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.listening import ListeningBroker
from mqtt_hub.broker.memory import give_back
from mqtt_hub.broker.message import Message
from mqtt_hub.broker.plugins import PluginBridge
from mqtt_hub.broker.reception import Entered, Left, Reception
from mqtt_hub.broker.restore import RoleOf, restore
from mqtt_hub.broker.state_file import StateFile
from mqtt_hub.broker.store import Store
from mqtt_hub.broker.tls import ServerCertificate
from mqtt_hub.protocol.errors import ConfigurationError, MqttHubError

__all__ = ["HubBroker"]

_LOG = logging.getLogger("mqtt_hub.broker")
_HOUSEKEEPING_INTERVAL_S = 10.0
_GIVE_BACK_ROUNDS = 6  # of housekeeping


class HubBroker(ListeningBroker):
    """An MQTT 3.1.1 broker inside this process; make it within a running event loop.

    ``config`` is amqtt's (a dict or a BrokerConfig); a dict without ``plugins`` loads none, and then nobody
    is let in unless ``authenticate`` says so. Given callables take the place of amqtt's plugins:
    ``authenticate`` of the auth plugins, ``may`` of the topic plugins. ``consumer`` gets every message that a
    client sends. ``state`` is where persistent sessions and retained messages survive this process (the broker
    closes it); ``role_of`` says at the start which of its accounts may still connect, and needs ``may``, for
    plugins judge only who is connected. ``unix_socket`` is where to listen too, for this user alone. The callbacks
    tell who comes and goes. All are called on the loop's
    thread; one that raises ends the connection that it was called for.
    """

    def __init__(
        self,
        config: BrokerConfig | dict[str, Any],
        *,
        authenticate: Authenticator | None = None,
        may: May | None = None,
        consumer: Consumer | None = None,
        limits: Limits | None = None,
        on_connected: Entered | None = None,
        on_disconnected: Left | None = None,
        state: StateFile | None = None,
        role_of: RoleOf | None = None,
        unix_socket: Path | None = None,
    ) -> None:
        super().__init__({"plugins": {}, **copy.deepcopy(config)} if isinstance(config, dict) else config)
        limits = limits or Limits()
        if self.config.session_expiry_interval is not None:
            limits = replace(limits, session_expiry_s=float(self.config.session_expiry_interval))
        self._counters = Counters()
        bridge = PluginBridge(self, limits, self._counters)
        gate: Gate = (
            PluginGate(bridge.filtering, limits.decisions_per_session_max)
            if may is None
            else RuleGate(may, limits.decisions_per_session_max)
        )
        if state is not None and may is None:
            raise ConfigurationError("a broker with a state file needs a rule: plugins judge only who is connected")
        self._role_of = role_of
        self._store = None if state is None else Store(state, self._counters)
        self._exchange = Exchange(gate, limits, self._counters, self._store)
        self._deliveries = Deliveries(consumer, limits)
        self._reception = Reception(
            self._exchange,
            self._deliveries,
            bridge,
            authenticate=authenticate,
            on_connected=on_connected,
            on_disconnected=on_disconnected,
        )
        self._certificates: list[ServerCertificate] = []
        self._unix_socket, self._unix_server = unix_socket, None
        self._housekeeping: asyncio.TimerHandle | None = None
        self._crowd, self._crowded = (0, 0), False  # connections in all and now; whether they have changed
        self._rounds = 0

    # life

    async def start(self) -> None:
        """Take back what has survived, and listen.

        Raises ConfigurationError if an address cannot be bound or a certificate does not fit, ArchiveError if the
        state cannot be read.
        """
        self.transitions.start()
        await self.plugins_manager.fire_event(BrokerEvents.PRE_START, wait=True)
        for name, listener in self.listeners_config.items():
            self._reception.connections_max[name] = max(listener.max_connections, 0)
        try:
            self._restore()
            await self._listen()
        except (OSError, BrokerError, OverflowError, MqttHubError) as error:
            await self._close_listeners()
            if self._store is not None:
                await self._store.close(self._exchange.limits.shutdown_timeout_s)
            self.transitions.starting_fail()
            raise error if isinstance(error, MqttHubError) else self._why_not_listening(error) from error
        self.transitions.starting_success()
        self._housekeeping = self._loop.call_later(_HOUSEKEEPING_INTERVAL_S, self._keep_house)
        await self.plugins_manager.fire_event(BrokerEvents.POST_START, wait=True)

    async def shutdown(self) -> None:
        """Stop listening, end all connections (without their wills), let plugins close."""
        await self.plugins_manager.fire_event(BrokerEvents.PRE_SHUTDOWN, wait=True)
        self.transitions.shutdown()
        if self._housekeeping is not None:
            self._housekeeping.cancel()
        self._stop_listening()
        await self._reception.close()
        await self._close_listeners()
        if self._store is not None:
            await self._store.close(self._exchange.limits.shutdown_timeout_s)
        await self.plugins_manager.fire_event(BrokerEvents.POST_SHUTDOWN, wait=True)
        await self.plugins_manager.close()
        self.transitions.stopping_success()

    def _restore(self) -> None:
        if self._store is not None:
            for peer, will in restore(self._exchange, self._store, self._role_of, now_s=self._loop.time()):
                self._reception.fire_will(peer, will)

    def _keep_house(self) -> None:
        """Forget sessions and failed logins of long ago, take up new certificates, give memory back after a crowd."""
        now_s = self._loop.time()
        self._exchange.expire(now_s)
        self._reception.forget_failures(now_s)
        for certificate in self._certificates:
            certificate.refresh()
        crowd = (self._counters.connections_total, len(self._reception.connections))
        self._rounds += 1
        # A crowd has settled; or somebody comes and goes all the time, so that nothing ever settles.
        if (crowd == self._crowd and self._crowded) or self._rounds % _GIVE_BACK_ROUNDS == 0:
            give_back()
        self._crowded, self._crowd = crowd != self._crowd, crowd
        self._housekeeping = self._loop.call_later(_HOUSEKEEPING_INTERVAL_S, self._keep_house)

    # for the process that the broker lives in

    @property
    def port(self) -> int:
        """The port of the first listener, also when it was bound to port 0."""
        server = next(iter(self._servers.values()))
        port: int = server.instance.sockets[0].getsockname()[1]
        return port

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish from within: no permission to publish is asked, receivers are checked as ever.

        The consumer does not get it. Call it on the loop's thread.
        """
        self._reception.run(partial(self._exchange.route, Message(topic, payload, qos, retain)))

    def forget_access(self, account_name: str | None = None) -> None:
        """Decide anew what an account (or everybody) may do: the rules, or its role, have changed.

        Existing subscriptions stay, what they deliver is checked anew. Messages already queued stay too.
        """
        self._exchange.forget_access(account_name)

    async def disconnect(self, account_name: str, *, forget_session: bool = False) -> int:
        """End all connections of an account; return how many there were.

        Their wills fire (so others learn that they are lost), unless the account may no longer publish them.
        ``forget_session`` also deletes the account's sessions with all that they were still to get: revoked.
        A login that is being checked meanwhile is checked again.
        """
        count = self._reception.disconnect(account_name, forget_session=forget_session)
        self._exchange.forget_access(account_name)
        await asyncio.sleep(0)  # the sockets close in the next turn
        return count

    def counters(self) -> dict[str, int]:
        """Return what is there now and what has been counted since the start."""
        exchange = self._exchange
        return {
            "connections": len(self._reception.connections),
            "sessions": len(exchange.sessions),
            "subscriptions": len(exchange.subscriptions),
            "retained_messages": len(exchange.retained),
            "retained_bytes": exchange.retained.bytes,
            "queued_messages": sum(s.queued_messages for s in exchange.sessions.values()),
            "inflight_messages": sum(s.inflight_messages for s in exchange.sessions.values()),
            "unacknowledged_messages": self._deliveries.unacknowledged,
            "unacknowledged_bytes": self._deliveries.unacknowledged_bytes,
            "store_pending_rows": 0 if self._store is None else self._store.pending_rows,
            "store_failing": int(self._store is not None and self._store.failing),
            **self._counters.as_dict(),
        }

    # what amqtt's plugins may ask of the broker (BrokerContext)

    async def internal_message_broadcast(self, topic: str, data: bytes, qos: int | None = None) -> None:
        """Publish for a plugin."""
        self.publish(topic, data, qos=qos or 0)

    async def retain_message(
        self, source_session: Any, topic_name: str | None, data: bytes | bytearray | None, qos: int | None = None
    ) -> None:
        """Publish and retain for a plugin."""
        del source_session
        if topic_name is not None:
            self.publish(topic_name, bytes(data or b""), qos=qos or 0, retain=True)

    async def add_subscription(self, subscription: tuple[str, int], session: Any) -> int:
        """Refuse: plugins see no sessions here and cannot subscribe for clients."""
        del session
        raise ConfigurationError(f"a plugin cannot subscribe a client to {subscription[0]!r} on this broker")

    def create_offline_session(self, client_id: str) -> Any:
        """Refuse, for the same reason."""
        raise ConfigurationError(f"a plugin cannot make a session for {client_id!r} on this broker")
