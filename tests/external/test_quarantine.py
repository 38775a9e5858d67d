"""Another broker passes on what a quarantined node shares; honest nodes know whom not to listen to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from mqtt_hub.cli import main
from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import PatternShare, Status
from mqtt_hub.protocol.codec import Message
from mqtt_hub.protocol.table import HUB, MessageType
from mqtt_hub.rehearsal import free_port
from tests.external.brokers import Broker, use_broker
from tests.hub.harness import NOW, RawClient, RunningHub, hub_on, make_home
from tests.node.talk import Talker

CHEAT, HONEST, PEER = "AI_Node_1", "AI_Node_2", "AI_Node_3"
PATTERN = MessageType.PATTERN_SHARE


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", dict.fromkeys((CHEAT, HONEST, PEER), "trainer"))


@pytest.fixture
def running(home: Home, tmp_path: Path) -> Iterator[RunningHub]:
    with Broker.of("mosquitto", home, tmp_path / "broker") as broker:
        use_broker(home, broker.url)
        with hub_on(home) as running:
            yield running


def command(home: Home, *words: str) -> None:
    done = CliRunner().invoke(main, [*words, "--home", str(home.path)])
    assert done.exit_code == 0, done.output


class Listener(Talker):
    """A node as trainers are; it remembers which patterns reached its loop."""

    def __init__(self, home: Home, port: int, place: Path) -> None:
        super().__init__(home, PEER, port, place)
        self.heard: list[tuple[str, str]] = []

    def until_heard(self, sender: str, expression: str) -> None:
        self.until(lambda: (sender, expression) in self._listen())

    def _listen(self) -> list[tuple[str, str]]:
        while not self.node.inbox.empty():
            message = self.node.inbox.get()
            if isinstance(message.body, PatternShare):
                self.heard.append((message.sender, message.body.expression))
        return self.heard


def test_a_peer_on_mosquitto_hears_nothing_of_a_quarantined_node_until_it_is_released(
    home: Home, running: RunningHub, tmp_path: Path
) -> None:
    with (
        Listener(home, running.port, tmp_path / "peer") as peer,
        RawClient(running, CHEAT) as cheat,
        RawClient(running, HONEST) as honest,
    ):
        peer.until(lambda: peer.node.ready)
        cheat.greet()
        honest.greet()
        cheat.say(PATTERN, seq=1, expression="before")
        peer.until_heard(CHEAT, "before")
        command(home, "node", "quarantine", CHEAT)
        peer.until(lambda: peer.node.inbox.quarantined == {CHEAT})
        cheat.say(PATTERN, seq=2, expression="under quarantine")
        cheat.rejection("is quarantined")
        honest.expect(PATTERN, lambda body: body.expression == "under quarantine")  # mosquitto passes it on
        honest.say(PATTERN, seq=1, expression="honest")
        peer.until_heard(HONEST, "honest")
        command(home, "node", "release", CHEAT)
        peer.until(lambda: not peer.node.inbox.quarantined)
        cheat.say(PATTERN, seq=3, expression="released")
        peer.until_heard(CHEAT, "released")
        assert (CHEAT, "under quarantine") not in peer.heard


def test_a_node_that_starts_later_knows_it_from_what_the_broker_keeps(
    home: Home, running: RunningHub, tmp_path: Path
) -> None:
    command(home, "node", "quarantine", CHEAT)
    running.until(lambda status: status["trust"]["quarantined"])
    with Listener(home, running.port, tmp_path / "peer") as peer:
        peer.until(lambda: peer.node.inbox.quarantined == {CHEAT})


def test_a_lost_hub_takes_back_no_quarantine_and_one_that_is_back_does(home: Home, tmp_path: Path) -> None:
    """The last will was written when the hub connected: it may know of less than the hub since did."""

    def said(state: str, *quarantined: str) -> Message:
        body = Status(state, 1, "hub", quarantined=quarantined)  # type: ignore[arg-type]
        return Message(MessageType.STATUS, HUB, 1, NOW, body)

    with Listener(home, free_port(), tmp_path / "peer") as peer:  # where nobody answers
        steps = [("ready", "a"), ("lost", "b"), ("lost",), ("disconnected", "b"), ("ready",)]
        known = []
        for state, *names in steps:
            peer.node._on_message(said(state, *names), True)
            known.append(peer.node.inbox.quarantined)
    assert known == [{"a"}, {"a", "b"}, {"a", "b"}, {"b"}, set()]
