"""`ExternalSource`: keeps one connection to an external broker, through all its hosts.

::

    start ──▶ each host once: none lets us in ──▶ error
                 │ established
                 ▼
              connection ── lost ──▶ this host, the next … all tried ──▶ wait 0.2 s, 0.4 s … backoff_s_max
                 ▲                                                                  │
                 └──────────────────────────────────────────────────────────────────┘

What the broker has sent and we have not acknowledged it sends again, whoever of the three was away; the archive
knows duplicates.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from mqtt_hub.accounts import AccountBook
from mqtt_hub.broker.counters import Counters
from mqtt_hub.broker.delivery import Deliveries, Delivery
from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.packets import Connect, Will
from mqtt_hub.external.connection import HubConnection
from mqtt_hub.external.dialer import Dialer, Login
from mqtt_hub.external.outgoing import Outgoing
from mqtt_hub.external.senders import OURSELVES, Senders
from mqtt_hub.external.settings import BrokerSettings
from mqtt_hub.external.target import Target
from mqtt_hub.protocol.errors import AccessDeniedError, ConfigurationError, MqttHubError
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

    def __init__(self, settings: BrokerSettings, login: Login, *, accounts: AccountBook, prefix: str) -> None:
        self._settings, self._target, self._login = settings, Target.of(settings), login
        self._filter = f"{prefix}/{VERSION}/#"
        self._senders = Senders(accounts, prefix)
        self._outgoing = Outgoing(settings)
        self._counters = Counters()
        self._echoes = 0
        self._connection: HubConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        # from the start on
        self._deliver: Callable[[Delivery], None] | None = None
        self._deliveries: Deliveries | None = None

    @property
    def port(self) -> int:
        """The port of the first host, where this machine's own tools connect."""
        return self._target.addresses[0].port

    @property
    def described(self) -> str:
        """What the log says."""
        return f"reads from the broker at {', '.join(map(str, self._target.addresses))}"

    async def start(self, deliver: Callable[[Delivery], None], will: Will) -> None:
        """Connect; raises what keeps us out of the last host tried, a refused login or certificate before that."""
        self._deliver = deliver
        bound = self._settings.unacknowledged_messages_max
        limits = Limits(
            packet_bytes_max=_PACKET_BYTES_MAX,
            unacknowledged_messages_max=bound,
            unacknowledged_bytes_max=Limits().unacknowledged_total_bytes_max,  # all nodes come on one connection
            unacknowledged_total_max=bound,
        )
        deliveries = self._deliveries = Deliveries(self._consume, limits)

        def make(connect: Connect, subscribe_anew: bool) -> HubConnection:  # noqa: FBT001 — `Dialer` calls it so
            self._counters.connections_total += 1
            return HubConnection(
                connect,
                self._filter,
                deliveries=deliveries,
                senders=self._senders,
                outgoing=self._outgoing,
                counters=self._counters,
                subscribe_anew=subscribe_anew,
            )

        dialer = Dialer(self._settings, self._target, self._login, will, make)
        for left in reversed(range(len(self._target.addresses))):
            try:
                self._connection = await dialer.next()
                break
            except (AccessDeniedError, ConfigurationError):
                raise
            except MqttHubError:
                if not left:
                    raise
        self._task = asyncio.create_task(self._stay_connected(dialer))
        self._task.add_done_callback(_complain)
        self._listen_for_echoes()

    async def stop(self) -> None:
        """Give the broker our last messages within `DRAIN_S_MAX`, and take leave."""
        if self._task is not None:
            self._task.cancel()
        if self._timer is not None:
            self._timer.cancel()
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

    def quarantine(self, names: Mapping[str, str]) -> None:
        """Archive what these accounts share as rejected from now on; the broker itself passes it on all the same."""
        self._senders.quarantine(names)

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
            "unacknowledged": self._deliveries.unacknowledged if self._deliveries else 0,
            "own_waiting": outgoing.waiting,
            "own_in_flight": outgoing.in_flight,
            "own_dropped": outgoing.dropped,
        }

    def trouble(self) -> str:
        """Say so where the broker is away: it keeps what nodes send, and they keep what has no receipt."""
        away = self._task is not None and (self._connection is None or self._connection.gone.done())
        return f"the broker at {', '.join(map(str, self._target.addresses))} cannot be reached" if away else ""

    def bounds(self) -> dict[str, float]:
        """Return the bounds in force."""
        return self._settings.bounds()

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

    def _listen_for_echoes(self) -> None:
        """Some brokers grant a subscription and deliver nothing: our own words must come back."""
        if self._counters.messages_in:
            return
        if self._outgoing.acknowledged_total:
            _log.error(
                "the broker takes our messages and delivers none: may %s read %s there? (mqtt-hub rules)",
                self._target.user, self._filter,
            )  # fmt: skip
        self._timer = asyncio.get_running_loop().call_later(SILENT_AFTER_S, self._listen_for_echoes)

    # connections

    async def _stay_connected(self, dialer: Dialer) -> None:
        backoff_s, tries, said = BACKOFF_S_MIN, 0, ""
        while True:
            connection = self._connection
            if connection is not None:
                since = time.monotonic()
                reason = await asyncio.shield(connection.gone)
                self._connection = None
                _log.warning("the connection to the broker at %s is lost: %s", dialer.address, reason)
                if time.monotonic() - since > STEADY_S:
                    backoff_s = BACKOFF_S_MIN
                tries, said = 0, ""
            if tries % len(self._target.addresses) == 0:
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, self._settings.backoff_s_max)
            tries += 1
            try:
                self._connection = await dialer.next()
            except MqttHubError as error:
                if str(error) != said:  # once, not every half minute
                    said = str(error)
                    _log.error("trying again: %s", error)
            else:
                _log.info("connected to the broker at %s", dialer.address)


def _complain(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("the hub reads from its broker no more", exc_info=task.exception())
