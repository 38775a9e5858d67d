"""The one seam into the hub: a subscription whose acknowledge is called after the commit.

::

    Source ──deliver(Delivery)──▶ hub … commit … ──▶ delivery.acknowledge()
       ▲                                                │
       └───────────── publish(topic, payload) ◀─────────┘

Behind it stands the embedded broker, which hands messages over in process: the hub's acknowledge is what
releases the publisher's PUBACK, so here PUBACK means archived. The other one, `mqtt_hub.external`, reads from
a broker elsewhere: there the acknowledge is the PUBACK to that broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from mqtt_hub.accounts import AccountBook
from mqtt_hub.broker import Account, Action, Credentials, Delivery, HubBroker, Limits, StateFile
from mqtt_hub.broker.access import may
from mqtt_hub.broker.packets import Will
from mqtt_hub.broker.tls import ServerCertificate
from mqtt_hub.home import TlsFiles
from mqtt_hub.protocol.errors import AccessDeniedError

__all__ = ["Deliver", "EmbeddedSource", "Source"]

Deliver = Callable[[Delivery], None]


class Source(Protocol):
    """Where messages come from and go to."""

    @property
    def port(self) -> int:
        """The port at which this machine's own tools find the broker."""

    @property
    def described(self) -> str:
        """What the hub does with it, for the log."""

    async def start(self, deliver: Deliver, will: Will) -> None:
        """Begin to deliver; ``will`` is what a broker that outlives the hub publishes when the hub is lost.

        Raises `ConfigurationError`, `BrokerUnavailableError` or `AccessDeniedError`.
        """

    async def stop(self) -> None:
        """End every connection within a bounded time."""

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Send one message as the hub."""

    async def shut_out(self, names: list[str]) -> None:
        """End the live connections of accounts whose token is void."""

    def quarantine(self, names: Mapping[str, str]) -> None:
        """Take shares of these accounts no more, for these reasons; an empty reason ends it."""

    def counters(self) -> dict[str, int]:
        """Return the transport's own counters."""

    def trouble(self) -> str:
        """Return why the transport cannot keep what it must keep; empty where it can."""

    def bounds(self) -> dict[str, float]:
        """Return the transport's bounds in force."""


class EmbeddedSource:
    """The embedded broker, in this process, with accounts and the access rule in force."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        accounts: AccountBook,
        prefix: str,
        limits: Limits | None = None,
        state: Path | None = None,
        tls: TlsFiles | None = None,
        websocket_port: int = 0,
        unix_socket: Path | None = None,
    ) -> None:
        self._host, self._port, self._limits, self._state = host, port, limits or Limits(), state
        self._tls, self._websocket_port, self._unix_socket = tls, websocket_port, unix_socket
        self._accounts = accounts
        self._prefix = prefix
        self._quarantined: dict[str, str] = {}
        self._broker: HubBroker | None = None

    @property
    def port(self) -> int:
        """The port the broker listens on; 0 before `start`."""
        return self._broker.port if self._broker else 0

    @property
    def described(self) -> str:
        """What the log says."""
        return f"listens on {self._host}:{self.port}"

    async def start(self, deliver: Deliver, will: Will) -> None:  # noqa: ARG002 — this broker goes with the hub
        """Listen; raises `ConfigurationError` when the port is taken, `ArchiveError` when the state is damaged."""
        self._broker = HubBroker(
            {"listeners": self._listeners(), "plugins": {}},
            authenticate=self._authenticate,
            may=self._may,
            consumer=deliver,
            limits=self._limits,
            state=None if self._state is None else StateFile(self._state),
            role_of=self._role_of,
            unix_socket=self._unix_socket,
        )
        await self._broker.start()

    def _listeners(self) -> dict[str, dict[str, Any]]:
        """Return amqtt's description of where to listen, MQTT first; raises `ConfigurationError`."""
        secured: dict[str, Any] = {}
        if self._tls is not None:
            certificate, key, clients_ca = self._tls
            ServerCertificate(certificate, key, clients_ca)  # says better than amqtt what does not fit
            secured = {"ssl": True, "certfile": certificate, "keyfile": key, "cafile": clients_ca}
        listeners = {"default": {"type": "tcp", "bind": f"{self._host}:{self._port}", **secured}}
        if self._websocket_port:
            listeners["websocket"] = {"type": "ws", "bind": f"{self._host}:{self._websocket_port}", **secured}
        return listeners

    async def stop(self) -> None:
        """Close the listener and every connection."""
        if self._broker is not None:
            await self._broker.shutdown()

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Route one message of the hub's own."""
        if self._broker is not None:
            self._broker.publish(topic, payload, qos=qos, retain=retain)

    async def shut_out(self, names: list[str]) -> None:
        """Close the connections of these accounts and forget their sessions."""
        if self._broker is not None:
            for name in names:
                self._broker.forget_access(name)
                await self._broker.disconnect(name, forget_session=True)

    def quarantine(self, names: Mapping[str, str]) -> None:
        """Refuse what these accounts share from now on, on live connections too; an empty reason ends it."""
        self._quarantined.update(names)
        for name in names:
            if self._broker is not None:
                self._broker.forget_access(name)

    def counters(self) -> dict[str, int]:
        """Return the broker's counters."""
        return self._broker.counters() if self._broker else {}

    def trouble(self) -> str:
        """Say so where the broker's state cannot be written: then it acknowledges nothing that must survive."""
        failing = self.counters().get("store_failing", 0)
        return f"{self._state}: cannot be written, publishers wait (the hub's log says why)" if failing else ""

    def bounds(self) -> dict[str, float]:
        """Return the broker's limits."""
        return asdict(self._limits)

    async def _authenticate(self, credentials: Credentials) -> Account | None:
        name, token = credentials.username, credentials.password
        if not name or not token:
            return None
        # An account made a moment ago is let in, one revoked a moment ago is not: cheap where nothing changed.
        await self.shut_out(self._accounts.refresh())
        record = self._accounts.recall(name, token)
        if record is None:
            try:
                record = await asyncio.to_thread(self._accounts.verify, name, token)
            except AccessDeniedError:
                return None
        # The sender owns its name: a node's client id is its name, so that a second one takes over, not joins.
        if record.role in ("trainer", "validator") and credentials.client_id != name:
            return None
        return Account(record.name, record.role)

    def _role_of(self, name: str) -> str | None:
        record = self._accounts.get(name)
        return None if record is None else record.role

    def _may(self, account: Account, action: Action, topic: str, retain: bool) -> str | None:  # noqa: FBT001 — broker's signature
        quarantined = self._quarantined.get(account.name, "")
        return may(
            account.role, account.name, action.value, topic,
            retain=retain, prefix=self._prefix, quarantined=quarantined,
        )  # fmt: skip
