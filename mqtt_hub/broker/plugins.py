"""The side of the broker that amqtt's plugins see: a Session to judge, events to hear.

::

    CONNECT ──▶ profile: amqtt Session ──▶ BaseAuthPlugin.authenticate(session=…)
    questions ───────────────────────────▶ BaseTopicPlugin.topic_filtering(session=…, topic=…, action=…)
    coming, going, subscribing, messages ─▶ on_broker_…(…)

Where no plugin is loaded nothing of this is built: an amqtt Session costs more than a whole CONNECT. Packet
events (``on_mqtt_packet_…``) are not fired, because their packets are amqtt's own.
"""

from __future__ import annotations

import asyncio
from typing import Any

from amqtt.contexts import Action as PluginAction
from amqtt.events import BrokerEvents
from amqtt.session import IncomingApplicationMessage
from amqtt.session import Session as PluginSession

from mqtt_hub.broker.counters import Counters
from mqtt_hub.broker.gate import Filtering
from mqtt_hub.broker.identity import Account, Action
from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.packets import Connect, Publish

__all__ = ["PluginBridge"]


class PluginBridge:
    """Speaks amqtt to the plugins of one broker."""

    def __init__(self, broker: Any, limits: Limits, counters: Counters) -> None:
        self._broker = broker
        self._manager = broker.plugins_manager
        self._limits, self._counters = limits, counters
        self._tasks: set[asyncio.Task[None]] = set()
        self._heard = self._manager._event_plugin_callbacks  # noqa: SLF001 — amqtt has no other way to ask

    @property
    def filtering(self) -> Filtering | None:
        """The question to all topic plugins, or None if there is none."""
        return self._filter if self._manager._topic_plugins else None  # noqa: SLF001 — as above

    async def _filter(self, profile: Any, topic: str, action: Action) -> bool:
        allowed: bool = await self._broker._topic_filtering(profile, topic, PluginAction(action.value))  # noqa: SLF001
        return allowed

    def profile(self, connect: Connect, client_id: str, remote: tuple[str, int]) -> Any:
        """Return the amqtt Session that plugins see, or None if there are no plugins."""
        if not self._manager.plugins:
            return None
        session = PluginSession()
        session.client_id = client_id
        session.clean_session = connect.clean_session
        session.keep_alive = connect.keep_alive_s
        session.username = connect.username
        if connect.password is not None:
            session.password = connect.password.decode(errors="surrogateescape")
        session.remote_address, session.remote_port = remote
        if connect.will is not None:
            session.will_flag = True
            session.will_topic, session.will_message, session.will_qos, session.will_retain = connect.will
        return session

    async def authenticate(self, profile: Any, listener: str) -> Account | None:
        """Ask the auth plugins: refused unless one says yes and none says no."""
        if profile is None or not await self._broker._authenticate(  # noqa: SLF001 — the way amqtt's broker asks
            profile, self._broker.listeners_config.get(listener)
        ):
            return None
        anonymous = profile.is_anonymous or profile.username is None
        return Account("" if anonymous else profile.username, "")

    def fire(self, event: BrokerEvents, **details: Any) -> None:
        """Tell the plugins that listen; beyond ``events_pending_max`` running ones they are not told."""
        if event not in self._heard:
            return
        if len(self._tasks) >= self._limits.events_pending_max:
            self._counters.dropped_events += 1
            return
        task = asyncio.get_running_loop().create_task(self._manager.fire_event(event, wait=True, **details))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def fire_message(self, client_id: str, packet: Publish, refused: str | None) -> None:
        """Tell that a message came, and that it is broadcast if it was not refused."""
        heard = BrokerEvents.MESSAGE_RECEIVED in self._heard or BrokerEvents.MESSAGE_BROADCAST in self._heard
        if not heard:
            return
        message = IncomingApplicationMessage(
            packet.packet_id or None, packet.topic, packet.qos, packet.payload, packet.retain
        )
        self.fire(BrokerEvents.MESSAGE_RECEIVED, client_id=client_id, message=message)
        if refused is None:
            self.fire(BrokerEvents.MESSAGE_BROADCAST, client_id=client_id, message=message)

    async def finish(self) -> None:
        """Wait for events that are still being handled."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
