"""Defects of amqtt 0.12.1: each is there in amqtt's broker, and not in ours.

A defect is a script that raises AssertionError where it is present. When an upgrade of amqtt turns a case of
``test_the_stock_broker_has`` red, the override of that number has had its day.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from mqtt_hub.broker import HubBroker, Limits
from mqtt_hub.broker.packets import Connack, Connect, Puback, Publish, Suback, Subscribe, Will, frame
from tests.broker.harness import (
    SECRET,
    Client,
    Running,
    SilenceError,
    connected,
    plugin_config,
    serving,
    stock_broker,
)

WITHIN_S = 3.0  # after that a defect counts as present
Script = Callable[[Running], None]


def login(port: int, client_id: str, username: str = "owner", **options: Any) -> Client:
    return connected(port, client_id, username=username, password=SECRET, **options)


@contextmanager
def churning(port: int, count: int) -> Iterator[None]:
    """Let another client subscribe to ``count`` filters of its own meanwhile."""
    with login(port, "churn") as churn:
        packets = [Subscribe(n + 1, ((f"churn/{n}", 0),)) for n in range(count)]
        sending = threading.Thread(target=lambda: churn.send(*packets))
        sending.start()
        try:
            yield
        finally:
            sending.join()


def s1_wrong_password_cannot_touch_a_session(running: Running) -> None:
    with login(running.port, "victim", clean=False) as victim, login(running.port, "friend") as friend:
        victim.subscribe(("inbox", 1))
        with Client(running.port) as stranger:
            stranger.send(Connect("victim", clean_session=True, username="owner", password=b"wrong"))
            stranger.is_closed(WITHIN_S)
        friend.publish("inbox", b"letter")
        assert victim.expect(Publish, WITHIN_S).payload == b"letter"


def s2_retained_messages_go_to_subscribers_only(running: Running) -> None:
    with login(running.port, "owner") as owner, login(running.port, "other", "other") as other:
        owner.subscribe(("secret/#", 1))
        owner.publish("secret/plan", b"hidden", retain=True)
        owner.expect(Publish)
        other.drop()
        with login(running.port, "stranger", "stranger") as stranger:
            stranger.send(Subscribe(1, (("elsewhere", 0),)))
            while not isinstance(packet := stranger.receive(), Suback):
                assert not isinstance(packet, Publish), f"got {packet} without a subscription"


def s3_a_will_is_access_checked(running: Running) -> None:
    with login(running.port, "owner") as owner:
        owner.subscribe(("secret/#", 1))
        with Client(running.port) as mallory:
            will = Will("secret/alarm", b"forged", 1)
            mallory.send(Connect("mallory", username="mallory", password=SECRET, will=will))
            refused = mallory.expect(Connack).code != 0
        if refused:
            assert not owner.messages()
            return
        with suppress(SilenceError):
            raise AssertionError(owner.expect(Publish, WITHIN_S))


def s4_failed_logins_leave_no_session(running: Running) -> None:
    for number in range(20):
        with Client(running.port) as stranger:
            stranger.connect(f"stranger{number}", username="owner", password=b"wrong")
    sessions = running.broker._exchange.sessions if ours(running) else running.broker.sessions
    assert running.call(lambda: len(sessions)) == 0


def s5_a_silent_socket_is_closed(running: Running) -> None:
    with Client(running.port) as silent:
        assert silent.is_closed(WITHIN_S)


def s6_a_huge_packet_is_refused_by_its_length(running: Running) -> None:
    with login(running.port, "huge") as huge:
        huge.send(frame(0x30, b"\0\1t" + bytes(48 << 20))[: 256 << 10])
        assert huge.is_closed(WITHIN_S)


def s7_clean_takeover_closes_the_old_connection(running: Running) -> None:
    with login(running.port, "twin") as old, login(running.port, "twin"):
        assert old.is_closed(WITHIN_S)


def l1_unacknowledged_messages_are_delivered_again(running: Running) -> None:
    with login(running.port, "friend") as friend:
        with login(running.port, "forgetful", clean=False) as forgetful:
            forgetful.subscribe(("inbox", 1))
            friend.publish("inbox", b"letter")
            first = forgetful.expect(Publish)
        with login(running.port, "forgetful", clean=False) as forgetful:
            again = forgetful.expect(Publish, WITHIN_S)
    assert (again.dup, again.packet_id, again.payload) == (True, first.packet_id, first.payload)


def l2_persistent_takeover_keeps_the_new_connection(running: Running) -> None:
    will = Will("lost", b"twin", 1)
    with login(running.port, "watcher") as watcher, login(running.port, "twin", clean=False) as old:
        watcher.subscribe(("lost", 1), ("after", 1))
        old.subscribe(("inbox", 1))
        with login(running.port, "twin", clean=False, will=will) as new:
            assert old.is_closed(WITHIN_S)
            watcher.publish("inbox", b"letter")
            assert new.expect(Publish, WITHIN_S).payload == b"letter"
            watcher.publish("after", b"marker")
            assert watcher.expect(Publish, WITHIN_S).payload == b"marker", "the will of a living connection"


def l3_nothing_is_lost_while_plugins_are_awaited(running: Running) -> None:
    count = 300
    with ExitStack() as stack:
        readers = [stack.enter_context(login(running.port, f"reader{n}")) for n in range(3)]
        for reader, name in zip(readers, ("data/#", "data/+", "+/+"), strict=True):
            reader.subscribe((name, 0))
        writer = stack.enter_context(login(running.port, "writer"))
        stack.enter_context(churning(running.port, count))
        writer.send(*[Publish(f"data/{n}", b"x", 1, packet_id=n + 1) for n in range(count)])
        for _ in range(count):
            writer.expect(Puback)
        for reader in readers:
            for number in range(count):
                assert reader.expect(Publish, WITHIN_S).topic == f"data/{number}"


def l4_many_may_connect_at_once(running: Running) -> None:
    count = 40
    with ExitStack() as stack:
        owner = stack.enter_context(login(running.port, "owner"))
        owner.subscribe(*[(f"state/{number}/#", 1) for number in range(30)])
        for number in range(30):
            owner.publish(f"state/{number}/now", b"on", retain=True)
        clients = [stack.enter_context(Client(running.port)) for _ in range(count)]
        stack.enter_context(churning(running.port, 300))
        for number, client in enumerate(clients):
            connect = Connect(f"client{number}", username="owner", password=SECRET)
            client.send(connect, Subscribe(1, ((f"own/{number}", 0),)))
        for client in clients:
            client.expect(Suback, WITHIN_S)


def l5_qos_is_the_lower_of_publication_and_subscription(running: Running) -> None:
    with login(running.port, "reader") as reader, login(running.port, "writer") as writer:
        reader.subscribe(("data", 2))
        writer.publish("data", qos=0)
        assert reader.expect(Publish, WITHIN_S).qos == 0


def l6_a_dollar_topic_does_not_swallow_what_follows(running: Running) -> None:
    with login(running.port, "reader") as reader, login(running.port, "writer") as writer:
        reader.subscribe(("data", 1))
        writer.publish("$data", qos=0)
        writer.send(Publish("data", b"x", 1, packet_id=7))
        assert reader.expect(Publish, WITHIN_S).topic == "data"


def l7_a_failing_plugin_does_not_kill_the_connection(running: Running) -> None:
    with login(running.port, "reader") as reader, login(running.port, "writer") as writer:
        reader.subscribe(("data", 1))
        writer.publish("raise/x", qos=0)
        writer.send(Publish("data", b"x", 1, packet_id=7))
        assert reader.expect(Publish, WITHIN_S).topic == "data"


def l10_a_resumed_session_has_its_new_wills_retain_flag(running: Running) -> None:
    with login(running.port, "watcher") as watcher:
        watcher.subscribe(("lost", 1))
        with login(running.port, "node", clean=False, will=Will("lost", b"1", 1)) as node:
            node.send(b"\xe0\0")
            assert node.is_closed()
        login(running.port, "node", clean=False, will=Will("lost", b"2", 1, retain=True)).drop()
        watcher.expect(Publish)
        with login(running.port, "late") as late:
            late.send(Subscribe(1, (("lost", 1),)))
            assert late.expect(Publish, WITHIN_S).payload == b"2"


def l12_queued_messages_are_not_marked_retained(running: Running) -> None:
    with login(running.port, "friend") as friend:
        with login(running.port, "away", clean=False) as away:
            away.subscribe(("inbox", 1))
            away.send(b"\xe0\0")
            assert away.is_closed()
        friend.publish("inbox", b"letter")
        with login(running.port, "away", clean=False) as away:
            assert not away.expect(Publish, WITHIN_S).retain


def l18_keep_alive_is_enforced(running: Running) -> None:
    with login(running.port, "dead", keep_alive_s=1) as dead:
        assert dead.is_closed(2 * WITHIN_S)


def acknowledged_messages_survive_a_disconnect(running: Running) -> None:
    """Stock delivers 15 of 3,000: it acknowledges before it routes, and drops the backlog at DISCONNECT."""
    count = 3_000
    with login(running.port, "reader") as reader, login(running.port, "writer") as writer:
        reader.subscribe(("data", 0))
        packets = [Publish("data", b"%d" % n, 1, packet_id=n + 1).encode() for n in range(count)]
        sending = threading.Thread(target=lambda: writer.send(b"".join(packets)))
        sending.start()
        for _ in range(count):
            writer.expect(Puback)
        sending.join()
        writer.send(b"\xe0\0")
        for number in range(count):
            assert reader.expect(Publish, WITHIN_S).payload == b"%d" % number


@dataclass(frozen=True)
class Defect:
    number: str
    script: Script
    rules: bool = False  # needs a topic plugin


DEFECTS = [
    Defect("S1", s1_wrong_password_cannot_touch_a_session),
    Defect("S2", s2_retained_messages_go_to_subscribers_only),
    Defect("S3", s3_a_will_is_access_checked, rules=True),
    Defect("S4", s4_failed_logins_leave_no_session),
    Defect("S5", s5_a_silent_socket_is_closed),
    Defect("S6", s6_a_huge_packet_is_refused_by_its_length),
    Defect("S7", s7_clean_takeover_closes_the_old_connection),
    Defect("L1", l1_unacknowledged_messages_are_delivered_again),
    Defect("L2", l2_persistent_takeover_keeps_the_new_connection),
    Defect("L3", l3_nothing_is_lost_while_plugins_are_awaited, rules=True),
    Defect("L4", l4_many_may_connect_at_once),
    Defect("L5", l5_qos_is_the_lower_of_publication_and_subscription),
    Defect("L6", l6_a_dollar_topic_does_not_swallow_what_follows),
    Defect("L7", l7_a_failing_plugin_does_not_kill_the_connection, rules=True),
    Defect("L10", l10_a_resumed_session_has_its_new_wills_retain_flag),
    Defect("L12", l12_queued_messages_are_not_marked_retained),
    Defect("L18", l18_keep_alive_is_enforced),
    Defect("PUBACK before routing", acknowledged_messages_survive_a_disconnect),
]


def ours(running: Running) -> bool:
    return isinstance(running.broker, HubBroker)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.number)
def test_our_broker_is_free_of(defect: Defect) -> None:
    limits = Limits(connect_timeout_s=1.0)
    with serving(lambda: HubBroker(plugin_config(rules=defect.rules), limits=limits)) as running:
        defect.script(running)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # its sockets and tasks are not ours to close
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.number)
def test_the_stock_broker_has(defect: Defect) -> None:
    with serving(lambda: stock_broker(rules=defect.rules)) as running, pytest.raises(AssertionError):
        defect.script(running)
