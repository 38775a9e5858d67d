"""amqtt's plugins are respected: they let in, allow, hear what happens, and may take their time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from amqtt.contexts import BaseContext
from amqtt.plugins.base import BasePlugin

from mqtt_hub.broker import HubBroker, Limits
from mqtt_hub.broker.packets import Publish, Unsuback, Unsubscribe, Will
from mqtt_hub.protocol.errors import ConfigurationError
from tests.broker.harness import SECRET, Client, Running, connected, plugin_config, serving


class Listener(BasePlugin):  # type: ignore[misc]
    """Keeps what it hears."""

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self.heard: list[tuple[Any, ...]] = []

    async def on_broker_post_start(self) -> None:
        await self.context.broadcast_message("$plugin", b"ready", 1)
        await self.context.retain_message("$plugin/state", b"ready", 1)

    async def on_broker_client_connected(self, *, client_id: str, client_session: Any) -> None:
        self.heard.append(("connected", client_id, client_session.username, client_session.remote_address))

    async def on_broker_client_disconnected(self, *, client_id: str, client_session: Any) -> None:
        self.heard.append(("disconnected", client_id, client_session.username))

    async def on_broker_client_subscribed(self, *, client_id: str, topic: str, qos: int) -> None:
        self.heard.append(("subscribed", client_id, topic, qos))

    async def on_broker_client_unsubscribed(self, *, client_id: str, topic: str) -> None:
        self.heard.append(("unsubscribed", client_id, topic))

    async def on_broker_message_received(self, *, client_id: str, message: Any) -> None:
        self.heard.append(("received", client_id, message.topic, message.data, message.qos))

    async def on_broker_message_broadcast(self, *, client_id: str, message: Any) -> None:
        self.heard.append(("broadcast", client_id, message.topic))


@pytest.fixture
def with_rules() -> Iterator[Running]:
    config = plugin_config(rules=True)
    config["plugins"]["tests.broker.test_plugins.Listener"] = {}
    with serving(lambda: HubBroker(config)) as running:
        yield running


def enter(running: Running, username: str, **options: Any) -> Client:
    return connected(running.port, username, username=username, password=SECRET, **options)


def heard(running: Running) -> list[tuple[Any, ...]]:
    plugin: Any = running.broker.plugins_manager.get_plugin("Listener")
    return list(plugin.heard)


def test_topic_plugins_decide_on_publish_subscribe_receive_and_retained(with_rules: Running) -> None:
    with enter(with_rules, "owner") as owner, enter(with_rules, "guest") as guest:
        owner.publish("secret/state", b"kept", retain=True)
        assert guest.subscribe(("secret/#", 1), ("#", 1)) == (0x80, 1)
        guest.publish("secret/x", b"forged")
        owner.publish("secret/x", b"true")
        owner.publish("open/x", b"for all")
        assert [message.payload for message in guest.messages()] == [b"for all"]
        assert with_rules.counters()["publishes_refused"] == 1


def test_in_process_messages_wait_for_plugins_in_order(with_rules: Running) -> None:
    with enter(with_rules, "guest") as guest:
        guest.subscribe(("#", 1))

        def publish() -> None:
            for number in range(20):
                with_rules.broker.publish(f"{'secret' if number % 2 else 'open'}/{number % 5}", b"%d" % number)

        with_rules.call(publish)
        expected = [b"%d" % number for number in range(0, 20, 2)]
        assert [guest.expect(Publish).payload for _ in expected] == expected
        assert guest.messages() == []


def test_in_process_messages_that_wait_are_bounded() -> None:
    make = lambda: HubBroker(plugin_config(rules=True), limits=Limits(deferred_messages_max=3))  # noqa: E731
    with serving(make) as running, enter(running, "guest") as guest:
        guest.subscribe(("#", 1))
        running.call(lambda: [running.broker.publish("a", b"%d" % number) for number in range(5)])
        assert [guest.expect(Publish).payload for _ in range(3)] == [b"0", b"1", b"2"]
        assert running.counters()["dropped_deferred"] == 2


def test_wills_wait_for_plugins_too(with_rules: Running) -> None:
    with enter(with_rules, "owner") as owner:
        owner.subscribe(("lost/#", 1))
        enter(with_rules, "guest", will=Will("lost/guest", b"", 1)).drop()
        assert owner.expect(Publish).topic == "lost/guest"


def test_plugins_hear_what_happens(with_rules: Running) -> None:
    with enter(with_rules, "guest") as guest:
        guest.subscribe(("a", 1), ("secret/a", 1))
        guest.publish("a", b"x")
        guest.publish("secret/a", b"y")
        guest.send(Unsubscribe(9, ("a",)))
        guest.expect(Unsuback)
        guest.heard()
    with_rules.until(lambda counters: counters["connections"] == 0)
    assert heard(with_rules) == [
        ("connected", "guest", "guest", "127.0.0.1"),
        ("subscribed", "guest", "a", 1),
        ("received", "guest", "a", b"x", 1),
        ("broadcast", "guest", "a"),
        ("received", "guest", "secret/a", b"y", 1),
        ("unsubscribed", "guest", "a"),
        ("disconnected", "guest", "guest"),
    ]


def test_plugins_can_publish_and_retain(with_rules: Running) -> None:
    with enter(with_rules, "guest") as guest:
        guest.subscribe(("$plugin/state", 1))
        assert guest.expect(Publish).payload == b"ready"


def test_plugins_cannot_subscribe_for_clients(with_rules: Running) -> None:
    context = with_rules.broker.plugins_manager.context
    with pytest.raises(ConfigurationError, match="'other'"):
        with_rules.wait(context.add_subscription("other", "a", 1))


def test_events_that_plugins_do_not_finish_are_bounded() -> None:
    config = plugin_config()
    config["plugins"]["tests.broker.test_plugins.Listener"] = {}
    with (
        serving(lambda: HubBroker(config, limits=Limits(events_pending_max=1))) as running,
        enter(running, "guest") as guest,
    ):
        guest.send(*[Publish("a", b"") for _ in range(10)])
        guest.heard()
        assert running.counters()["dropped_events"] > 0
