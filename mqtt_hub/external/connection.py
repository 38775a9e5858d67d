"""One connection to an external broker: the client's side of the packets, over the broker's own `Link`.

::

    CONNECT ──▶ CONNACK ──▶ SUBSCRIBE ──▶ SUBACK ──▶ established        PINGREQ ◀──▶ PINGRESP
                   └─ refused: an error that says why
    PUBLISH ──▶ Senders ──▶ AckWindow ──▶ hub … commit … acknowledge() ──▶ PUBACK, one write for a batch
    PUBACK  ──▶ Outgoing ──▶ the next of the hub's own messages

`Link` and `AckWindow` are those of the embedded broker: parsing, one write a loop turn, back-pressure (while too much
is unacknowledged nothing is read, and the broker keeps the rest), PUBACKs in the order of arrival.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mqtt_hub.broker.counters import Counters
from mqtt_hub.broker.delivery import Deliveries
from mqtt_hub.broker.flusher import Flusher
from mqtt_hub.broker.link import Link
from mqtt_hub.broker.packets import (
    Connack,
    Connect,
    Disconnect,
    MalformedPacketError,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    ReturnCode,
    Suback,
    Subscribe,
)
from mqtt_hub.external.outgoing import SUBSCRIBE_ID, Outgoing
from mqtt_hub.external.senders import Senders
from mqtt_hub.protocol.errors import (
    AccessDeniedError,
    BrokerUnavailableError,
    ConfigurationError,
    MqttHubError,
    ProtocolError,
)

__all__ = ["HubConnection"]

_PUBLISHES_PER_TURN_MAX = 100  # own messages written before others have their turn


class HubConnection(Link):
    """The hub as a client of a broker, until the connection ends."""

    def __init__(
        self,
        connect: Connect,
        filter_: str,
        *,
        deliveries: Deliveries,
        senders: Senders,
        outgoing: Outgoing,
        counters: Counters,
        subscribe_anew: bool,
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(deliveries.limits, counters, deliveries, Flusher(loop))
        self._connect, self._filter = connect, filter_
        self._subscribe_anew = subscribe_anew
        self._senders, self._outgoing = senders, outgoing
        self._keep_alive_s = connect.keep_alive_s
        self._timer: asyncio.TimerHandle | None = None
        self._connected = False
        self._idle = asyncio.Event()  # set when the broker has acknowledged all our messages
        self.established: asyncio.Future[None] = loop.create_future()
        self.established.add_done_callback(_heard)
        self.gone: asyncio.Future[str] = loop.create_future()  # the reason
        self._socket_closed: asyncio.Future[None] = loop.create_future()

    def publish_more(self) -> None:
        """Send of the hub's own messages what the window and the connection take now."""
        if not self._connected:
            return
        for _ in range(_PUBLISHES_PER_TURN_MAX):
            message = self._outgoing.take() if self.ready else None
            if message is None:
                return
            self._counters.messages_out += 1
            self.write(message.encode())

    async def drain(self, timeout_s: float) -> None:
        """Wait until the broker has all our messages, the connection ends, or the time is over."""
        if not self._outgoing.empty:
            self._idle.clear()
            idle = self._loop.create_task(self._idle.wait())
            either: tuple[asyncio.Future[Any], ...] = (idle, self.gone)
            await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            idle.cancel()

    def disconnect(self) -> None:
        """Take leave, so that the last will is not published."""
        self.write(Disconnect().encode())
        self.close("the hub stops", will=False)

    async def give_up(self) -> None:
        """End at once what was not established."""
        if self._transport is not None:
            self.close("gave up", abort=True)
            await self.wait_closed()

    async def wait_closed(self) -> None:
        """Return when the socket is closed, at the latest after the time that the last bytes are given."""
        await asyncio.wait([self._socket_closed], timeout=2 * self._limits.linger_s)

    # what `Link` asks of a connection

    def opened(self) -> bool:
        """Say who we are."""
        self.write(self._connect.encode())
        return True

    def handle(self, packet: Packet) -> None:
        """Act on the broker's next packet; raises MalformedPacketError for what a broker never sends."""
        if isinstance(packet, Publish):
            if packet.qos > 1:
                raise MalformedPacketError("PUBLISH at QoS 2 for a subscription at QoS 1 (3.8.4)")
            self._counters.messages_in += 1
            self._window.hand_over(packet, *self._senders.of(packet.topic))
        elif isinstance(packet, Puback):
            self._outgoing.acknowledged(packet.packet_id)
            self.publish_more()
            if self._outgoing.empty:
                self._idle.set()
        elif isinstance(packet, Connack) and not self._connected:
            self._on_connack(packet)
        elif isinstance(packet, Suback):
            self._on_suback(packet)
        elif not isinstance(packet, Pingresp):
            raise MalformedPacketError(f"{type(packet).__name__.upper()} from a broker")

    async def decide(self, packet: Packet) -> None:
        """Never called: nothing here has to be awaited."""
        raise AssertionError(packet)

    def drained(self) -> None:
        """Send what has waited for the connection."""
        self.publish_more()

    def ended(self, reason: str, *, will: bool) -> None:  # noqa: ARG002 — the broker knows of the will
        """Tell whoever waits."""
        if self._timer is not None:
            self._timer.cancel()
        self._connected = False
        if not self.established.done():
            self._fail(
                BrokerUnavailableError(
                    f"closed the connection before it let us in: {reason}",
                    hint="does it speak MQTT there, and TLS just where the url says mqtts://?",
                )
            )
        self.gone.set_result(reason)

    # the beginning

    def _on_connack(self, packet: Connack) -> None:
        if packet.code != ReturnCode.ACCEPTED:
            self._fail(_refused(packet.code, self._connect))
            self.close(f"CONNACK with code {packet.code}")
            return
        self._connected = True
        self._outgoing.connected()
        self._tick()
        if packet.session_present and not self._subscribe_anew:
            self._establish()
        else:
            self.write(Subscribe(SUBSCRIBE_ID, ((self._filter, 1),)).encode())
        self.publish_more()

    def _on_suback(self, packet: Suback) -> None:
        if packet.codes != (1,):
            self._fail(
                AccessDeniedError(
                    f"does not let {self._connect.username} subscribe to {self._filter} at QoS 1",
                    hint="its access rules must allow it: mqtt-hub rules writes them",
                )
            )
            self.close("SUBSCRIBE was refused")
            return
        self._establish()

    def _establish(self) -> None:
        if not self.established.done():
            self.established.set_result(None)

    def _fail(self, error: MqttHubError) -> None:
        if not self.established.done():
            self.established.set_exception(error)

    def _tick(self) -> None:
        """Show that we live, see that the broker does; not hearing because we do not read is no silence."""
        now_s = self._loop.time()
        if not self._deaf and now_s - self._heard_at_s > 1.5 * self._keep_alive_s:
            self._counters.keep_alive_expired += 1
            self.close(f"no word from it for {now_s - self._heard_at_s:.0f} s", abort=True)
            return
        self.write(Pingreq().encode())
        self._timer = self._loop.call_later(self._keep_alive_s / 2, self._tick)

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self._heard_at_s = self._loop.time()
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._socket_closed.set_result(None)


def _heard(established: asyncio.Future[None]) -> None:
    """Take note of an outcome that nobody waits for any more."""
    if not established.cancelled():
        established.exception()


def _refused(code: int, connect: Connect) -> MqttHubError:
    """Return what a CONNACK means that does not let us in (3.2.2.3)."""
    if code == ReturnCode.UNACCEPTABLE_PROTOCOL_LEVEL:
        return ProtocolError("does not speak MQTT 3.1.1")
    if code == ReturnCode.IDENTIFIER_REJECTED:
        return ConfigurationError(
            f"does not take the client id {connect.client_id!r}", hint="another one: client_id under [broker]"
        )
    if code == ReturnCode.SERVER_UNAVAILABLE:
        return BrokerUnavailableError("is not available now", hint="CONNACK with code 3: try again later")
    return AccessDeniedError(
        f"refuses {connect.username}: unknown user, or wrong password",
        hint="the password is read from the file named in [broker] password_file, by default tokens/hub",
    )
