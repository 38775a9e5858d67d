"""A hub that reads from a real broker elsewhere does all that it does with its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mqtt_hub.accounts import Accounts
from mqtt_hub.broker.packets import Publish
from mqtt_hub.home import Home
from mqtt_hub.protocol.codec import encode
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.rehearsal import free_port
from tests.broker.harness import connected
from tests.external.brokers import Broker, use_broker
from tests.hub.harness import NOW, RawClient, RunningHub, hub_on, make_home, rows, until
from tests.node.talk import Talker
from tests.protocol.examples import KIND, message

A, B = "AI_Node_1", "AI_Node_2"
OF_A = "SELECT count(*) FROM messages m JOIN nodes n ON n.id = m.node WHERE n.name = 'AI_Node_1' AND seq IS NOT NULL"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", {A: "trainer", B: "trainer"})


@pytest.fixture(params=["mosquitto", "nats"])
def broker(request: pytest.FixtureRequest, home: Home, tmp_path: Path) -> Iterator[Broker]:
    with Broker.of(request.param, home, tmp_path / "broker") as running:
        use_broker(home, running.url)
        yield running


@pytest.fixture
def mosquitto(home: Home, tmp_path: Path) -> Iterator[Broker]:
    with Broker.of("mosquitto", home, tmp_path / "broker") as running:
        use_broker(home, running.url)
        yield running


def share(client: RawClient, first: int, last: int) -> None:
    """Send messages with these seqs."""
    for seq in range(first, last + 1):
        client.say(MessageType.PATTERN_SHARE, seq=seq)


def rejected(running: RunningHub) -> list[tuple[str, str]]:
    return [
        (str(name), str(reason))
        for name, reason in running.rows("SELECT n.name, r.reason FROM rejected r JOIN nodes n ON n.id = r.node")
    ]


@pytest.mark.usefixtures("broker")
def test_what_nodes_send_is_archived_once_receipted_and_heard_by_others(home: Home) -> None:
    with hub_on(home) as running, RawClient(running, A) as a, RawClient(running, B) as b:
        a.greet()
        b.greet()
        share(a, 1, 50)
        assert a.receipt(50).committed.upto == 50
        share(a, 1, 10)  # as after a reconnect
        share(a, 51, 51)
        a.receipt(51)
        b.expect(MessageType.PATTERN_SHARE)
        assert running.rows(OF_A) == [(51,)]
        assert running.rows("SELECT count(*) FROM patterns") == [(51,)]
        assert rejected(running) == []
        counters = running.status()["broker"]
        assert counters["echoes"] > 0, "our own words come back"
    assert rows(home, "SELECT count(*) FROM messages WHERE type = 'TRAINING_SYNC'") == [(2,)], "and count once"


@pytest.mark.usefixtures("broker")
def test_a_hub_that_was_away_gets_what_was_sent_meanwhile_and_knows_who_is_there(home: Home) -> None:
    with hub_on(home) as running:
        node = RawClient(running, A)
        with node:
            node.greet()
            node.publish(*node.composed(MessageType.STATUS), retain=True)
            share(node, 1, 1)
            node.receipt(1)
    with RawClient(running, A, clean=False) as node:
        node.session = 1
        share(node, 2, 40)
        with hub_on(home) as again:
            assert node.receipt(40).committed.upto == 40
            assert again.until(lambda status: A in status["connected_nodes"])
            assert again.rows(OF_A) == [(40,)]


@pytest.mark.usefixtures("broker")
def test_a_forged_sender_in_the_envelope_is_archived_under_the_account_that_sent_it(home: Home) -> None:
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet()
        a.publish(
            f"kernel/v1/pattern_share/{A}/{KIND}", encode(message(MessageType.PATTERN_SHARE, B, session=1, seq=1))
        )
        until(lambda: rejected(running))
        ((name, reason),) = rejected(running)
        assert name == A
        assert "sender" in reason


@pytest.mark.usefixtures("broker")
def test_an_account_revoked_here_is_refused_before_the_broker_knows(home: Home) -> None:
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet()
        share(a, 1, 1)
        a.receipt(1)
        accounts = Accounts(home.accounts_path)
        accounts.revoke(A, NOW)
        accounts.close()
        until(lambda: running.call(lambda: running.hub._book.get(A)) is None)
        share(a, 2, 2)
        until(lambda: rejected(running))
        assert rejected(running) == [("broker", f"access: '{A}' is no account here, or it is revoked")]
        assert running.status()["broker"]["publishes_refused"] == 1
        assert running.rows(OF_A) == [(1,)]


def test_a_node_that_the_broker_kept_says_hello_again_to_a_hub_that_was_restarted(
    home: Home, mosquitto: Broker, tmp_path: Path
) -> None:
    """What the hub had decided and could tell nobody any more is in the answer."""
    hellos = "SELECT count(*) FROM messages WHERE type = 'HELLO'"
    with Talker(home, A, mosquitto.port, tmp_path / "node") as node:
        with hub_on(home) as running:
            node.until(lambda: node.node.ready and running.status()["connected"])
            ((before,),) = running.rows(hellos)
        with hub_on(home) as again:
            node.until(lambda: again.rows(hellos) > [(before,)])
            node.until(lambda: node.node.ready)
            assert again.rows("SELECT count(DISTINCT session) FROM messages WHERE type = 'HELLO'") == [(1,)]


def test_the_hubs_last_will_says_that_it_is_lost(home: Home, mosquitto: Broker) -> None:
    topic = "kernel/v1/status/hub"
    with (
        hub_on(home) as running,
        connected(mosquitto.port, "observer", username="observer", password=home.token("observer").encode()) as watcher,
    ):
        watcher.subscribe((topic, 1))
        assert b'"state":"ready"' in watcher.expect(Publish).payload
        source = running.hub.source
        running.call(lambda: source._connection.close("a cut cable", abort=True))  # type: ignore[attr-defined]
        until(lambda: b'"state":"lost"' in watcher.expect(Publish).payload)
        until(lambda: b'"state":"ready"' in watcher.expect(Publish).payload)
    assert b'"state":"disconnected"' in watcher_payload(mosquitto, home, topic), "an orderly end is no loss"


def watcher_payload(broker: Broker, home: Home, topic: str) -> bytes:
    """Return what is retained on a topic."""
    with connected(broker.port, "w", username="observer", password=home.token("observer").encode()) as watcher:
        watcher.subscribe((topic, 1))
        payload: bytes = watcher.expect(Publish).payload
        return payload


@pytest.mark.usefixtures("mosquitto")
def test_at_the_bound_of_the_unacknowledged_nothing_more_is_read_and_nothing_is_lost(home: Home) -> None:
    use = home.config_path.read_text().replace("[broker]", "[broker]\nunacknowledged_messages_max = 7", 1)
    home.config_path.write_text(use)
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet()
        running.busy_timeout(10)
        with closing(sqlite3.connect(home.archive_path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # nothing can be committed
            share(a, 1, 100)
            running.until(lambda status: status["broker"]["unacknowledged"] == 7)
            # The broker has all of them; its answer to a ping says that it has had time to send more.
            until(lambda: not a._client.want_write() and len(a._client._out_messages) == 0)
            assert running.status()["broker"]["unacknowledged"] == 7
            assert running.rows(OF_A) == [(0,)], "and nothing was acknowledged"
            other.execute("COMMIT")
        a.receipt(100)
        assert running.rows(OF_A) == [(100,)]
        assert running.status()["broker"]["connections_total"] == 1


def test_a_message_longer_than_any_the_protocol_knows_is_archived_as_that_and_holds_nobody_up(
    home: Home, tmp_path: Path
) -> None:
    with Broker.of("mosquitto", home, tmp_path / "broker") as broker:
        text = (tmp_path / "broker" / "mosquitto.conf").read_text()
        (tmp_path / "broker" / "mosquitto.conf").write_text(text.replace("message_size_limit 262144", ""))
        broker.kill()
        broker.start()
        use_broker(home, broker.url)
        with hub_on(home) as running, RawClient(running, A) as a:
            a.greet()
            a.publish(f"kernel/v1/log/{A}/info", b"x" * 3_000_000)
            share(a, 1, 1)
            a.receipt(1)
            ((name, _reason),) = rejected(running)
            assert name == A
            assert running.status()["broker"]["connections_total"] == 1


def test_a_broker_that_grants_and_delivers_nothing_is_noticed(
    home: Home, mosquitto: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rules = mosquitto.directory / "acl"
    rules.write_text(rules.read_text().replace("topic read kernel/v1/#\n", "", 1))
    mosquitto.kill()
    mosquitto.start()
    monkeypatch.setattr("mqtt_hub.external.source.SILENT_AFTER_S", 0.05)
    with hub_on(home):
        until(lambda: "delivers none: may hub read kernel/v1/# there?" in caplog.text)


def test_a_host_that_does_not_answer_is_passed_over(home: Home, mosquitto: Broker) -> None:
    text = home.config_path.read_text().replace(mosquitto.url, f"mqtt://hub@127.0.0.1:{free_port()}")
    home.config_path.write_text(text.replace("[broker]", f'[broker]\nhosts = ["127.0.0.1:{mosquitto.port}"]', 1))
    with hub_on(home) as running:
        assert running.status()["broker"]["connected"] == 1
        assert running.status()["broker"]["connections_total"] == 2


def test_a_broker_killed_and_started_again_loses_nothing_that_a_sender_keeps(home: Home, mosquitto: Broker) -> None:
    with hub_on(home) as running:
        with RawClient(running, A) as a:
            a.greet()
            share(a, 1, 20)
            a.receipt(20)
            mosquitto.kill()
            running.until(lambda status: not status["broker"]["connected"])
        mosquitto.start()
        running.until(lambda status: status["broker"]["connected"])
        with RawClient(running, A) as a:
            assert a.greet().receipts[0].upto == 20
            share(a, 11, 25)  # what has no receipt, and some that have
            a.receipt(25)
        assert running.rows(OF_A) == [(25,)]
        assert running.status()["broker"]["connections_total"] >= 2
