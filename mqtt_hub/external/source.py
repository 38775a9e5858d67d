"""`ExternalSource`: keeps one connection to an external broker, through all its hosts.

::

    start ──▶ each host once: none lets us in ──▶ error
                 │ established
                 ▼
              connection ── lost ──▶ next host, and the next … all tried ──▶ wait 0.2 s, 0.4 s … backoff_s_max
                 ▲                                                                  │
                 └──────────────────────────────────────────────────────────────────┘

What the broker has sent and we have not acknowledged it sends again, whoever of the three was away; the archive
knows duplicates.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable

from mqtt_hub.accounts import AccountBook
from mqtt_hub.broker.counters import Counters
from mqtt_hub.broker.delivery import Deliveries, Delivery
from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.packets import Connect, Will
from mqtt_hub.external.connection import HubConnection
from mqtt_hub.external.outgoing import Outgoing
from mqtt_hub.external.senders import OURSELVES, Senders
from mqtt_hub.external.settings import BrokerSettings
from mqtt_hub.external.target import Address, Target
from mqtt_hub.protocol.errors import AccessDeniedError, BrokerUnavailableError, ConfigurationError, MqttHubError
from mqtt_hub.protocol.topics import VERSION

__all__ = ["ExternalSource"]

BACKOFF_S_MIN = 0.2
STEADY_S = 5.0  # a connection that lasted so long begins the back-off anew
DRAIN_S_MAX = 2.0  # for the broker to take over our last messages
SILENT_AFTER_S = 10.0
# What the broker has accepted must be read whatever its size, or it would be sent again for ever: the broker's own
# bound is the one that counts (`mqtt-hub rules` sets it), and what is too long for the protocol is archived as such.
_PACKET_BYTES_MAX = 5 + 268_435_455  # 2.2.3

_log = logging.getLogger("mqtt_hub.external")


class ExternalSource:
    """An MQTT connection to a broker elsewhere, behind the hub's seam."""

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        accounts: AccountBook,
        prefix: str,
        client_id: str,
        password: Callable[[], bytes],
        tls: Callable[[str], ssl.SSLContext] | None = None,
    ) -> None:
        self._settings, self._target = settings, Target.of(settings)
        self._client_id, self._password, self._tls = client_id, password, tls
        self._filter = f"{prefix}/{VERSION}/#"
        self._senders = Senders(accounts, prefix)
        self._outgoing = Outgoing(settings)
        self._counters = Counters()
        self._limits = Limits(
            packet_bytes_max=_PACKET_BYTES_MAX,
            unacknowledged_messages_max=settings.unacknowledged_messages_max,
            unacknowledged_total_max=settings.unacknowledged_messages_max,
        )
        self._deliveries = Deliveries(self._consume, self._limits)
        self._deliver: Callable[[Delivery], None] | None = None
        self._will: Will | None = None
        self._connection: HubConnection | None = None
        self._address = self._target.addresses[0]
        self._next = 0  # host to try
        self._subscribed = False  # by this process; before, the stored session's subscription may be another
        self._echoes = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port of the first host, where this machine's own tools connect."""
        return self._target.addresses[0].port

    @property
    def described(self) -> str:
        """What the log calls it."""
        return f"reads from the broker at {self._address}"

    async def start(self, deliver: Callable[[Delivery], None], will: Will) -> None:
        """Connect; raises what keeps us out of the last host tried, a refused login or certificate before that."""
        self._deliver, self._will = deliver, will
        for left in reversed(range(len(self._target.addresses))):
            try:
                await self._try_next()
                break
            except (AccessDeniedError, ConfigurationError):
                raise
            except MqttHubError:
                if not left:
                    raise
        self._task = asyncio.create_task(self._stay_connected())
        self._task.add_done_callback(_complain)
        asyncio.get_running_loop().call_later(SILENT_AFTER_S, self._look_for_echoes)

    async def stop(self) -> None:
        """Give the broker our last messages within `DRAIN_S_MAX`, and take leave."""
        if self._task is not None:
            self._task.cancel()
        connection = self._connection
        if connection is not None and not connection.gone.done():
            await connection.drain(DRAIN_S_MAX)
            connection.disconnect()
            await connection.wait_closed()

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Send one message of the hub's own, later if there is no connection."""
        self._outgoing.offer(topic, payload, qos=qos, retain=retain)
        if self._connection is not None:
            self._connection.publish_more()

    async def shut_out(self, names: list[str]) -> None:  # noqa: ARG002 — all are asked for anew
        """Refuse what these accounts send from now on; the broker's own password file must follow."""
        self._senders.forget()

    def counters(self) -> dict[str, int]:
        """Return what moved, what waits, what was lost."""
        counters, outgoing = self._counters, self._outgoing
        return {
            "connected": int(self._connection is not None and not self._connection.gone.done()),
            "connections_total": counters.connections_total,
            "keep_alive_expired": counters.keep_alive_expired,
            "malformed": counters.malformed,
            "messages_in": counters.messages_in,
            "messages_out": counters.messages_out,
            "bytes_in": counters.bytes_in,
            "bytes_out": counters.bytes_out,
            "echoes": self._echoes,
            "publishes_refused": counters.publishes_refused,
            "unacknowledged": self._deliveries.unacknowledged,
            "own_waiting": outgoing.waiting,
            "own_in_flight": outgoing.in_flight,
            "own_dropped": outgoing.dropped,
        }

    def bounds(self) -> dict[str, float]:
        """Return the bounds in force."""
        settings = self._settings
        return {
            name: getattr(settings, name)
            for name in settings.__slots__
            if name.endswith(("_max", "_s")) and not isinstance(getattr(settings, name), str)
        }

    # messages

    def _consume(self, delivery: Delivery) -> None:
        if delivery.sender == OURSELVES.account.name:
            self._echoes += 1
            delivery.acknowledge()
            return
        if delivery.refused is not None:
            self._counters.publishes_refused += 1
        if self._deliver is not None:
            self._deliver(delivery)

    def _look_for_echoes(self) -> None:
        """Some brokers grant a subscription and deliver nothing: our own words must come back."""
        if self._outgoing.acknowledged_total and not self._counters.messages_in:
            _log.error(
                "the broker at %s takes our messages and delivers none: may %s read %s there? mqtt-hub rules",
                self._address, self._target.user, self._filter,
            )  # fmt: skip

    # connections

    async def _stay_connected(self) -> None:
        backoff_s, tried, said = BACKOFF_S_MIN, 0, ""
        while True:
            connection = self._connection
            if connection is not None:
                since = time.monotonic()
                reason = await asyncio.shield(connection.gone)
                self._connection = None
                _log.warning("the connection to the broker at %s is lost: %s", self._address, reason)
                if time.monotonic() - since > STEADY_S:
                    backoff_s = BACKOFF_S_MIN
                tried, said = 0, ""
            if tried % len(self._target.addresses) == 0:
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, self._settings.backoff_s_max)
            tried += 1
            try:
                await self._try_next()
            except MqttHubError as error:
                if str(error) != said:  # once, not every half minute
                    said = str(error)
                    _log.error("trying again: %s", error)
            else:
                _log.info("connected to the broker at %s", self._address)

    async def _try_next(self) -> None:
        """Connect to the next host; raises what keeps us out."""
        addresses = self._target.addresses
        address = addresses[self._next % len(addresses)]
        self._next += 1
        # Read anew each time: a rotated password, a renewed authority.
        password, context = self._password(), self._tls(address.host) if self._tls is not None else None
        try:
            self._connection = await self._connect(address, password, context)
        except MqttHubError as error:
            raise type(error)(f"the broker at {address} {error.facts}", hint=error.hint) from error
        self._next -= 1  # this one first when the connection is lost
        self._address = address
        self._subscribed = True

    async def _connect(self, address: Address, password: bytes, context: ssl.SSLContext | None) -> HubConnection:
        settings, target = self._settings, self._target
        connect = Connect(
            self._client_id,
            clean_session=False,
            keep_alive_s=settings.keep_alive_s,
            username=target.user,
            password=password,
            will=self._will,
        )
        connection = HubConnection(
            connect,
            self._filter,
            deliveries=self._deliveries,
            senders=self._senders,
            outgoing=self._outgoing,
            counters=self._counters,
            subscribe_anew=not self._subscribed,
        )
        self._counters.connections_total += 1
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(settings.connect_timeout_s):
                await loop.create_connection(
                    lambda: connection, *address, ssl=context, server_hostname=address.host if context else None
                )
                await asyncio.shield(connection.established)
        except TimeoutError:
            await connection.give_up()
            raise BrokerUnavailableError(
                f"does not answer within {settings.connect_timeout_s:g} s",
                hint="connect_timeout_s under [broker] is the bound",
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise ConfigurationError(
                f"shows a certificate that is not trusted: {error.verify_message}",
                hint="ca_file under [broker] names the authority to trust",
            ) from error
        except OSError as error:
            raise BrokerUnavailableError(
                f"does not answer: {error.strerror or error}", hint="is it running, and is the url right?"
            ) from error
        except BaseException:
            await connection.give_up()
            raise
        return connection


def _complain(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("the hub reads from its broker no more", exc_info=task.exception())
