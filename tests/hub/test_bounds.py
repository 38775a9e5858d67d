"""The hub's own bounds, at the bound: rejected messages of a node, sessions in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqtt_hub.bounds import HubLimits
from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import SessionReceipt
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.quota import Quota
from tests.hub.harness import RawClient, hub_on, make_home

A, B = "AI_Node_1", "AI_Node_2"
PATTERN = MessageType.PATTERN_SHARE
REJECTED = "SELECT n.name, count(*) FROM rejected r JOIN nodes n ON n.id = r.node GROUP BY 1 ORDER BY 1"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", {A: "trainer", B: "trainer"})


def bounded(home: Home, line: str) -> Home:
    with home.config_path.open("a") as file:
        file.write(line + "\n")
    return home


def test_a_node_may_fill_its_quota_to_the_last_message_and_byte_and_others_have_their_own() -> None:
    quota = Quota(HubLimits(rejected_messages_max=3, rejected_bytes_max=10), [("a", 1, 4)], {"b": 5})
    assert quota.take("a", 6)
    assert not quota.take("a", 1), "bytes"
    assert quota.take("a", 0)
    assert not quota.take("a", 0), "messages"
    assert quota.take("b", 10)
    assert quota.beyond == 5 + 2
    assert quota.take_moved() == {"a": 2}
    assert quota.take_moved() == {}
    quota.moved_again({"a"})
    assert quota.take_moved() == {"a": 2}


def test_beyond_its_quota_a_nodes_rejected_messages_are_counted_and_told_and_use_up_no_key(home: Home) -> None:
    bounded(home, "rejected_messages_max = 2")
    with hub_on(home) as running, RawClient(running, A) as a, RawClient(running, B) as b:
        for client in (a, b):
            client.greet()
        topic, payload = a.composed(PATTERN, seq=1)
        for seq in (1, 2, 3):
            a.publish(topic, payload.replace(b'"seq":1', b'"seq":%d' % seq).replace(b'"gain":', b'"loss":'))
        told = a.rejection("not archived, too much of this node was rejected: body.gain")
        assert told.committed == SessionReceipt(1, 2, 2)
        a.publish(topic, b"no JSON")
        b.publish("kernel/v1/hello/other", b"")
        running.until(lambda status: status["messages"]["rejected_beyond_quota"] == 2)
        a.say(PATTERN, seq=3)
        a.receipt(3)
        b.say(PATTERN, seq=1)
        b.receipt(1)
        assert running.rows(REJECTED) == [(A, 2), (B, 1)]
        running.until(lambda _: running.rows("SELECT rejected_beyond FROM nodes WHERE name = ?", A) == [(2,)])
    with hub_on(home) as running, RawClient(running, A) as a:
        assert running.status()["messages"]["rejected_beyond_quota"] == 2
        a.publish("kernel/v1/hello/other", b"")
        running.until(lambda status: status["messages"]["rejected_beyond_quota"] == 3)
        assert running.rows(REJECTED) == [(A, 2), (B, 1)]


def test_sessions_beyond_the_bound_are_forgotten_and_their_duplicates_known_all_the_same(home: Home) -> None:
    bounded(home, "sessions_remembered_max = 1")
    with hub_on(home) as running, RawClient(running, A) as a:
        for session in (1, 2, 3):
            assert a.greet(session=session, instance=f"i{session}").session == session
            for seq in (1, 2, 4):
                a.say(PATTERN, seq=seq)
            a.expect(MessageType.RECEIPT, lambda receipt: receipt.committed.highest == 4)
        running.until(lambda _: not running.call(lambda: running.hub._ledger.knows(A, 1)))
        a.say(PATTERN, seq=4, session=1)
        a.say(PATTERN, seq=3, session=1)
        assert a.receipt(4, session=1).committed == SessionReceipt(1, 4, 4)
        earlier = [
            (receipt.session, receipt.upto, receipt.highest) for receipt in a.greet(session=3, instance="i3").receipts
        ]
        assert earlier == [(3, 2, 4), (2, 2, 4), (1, 4, 4)]
        keys = running.rows("SELECT session, seq FROM messages WHERE seq IS NOT NULL ORDER BY 1, 2")
        assert keys == [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (2, 4), (3, 1), (3, 2), (3, 4)]
        assert running.rows("SELECT count(*) FROM patterns") == [(10,)]


def test_a_session_that_was_never_agreed_is_not_looked_for(home: Home) -> None:
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet()
        a.say(PATTERN, seq=1, session=77)
        a.rejection("session 77 is not agreed")
        assert not running.call(lambda: running.hub._ledger.knows(A, 77))
