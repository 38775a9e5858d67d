"""Where the broker listens: amqtt's listeners with our connections behind them, and a Unix socket.

::

    tcp, tcp + TLS ──┐
    ws, ws + TLS ────┼──▶ Connection        external ──▶ refused
    unix socket ─────┘
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import stat
from functools import partial
from pathlib import Path
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import ListenerConfig, ListenerType

from mqtt_hub.broker.connection import Connection
from mqtt_hub.broker.exchange import Exchange
from mqtt_hub.broker.reception import Reception
from mqtt_hub.broker.tls import ServerCertificate
from mqtt_hub.broker.websocket import WebSocketTransport
from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["ListeningBroker"]

_LOG = logging.getLogger("mqtt_hub.broker")
_BACKLOG = 4_096  # connections that the system holds until they are accepted: a fleet that returns all at once
_UNIX = "unix"  # the name of that listener


class ListeningBroker(Broker):
    """amqtt's broker as far as sockets go; `HubBroker` is what happens behind them."""

    _reception: Reception
    _exchange: Exchange
    _unix_socket: Path | None
    _unix_server: asyncio.Server | None
    _certificates: list[ServerCertificate]

    def _create_ssl_context(self, listener: ListenerConfig) -> ssl.SSLContext:
        """Return the context of a TLS listener, which takes up changed files; ``cafile`` makes clients show theirs."""
        if listener.certfile is None or listener.keyfile is None:
            raise ConfigurationError("a TLS listener needs certfile and keyfile")
        certificate = ServerCertificate(listener.certfile, listener.keyfile, listener.cafile)
        self._certificates.append(certificate)
        return certificate.context

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
            partial(Connection, self._reception, listener_name),
            address,
            port,
            reuse_address=True,
            backlog=_BACKLOG,
            ssl=ssl_context,
            ssl_handshake_timeout=handshake_s,
        )

    async def ws_connected(self, websocket: Any, listener_name: str) -> None:
        """Serve a WebSocket listener's connection."""
        await WebSocketTransport(websocket, Connection(self._reception, listener_name)).run()

    async def external_connected(self, reader: Any, writer: Any, listener_name: str) -> None:
        """Refuse: amqtt's own handling of streams must never be reached (docs/broker.md)."""
        del reader
        await writer.close()
        raise ConfigurationError(f"listener {listener_name}: external listeners are not supported")

    async def _listen(self) -> None:
        """Open every listener; raises OSError, amqtt's BrokerError, or ConfigurationError."""
        await self._start_listeners()
        if self._unix_socket is None:
            return
        path = self._unix_socket
        _clear(path)
        listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)  # for this user alone, from the first moment
        try:
            listener.bind(str(path))
        except OSError as error:
            listener.close()
            raise ConfigurationError(
                f"the broker cannot listen on {path}: {error}", hint="a short path in a directory of this user's"
            ) from error
        finally:
            os.umask(before)
        connection = partial(Connection, self._reception, _UNIX)
        self._unix_server = await self._loop.create_unix_server(connection, sock=listener, backlog=_BACKLOG)

    def _stop_listening(self) -> None:
        """Let nobody else in."""
        for server in self._servers.values():
            server.instance.close()
        if self._unix_server is not None:
            self._unix_server.close()

    async def _close_listeners(self) -> None:
        self._stop_listening()
        for server in self._servers.values():
            try:
                await asyncio.wait_for(server.instance.wait_closed(), self._exchange.limits.shutdown_timeout_s)
            except TimeoutError:
                _LOG.warning("listener %s did not close in time", server.listener_name)
        self._servers.clear()
        if self._unix_server is not None and self._unix_socket is not None:
            self._unix_socket.unlink(missing_ok=True)

    def _why_not_listening(self, error: Exception) -> ConfigurationError:
        binds = ", ".join(str(listener.bind) for listener in self.listeners_config.values())
        code = error.errno if isinstance(error, OSError) else None
        why = os.strerror(code) if code and code > 0 else str(error)
        return ConfigurationError(
            f"the broker cannot listen on {binds}: {why}",
            hint="choose another port, or stop the program that uses this one",
        )


def _clear(path: Path) -> None:
    """Remove the socket that a killed hub left behind; raises `ConfigurationError` if it is anything else."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigurationError(f"{path} is there already and no socket", hint="choose another unix_socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise ConfigurationError(f"another program listens on {path}", hint="choose another unix_socket")
