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
import os
import ssl
from dataclasses import replace
from functools import partial
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerType
from amqtt.errors import BrokerError
from amqtt.events import BrokerEvents

from mqtt_hub.broker.connection import Connection
from mqtt_hub.broker.counters import Counters
from mqtt_hub.broker.desk import Desk, Entered, Left
from mqtt_hub.broker.exchange import Exchange
from mqtt_hub.broker.gate import Gate, PluginGate, RuleGate
from mqtt_hub.broker.identity import Authenticator, May
from mqtt_hub.broker.intake import Consumer, Intake
from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.message import Message
from mqtt_hub.broker.plugins import PluginBridge
from mqtt_hub.broker.websocket import WebSocketTransport
from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["HubBroker"]

_LOG = logging.getLogger("mqtt_hub.broker")
_EXPIRY_INTERVAL_S = 60.0
_BACKLOG = 4_096  # connections that the system holds until they are accepted: a fleet that returns all at once


class HubBroker(Broker):
    """An MQTT 3.1.1 broker inside this process; make it within a running event loop.

    ``config`` is amqtt's (a dict or a BrokerConfig); a dict without ``plugins`` loads none, and then nobody
    is let in unless ``authenticate`` says so. Given callables take the place of amqtt's plugins:
    ``authenticate`` of the auth plugins, ``may`` of the topic plugins. ``consumer`` gets every message that a
    client sends. The callbacks tell who comes and goes. All are called on the loop's thread; one that raises
    ends the connection that it was called for.
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
        self._exchange = Exchange(gate, limits, self._counters)
        self._intake = Intake(consumer, limits)
        self._desk = Desk(
            self._exchange,
            self._intake,
            bridge,
            authenticate=authenticate,
            on_connected=on_connected,
            on_disconnected=on_disconnected,
        )
        self._expiry: asyncio.TimerHandle | None = None

    # life

    async def start(self) -> None:
        """Listen. Raises ConfigurationError if an address cannot be bound."""
        self.transitions.start()
        await self.plugins_manager.fire_event(BrokerEvents.PRE_START, wait=True)
        for name, listener in self.listeners_config.items():
            self._desk.connections_max[name] = max(listener.max_connections, 0)
        try:
            await self._start_listeners()
        except (OSError, BrokerError, OverflowError) as error:
            await self._close_listeners()
            self.transitions.starting_fail()
            raise self._why_not_listening(error) from error
        self.transitions.starting_success()
        self._expiry = self._loop.call_later(_EXPIRY_INTERVAL_S, self._expire)
        await self.plugins_manager.fire_event(BrokerEvents.POST_START, wait=True)

    async def shutdown(self) -> None:
        """Stop listening, end all connections (without their wills), let plugins close."""
        await self.plugins_manager.fire_event(BrokerEvents.PRE_SHUTDOWN, wait=True)
        self.transitions.shutdown()
        if self._expiry is not None:
            self._expiry.cancel()
        for server in self._servers.values():
            server.instance.close()
        await self._desk.close()
        await self._close_listeners()
        await self.plugins_manager.fire_event(BrokerEvents.POST_SHUTDOWN, wait=True)
        await self.plugins_manager.close()
        self.transitions.stopping_success()

    async def _create_server_instance(
        self,
        listener_name: str,
        listener_type: ListenerType,
        address: str | None,
        port: int,
        ssl_context: ssl.SSLContext | None,
    ) -> Any:
        """Let our connections answer a TCP listener (amqtt's own parses one packet per task)."""
        if listener_type != ListenerType.TCP:
            return await super()._create_server_instance(listener_name, listener_type, address, port, ssl_context)
        handshake_s = self._exchange.limits.connect_timeout_s if ssl_context else None
        return await self._loop.create_server(
            partial(Connection, self._desk, listener_name),
            address,
            port,
            reuse_address=True,
            backlog=_BACKLOG,
            ssl=ssl_context,
            ssl_handshake_timeout=handshake_s,
        )

    async def ws_connected(self, websocket: Any, listener_name: str) -> None:
        """Serve a WebSocket listener's connection."""
        await WebSocketTransport(websocket, Connection(self._desk, listener_name)).run()

    async def external_connected(self, reader: Any, writer: Any, listener_name: str) -> None:
        """Refuse: amqtt's own handling of streams must never be reached (docs/broker.md)."""
        del reader
        await writer.close()
        raise ConfigurationError(f"listener {listener_name}: external listeners are not supported")

    async def _close_listeners(self) -> None:
        for server in self._servers.values():
            server.instance.close()
            try:
                await asyncio.wait_for(server.instance.wait_closed(), self._exchange.limits.shutdown_timeout_s)
            except TimeoutError:
                _LOG.warning("listener %s did not close in time", server.listener_name)
        self._servers.clear()

    def _why_not_listening(self, error: Exception) -> ConfigurationError:
        binds = ", ".join(str(listener.bind) for listener in self.listeners_config.values())
        code = error.errno if isinstance(error, OSError) else None
        why = os.strerror(code) if code and code > 0 else str(error)
        return ConfigurationError(
            f"the broker cannot listen on {binds}: {why}",
            hint="choose another port, or stop the program that uses this one",
        )

    def _expire(self) -> None:
        self._exchange.expire(self._loop.time())
        self._expiry = self._loop.call_later(_EXPIRY_INTERVAL_S, self._expire)

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
        self._desk.run(partial(self._exchange.route, Message(topic, payload, qos, retain)))

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
        count = self._desk.disconnect(account_name, forget_session=forget_session)
        self._exchange.forget_access(account_name)
        await asyncio.sleep(0)  # the sockets close in the next turn
        return count

    def counters(self) -> dict[str, int]:
        """Return what is there now and what has been counted since the start."""
        exchange = self._exchange
        return {
            "connections": len(self._desk.connections),
            "sessions": len(exchange.sessions),
            "subscriptions": len(exchange.subscriptions),
            "retained_messages": len(exchange.retained),
            "retained_bytes": exchange.retained.bytes,
            "queued_messages": sum(s.queued_messages for s in exchange.sessions.values()),
            "inflight_messages": sum(s.inflight_messages for s in exchange.sessions.values()),
            "unacknowledged_messages": self._intake.unacknowledged,
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
