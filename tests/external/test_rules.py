"""What `mqtt-hub rules` writes means to a real broker what `may` says: nothing else is delivered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_hub.accounts import Accounts
from mqtt_hub.broker.access import may
from mqtt_hub.broker.packets import Publish, Will
from mqtt_hub.home import Home
from mqtt_hub.protocol.table import HUB, TABLE, MessageType, Scope
from mqtt_hub.protocol.topics import build
from tests.broker.harness import Client, connected
from tests.external.brokers import Broker
from tests.hub.harness import make_home, until

ROLES = {"AI_Node_1": "trainer", "AI_Node_2": "trainer", "Validator_1": "validator", "observer": "observer"}
SENDERS = ("AI_Node_1", "Validator_1", "observer")
END = b"end"
REFUSED = (4, 5)
NOW = "2026-01-31T12:00:00.000Z"


@pytest.fixture(scope="module", params=["mosquitto", "nats"])
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Home]]:
    directory = tmp_path_factory.mktemp(request.param)
    home = make_home(directory / "home", {name: role for name, role in ROLES.items() if role != "observer"})
    with Broker.of(request.param, home, directory / "broker") as running:
        yield running, home


def client(broker: tuple[Broker, Home], name: str) -> Client:
    running, home = broker
    return connected(running.port, name, username=name, password=home.token(name).encode())


def topics() -> list[str]:
    """Return topics of every type, by several senders, to several recipients."""
    made = []
    for type_ in MessageType:
        scopes = {
            Scope.NONE: [""], Scope.KIND: ["page_replacement"], Scope.LEVEL: ["info"],
            Scope.RECIPIENT: ["AI_Node_1", "Validator_1"],
        }[TABLE[type_].scope]  # fmt: skip
        made += [build(type_, sender, scope) for sender in (*SENDERS, "AI_Node_2", HUB) for scope in scopes]
    return [*made, "kernel/v1/log/AI_Node_1/loud", "kernel/v1", "kernel/v2/hello/AI_Node_1", "elsewhere/AI_Node_1"]


def filters_of(broker: tuple[Broker, Home], name: str) -> list[str]:
    """Return what to subscribe to so that everything would come that the broker lets through."""
    if broker[0].kind == "mosquitto":  # grants everything, delivers what it may
        return ["#"]
    wide = [f"kernel/v1/{type_.lower()}/+" + "/+" * (TABLE[type_].scope is not Scope.NONE) for type_ in MessageType]
    private = [f"kernel/v1/{type_.lower()}/+/{name}" for type_ in MessageType if TABLE[type_].scope is Scope.RECIPIENT]
    return [*wide, *private, "kernel/#", "#"]


@pytest.mark.parametrize("sender", SENDERS)
def test_what_may_not_be_published_is_not_delivered(broker: tuple[Broker, Home], sender: str) -> None:
    with client(broker, HUB) as hub, client(broker, sender) as publisher:
        assert hub.subscribe(("kernel/v1/#", 1)) == (1,)
        for topic in topics():
            publisher.send(Publish(topic, topic.encode()))
        publisher.heard()  # it has read all that
        hub.publish("kernel/v1/status/hub", END)
        seen = set()
        while (message := hub.expect(Publish)).payload != END:
            seen.add(message.topic)
    allowed = {topic for topic in topics() if may(ROLES[sender], sender, "publish", topic) is None}
    assert seen == allowed
    assert bool(allowed) == (ROLES[sender] != "observer")


@pytest.mark.parametrize("reader", ["AI_Node_1", "Validator_1", "observer"])
def test_what_may_not_be_received_is_not_delivered(broker: tuple[Broker, Home], reader: str) -> None:
    senders = {name: client(broker, name) for name in ("AI_Node_1", "AI_Node_2", "Validator_1", HUB) if name != reader}
    with client(broker, reader) as listener:
        for filter_ in filters_of(broker, reader):
            listener.subscribe((filter_, 0))
        expected = set()
        for name, publisher in senders.items():
            with publisher:
                role = "hub" if name == HUB else ROLES[name]
                for topic in topics():
                    if may(role, name, "publish", topic) is None:
                        publisher.send(Publish(topic, topic.encode()))
                        if may(ROLES[reader], reader, "receive", topic) is None:
                            expected.add(topic)
                publisher.heard()
                publisher.send(Publish(build(MessageType.STATUS, name), END))
                seen_end = f"kernel/v1/status/{name}"
                while True:
                    message = listener.expect(Publish)
                    if message.payload == END:
                        assert message.topic == seen_end
                        break
                    assert message.topic in expected
                    expected.discard(message.topic)
    assert not expected, "and all that may be received is"


def test_a_last_will_in_anothers_name_is_not_delivered(broker: tuple[Broker, Home]) -> None:
    running, home = broker
    token = home.token("AI_Node_1").encode()
    with client(broker, HUB) as hub:
        hub.subscribe(("kernel/v1/#", 1))
        for name in ("AI_Node_2", "AI_Node_1"):  # in order: were the first delivered, it would come before the second
            will = Will(f"kernel/v1/status/{name}", b"lost", 1)
            connected(running.port, "AI_Node_1", username="AI_Node_1", password=token, will=will).drop()
            if name == "AI_Node_1":
                while (message := hub.expect(Publish)).retain:
                    pass
                assert message.topic == "kernel/v1/status/AI_Node_1"


def code_of(running: Broker, name: str, token: str) -> int:
    """Return the code with which a login is answered."""
    with Client(running.port) as stranger:
        return stranger.connect(name, username=name, password=token.encode()).code


def test_accounts_come_and_go_while_the_broker_runs(broker: tuple[Broker, Home]) -> None:
    running, home = broker
    accounts = Accounts(home.accounts_path)
    token = accounts.add("AI_Node_9", "trainer", "", NOW)
    assert code_of(running, "AI_Node_9", token) in REFUSED
    running.take_up(home)
    until(lambda: code_of(running, "AI_Node_9", token) == 0)
    assert code_of(running, "AI_Node_9", "wrong") in REFUSED
    with connected(running.port, "AI_Node_9", username="AI_Node_9", password=token.encode()) as node:
        accounts.revoke("AI_Node_9", NOW)
        accounts.close()
        running.take_up(home)
        assert node.is_closed()
    assert code_of(running, "AI_Node_9", token) in REFUSED


def test_on_mosquitto_nobody_ends_anothers_connection_by_its_client_id(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", {"AI_Node_1": "trainer"})
    with (
        Broker.of("mosquitto", home, tmp_path / "broker") as running,
        client((running, home), HUB) as hub,
        Client(running.port) as thief,
    ):
        token = home.token("AI_Node_1").encode()
        assert thief.connect(HUB, username="AI_Node_1", password=token).code == 0
        hub.publish("kernel/v1/status/hub")
        assert hub.heard() == []
