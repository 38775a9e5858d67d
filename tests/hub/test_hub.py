"""A real hub and real clients: who is greeted, what is archived, what is receipted, what is told of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from mqtt_hub.home import Home
from mqtt_hub.ledger import AHEAD_MAX
from mqtt_hub.protocol.bodies import Rejection, SeqRange, SessionReceipt, Status
from mqtt_hub.protocol.codec import encode
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import TABLE, MessageType
from tests.hub.entries import accepted, digest, source
from tests.hub.harness import RawClient, RunningHub, hub_on, make_home, until
from tests.protocol.examples import DIGEST, KIND, message

A, B, V = "AI_Node_1", "AI_Node_2", "Validator_1"
PATTERN, CODE, RESULT = MessageType.PATTERN_SHARE, MessageType.CODE_SHARE, MessageType.TEST_RESULT
SHARE = MessageType.OS_COMPONENT_SHARE


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", {A: "trainer", B: "trainer", V: "validator"})


@pytest.fixture
def running(home: Home) -> Iterator[RunningHub]:
    with hub_on(home) as hub:
        yield hub


@pytest.fixture
def a(running: RunningHub) -> Iterator[RawClient]:
    with RawClient(running, A) as client:
        yield client


@pytest.fixture
def b(running: RunningHub) -> Iterator[RawClient]:
    with RawClient(running, B) as client:
        yield client


@pytest.fixture
def v(running: RunningHub) -> Iterator[RawClient]:
    with RawClient(running, V, role="validator") as client:
        yield client


KEYS = "SELECT session, seq FROM messages WHERE seq IS NOT NULL ORDER BY session, seq"
REJECTED = (
    "SELECT n.name, r.session, r.seq, r.topic, r.reason, r.payload FROM rejected r JOIN nodes n ON n.id = r.node"
    " ORDER BY r.id"
)


# greeting


def test_a_hello_is_answered_with_the_session_and_where_to_start_from(running: RunningHub, a: RawClient) -> None:
    sync = a.greet(session=5)
    assert (sync.accepted, sync.session, sync.receipts, sync.peers, sync.best) == (True, 5, (), (), ())
    assert running.rows("SELECT name, role, session FROM nodes WHERE name = ?", A) == [(A, "trainer", 5)]


def test_an_answer_carries_the_correlation_of_its_hello(a: RawClient) -> None:
    a.say(MessageType.HELLO, role="trainer", session=1)
    assert a.expect(MessageType.TRAINING_SYNC).correlation_id == message(MessageType.HELLO).correlation_id


def test_a_hello_in_a_role_that_is_not_the_accounts_is_refused_with_the_reason(
    running: RunningHub, a: RawClient
) -> None:
    sync = a.greet(role="validator")
    assert (sync.accepted, sync.session, sync.reason) == (False, 0, "this account is a trainer, not a validator")
    ((name, _session, seq, _topic, reason, _payload),) = running.rows(REJECTED)
    assert (name, seq, reason) == (A, None, sync.reason)
    a.say(PATTERN, seq=1, session=1)
    a.rejection("session 1 is not agreed")


def test_peers_are_told_of_each_other(a: RawClient, v: RawClient) -> None:
    a.greet()
    a.say(MessageType.STATUS).wait_for_publish(20)
    (peer,) = v.greet().peers
    assert (peer.name, peer.role, peer.specialization, peer.state) == (A, "trainer", "memory_management", "ready")


def test_the_hub_tells_where_to_resume(a: RawClient) -> None:
    a.greet(session=2)
    for seq in (1, 2, 4):
        a.say(PATTERN, seq=seq)
    a.expect(MessageType.RECEIPT, lambda receipt: receipt.committed.highest == 4)
    assert a.greet(session=2).receipts == (SessionReceipt(2, 2, 4, (SeqRange(3, 3),)),)
    sync = a.greet(session=1, instance="another")
    assert sync.session == 3
    assert [receipt.session for receipt in sync.receipts] == [2]


def submission_of(sender: str, number: int) -> str:
    return submission_id(sender, accepted(SHARE, sender, source=source(number)).message.body)


def test_a_start_has_what_was_found_and_a_validator_what_waits(a: RawClient, b: RawClient, v: RawClient) -> None:
    a.greet()
    a.say(PATTERN, seq=1)
    a.say(SHARE, seq=2, source=source(1))
    a.say(SHARE, seq=3, source=source(2))
    a.receipt(3)
    assert [item.submission.source for item in v.greet().pending] == [source(1), source(2)]
    v.say(RESULT, seq=1, component=digest(1), submission=submission_of(A, 1))
    v.receipt(1)
    assert [item.submission.source for item in v.greet().pending] == [source(2)]
    sync = b.greet()
    assert [component.source for component in sync.best] == [source(1)]
    assert [pattern.expression for pattern in sync.patterns] == ["mark + 1"]
    assert sync.pending == ()


def test_an_answer_too_long_for_one_message_is_shortened_and_sent(a: RawClient, v: RawClient) -> None:
    a.greet()
    for seq in range(1, 5):
        a.say(SHARE, seq=seq, source="\x01" * 8000 + source(seq))  # 48 000 bytes in JSON
    a.receipt(4)
    sync = v.greet()
    assert sync.accepted
    assert len(sync.pending) == 1


# receipts


def test_what_a_receipt_covers_is_in_the_archive_when_the_receipt_arrives(running: RunningHub, a: RawClient) -> None:
    a.greet()
    for seq in range(1, 31):
        a.say(PATTERN, seq=seq)
        committed = a.receipt(seq).committed
        there = {stored for _session, stored in running.rows(KEYS)}
        assert set(range(1, committed.upto + 1)) <= there


def test_a_puback_means_archived(running: RunningHub, a: RawClient) -> None:
    a.greet()
    for seq in range(1, 11):
        a.say(PATTERN, seq=seq).wait_for_publish(20)
        assert (1, seq) in running.rows(KEYS)


def test_a_gap_is_asked_for_and_closed(a: RawClient) -> None:
    a.greet()
    for seq in (1, 2, 5, 7):
        a.say(PATTERN, seq=seq)
    receipt = a.expect(MessageType.RECEIPT, lambda receipt: receipt.committed.highest == 7).body
    assert receipt.committed == SessionReceipt(1, 2, 7, (SeqRange(3, 4), SeqRange(6, 6)))
    for seq in (6, 3, 4):
        a.say(PATTERN, seq=seq)
    assert a.receipt(7).committed == SessionReceipt(1, 7, 7)


def test_a_duplicate_is_receipted_again_and_stored_once(running: RunningHub, a: RawClient) -> None:
    a.greet()
    a.say(PATTERN, seq=1)
    a.receipt(1)
    a.say(PATTERN, seq=1)
    a.receipt(1)
    assert running.rows(KEYS) == [(1, 1)]
    assert running.rows("SELECT count(*) FROM patterns") == [(1,)]


def test_what_is_left_of_an_earlier_session_is_taken_after_the_next_hello(running: RunningHub, a: RawClient) -> None:
    a.greet(session=3)
    a.say(PATTERN, seq=1, session=2)
    assert a.receipt(1, session=2).committed == SessionReceipt(2, 1, 1)
    assert running.rows(KEYS) == [(2, 1)]


def test_what_needs_no_receipt_is_archived_too(running: RunningHub, a: RawClient) -> None:
    a.greet()
    a.say(MessageType.LOG, text="one line")
    a.say(MessageType.PROGRESS)
    a.say(MessageType.STATUS)
    running.until(lambda status: {"LOG", "PROGRESS", "STATUS"} <= set(status["messages"]["by_type"]))
    ((payload,),) = running.rows("SELECT payload FROM messages WHERE type = 'LOG'")
    assert orjson.loads(payload)["body"]["text"] == "one line"


def test_every_receipt_and_answer_of_the_hub_is_archived_too(running: RunningHub, a: RawClient) -> None:
    a.greet()
    a.say(PATTERN, seq=1)
    a.receipt(1)
    running.until(lambda status: {"RECEIPT", "TRAINING_SYNC"} <= set(status["messages"]["by_type"]))
    senders = running.rows(
        "SELECT DISTINCT n.name FROM messages m JOIN nodes n ON n.id = m.node"
        " WHERE m.type IN ('RECEIPT', 'TRAINING_SYNC')"
    )
    assert senders == [("hub",)]


# rejected


def test_a_message_before_hello_is_rejected_with_the_reason_and_can_be_sent_again_after_it(
    running: RunningHub, a: RawClient
) -> None:
    a.say(PATTERN, seq=1, session=1)
    (rejection,) = a.rejection("session 1 is not agreed: send HELLO first").rejected
    assert (rejection.session, rejection.seq) == (1, 1)
    a.greet()
    a.say(PATTERN, seq=1)
    assert a.receipt(1).rejected == ()
    assert running.rows(KEYS) == [(1, 1)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "envelope: no JSON"),
        (b"\xff\xfe\x00 no text", "envelope: no JSON"),
        (b'{"v":1}', "type: expected a message type"),
        (b"[" * 5000, "envelope: no JSON"),
        (b"x" * 200_000, "envelope: 200000 bytes, at most 98304"),
    ],
    ids=["empty", "bytes", "short", "deep", "oversized"],
)
def test_what_is_no_message_is_archived_with_its_raw_bytes_and_its_sender_told(
    running: RunningHub, a: RawClient, payload: bytes, reason: str
) -> None:
    a.greet()
    topic = f"kernel/v1/pattern_share/{A}/{KIND}"
    a.publish(topic, payload).wait_for_publish(20)
    (rejection,) = a.rejection(reason).rejected
    assert (rejection.session, rejection.seq) == (0, 0)
    ((name, session, seq, stored_topic, stored_reason, stored),) = running.rows(REJECTED)
    assert (name, session, seq, stored_topic, stored_reason, stored) == (
        A, None, None, topic, rejection.reason, payload,
    )  # fmt: skip


def test_an_oversized_message_uses_up_its_key_so_that_its_sender_need_not_send_it_for_ever(
    running: RunningHub, a: RawClient
) -> None:
    a.greet()
    topic, payload = a.composed(PATTERN, seq=1)
    a.publish(topic, payload[:-1] + b',"padding":"' + b"x" * 100_000 + b'"}')
    receipt = a.receipt(1)
    assert receipt.rejected[0].seq == 1
    assert "at most 98304" in receipt.rejected[0].reason
    assert running.rows("SELECT session, seq FROM rejected") == [(1, 1)]


def test_a_rejected_message_that_comes_again_is_told_again_and_stored_once(running: RunningHub, a: RawClient) -> None:
    a.greet()
    topic, payload = a.composed(PATTERN, seq=1)
    for _ in range(3):
        a.publish(topic, payload.replace(b'"v":1', b'"v":9'))
        assert a.rejection("v: expected protocol version 1").committed == SessionReceipt(1, 1, 1)
    assert running.rows("SELECT session, seq FROM rejected") == [(1, 1)]


def test_another_message_under_a_used_key_is_kept_beside_it_and_counts_as_none(
    running: RunningHub, a: RawClient
) -> None:
    a.greet()
    topic, payload = a.composed(PATTERN, seq=1)
    a.publish(topic, payload)
    a.receipt(1)
    a.publish(topic, payload.replace(b'"v":1', b'"v":9'))
    a.rejection("v: expected protocol version 1")
    assert running.rows(KEYS) == [(1, 1)]
    assert running.rows("SELECT session, seq FROM rejected") == [(1, None)]


def test_a_publish_in_anothers_name_is_archived_under_the_account_that_sent_it_and_reaches_nobody(
    running: RunningHub, a: RawClient, b: RawClient
) -> None:
    a.greet()
    b.greet()
    topic, payload = b.composed(PATTERN, seq=1)
    a.publish(topic, payload).wait_for_publish(20)
    (rejection,) = a.rejection(f"access: {A} may not publish as {B}").rejected
    assert (rejection.session, rejection.seq) == (0, 0)  # the key in it is not the sender's
    assert [row[:4] for row in running.rows(REJECTED)] == [(A, None, None, topic)]
    b.say(PATTERN, seq=1)
    assert b.receipt(1).rejected == ()
    assert running.rows(KEYS) == [(1, 1)]


def test_a_senders_name_in_the_envelope_that_is_not_the_topics_is_rejected(running: RunningHub, a: RawClient) -> None:
    a.greet()
    topic, _ = a.composed(PATTERN, seq=1)
    a.publish(topic, encode(replace(message(PATTERN, B, session=1, seq=1))))
    a.rejection(f"sender: {B} came on a topic of {A}")
    assert running.rows(KEYS) == []


def test_a_type_that_is_not_for_the_role_is_rejected_under_its_key(running: RunningHub, a: RawClient) -> None:
    a.greet()
    a.say(RESULT, seq=1)
    receipt = a.rejection("access: a trainer may not publish TEST_RESULT")
    assert receipt.committed == SessionReceipt(1, 1, 1)
    assert running.rows("SELECT count(*) FROM test_results") == [(0,)]


def test_a_share_may_not_be_retained(running: RunningHub, a: RawClient) -> None:
    a.greet()
    a.publish(*a.composed(PATTERN, seq=1), retain=True)
    a.rejection("PATTERN_SHARE may not be retained")
    assert running.status()["broker"]["retained_messages"] == 2  # the hub's own status and its broker's


def test_a_will_in_anothers_name_is_turned_away_at_the_door(running: RunningHub) -> None:
    dead = encode(replace(message(MessageType.STATUS, A), body=Status("lost", 9, "trainer")))
    with RawClient(running, B, will=(f"kernel/v1/status/{A}", dead)) as b:
        assert b.code != 0
    assert running.status()["broker"]["sessions"] == 0


def test_a_seq_too_far_ahead_is_rejected_without_using_it_up(a: RawClient) -> None:
    a.greet()
    a.say(PATTERN, seq=AHEAD_MAX + 1)
    (rejection,) = a.rejection("too far beyond").rejected
    assert rejection.seq == AHEAD_MAX + 1
    a.say(PATTERN, seq=1)
    a.receipt(1)
    a.say(PATTERN, seq=AHEAD_MAX + 1)
    receipt = a.expect(MessageType.RECEIPT, lambda receipt: receipt.committed.highest == AHEAD_MAX + 1).body
    assert receipt.committed.missing == (SeqRange(2, AHEAD_MAX),)


def test_a_burst_of_rejections_is_archived_whole_and_named_as_far_as_a_receipt_holds(
    running: RunningHub, a: RawClient
) -> None:
    a.greet()
    for _ in range(100):
        a.publish(f"kernel/v1/pattern_share/{A}/{KIND}", b"no message")
    running.until(lambda status: status["messages"]["rejected"] == 100)
    assert running.rows("SELECT count(*) FROM rejected") == [(100,)]
    named: list[Rejection] = []
    for receipt in a.heard(MessageType.RECEIPT):
        assert len(receipt.body.rejected) <= 32
        named += receipt.body.rejected
    assert named


STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 2**53, 2**63 - 1, -(2**63), 2**64 - 1, 1e308, "", "\x00", "\x1b[2J", "\U0001f600" * 30,
    "x" * 9000, [], {}, [[]] * 40, {"": ""}, "9999-12-31T23:59:59.999Z", "0000-01-01T00:00:00.000Z", "' OR 1=1 --",
)  # fmt: skip


def strangely(rng: random.Random, value: Any) -> Any:
    """Return the JSON value with one of its parts replaced by something strange."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        return value | {key: strangely(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return [*value[:at], strangely(rng, value[at]), *value[at + 1 :]]
    return rng.choice(STRANGE)


def test_nothing_that_a_node_can_send_stops_the_hub_and_each_message_is_archived(
    running: RunningHub, a: RawClient, b: RawClient, v: RawClient
) -> None:
    rng = random.Random(5)
    sent = 0
    for client in (a, v):
        client.greet()
        acknowledged = []
        for type_ in [type_ for type_, row in TABLE.items() if client.role in row.publishers] * 25:
            sent += 1
            topic, payload = client.composed(type_, seq=sent, to=A)
            acknowledged.append(client.publish(topic, orjson.dumps(strangely(rng, orjson.loads(payload)))))
        for info in acknowledged:
            info.wait_for_publish(20)
            assert info.is_published()
    kinds = "SELECT count(*) FROM {} m JOIN nodes n ON n.id = m.node WHERE n.name != 'hub'"
    accepted, rejected = (running.rows(kinds.format(table))[0][0] for table in ("messages", "rejected"))
    assert accepted + rejected == sent + 2  # and HELLO of each
    assert accepted > 10
    assert rejected > 100
    b.greet()
    b.say(PATTERN, seq=1)
    b.receipt(1)


def test_an_observer_that_publishes_is_rejected_like_everybody(running: RunningHub) -> None:
    with RawClient(running, "observer", role="observer", filters=["kernel/v1/#"]) as observer:
        observer.publish("kernel/v1/hello/observer", b"x").wait_for_publish(20)
        observer.rejection("access: a observer may not publish HELLO")


@pytest.mark.parametrize(
    "type_", [type_ for type_, row in TABLE.items() if not row.publishers & {"trainer", "validator"}]
)
def test_nobody_speaks_for_the_hub(running: RunningHub, a: RawClient, type_: MessageType) -> None:
    a.greet()
    made = replace(message(type_), sender=A)
    last = A if type_ in (MessageType.RECEIPT, MessageType.TRAINING_SYNC) else KIND
    for sender in ("hub", A):
        a.publish(f"kernel/v1/{type_.lower()}/{sender}/{last}", encode(replace(made, sender=sender)))
    running.until(lambda status: status["messages"]["rejected"] == 2)
    assert all(name == A and reason.startswith("access:") for name, _, _, _, reason, _ in running.rows(REJECTED))


# presence and status


def test_a_dead_node_is_told_lost_by_its_will_and_a_late_will_of_an_earlier_session_counts_for_nothing(
    running: RunningHub,
) -> None:
    def will(session: int) -> tuple[str, bytes]:
        dead = replace(message(MessageType.STATUS, A, session=session), body=Status("lost", session, "trainer"))
        return f"kernel/v1/status/{A}", encode(dead)

    with RawClient(running, A, will=will(4)) as first:
        first.greet(session=4)
        first.say(MessageType.STATUS)
        running.until(lambda status: A in status["connected_nodes"])
        with RawClient(running, A, will=will(5)) as second:  # takes over: the will of session 4 fires
            second.greet(session=5, instance="another")
            second.say(MessageType.STATUS).wait_for_publish(20)
            until(lambda: running.rows("SELECT 1 FROM messages WHERE session = 4 AND payload LIKE '%\"lost\"%'"))
            assert running.status()["connected_nodes"] == {A: "memory_management"}
            second.drop()
        running.until(lambda status: status["connected_nodes"] == {})
    until(lambda: running.rows("SELECT state FROM nodes WHERE name = ?", A) == [("lost",)])


def test_the_status_says_who_is_there_what_passed_and_what_is_known(
    running: RunningHub, a: RawClient, v: RawClient
) -> None:
    a.greet()
    a.say(MessageType.STATUS)
    v.greet()
    a.say(PATTERN, seq=1)
    a.say(CODE, seq=2)
    a.say(SHARE, seq=3)
    a.say(MessageType.COLLABORATION_REQUEST, seq=4)
    a.publish(f"kernel/v1/log/{A}/info", b"no message")
    v.say(RESULT, seq=1, component=DIGEST)
    status = running.until(lambda status: status["components"] == {"accepted": 1})
    assert (status["state"], status["port"]) == ("running", running.port)
    assert (status["connected"], status["connected_nodes"]) == (1, {A: "memory_management"})
    assert status["nodes_known"] == 2
    assert (status["patterns"], status["code"]) == (1, 1)
    assert status["active_collaborations"] == 1
    assert status["messages"]["rejected"] == 1
    assert status["messages"]["by_type"]["PATTERN_SHARE"] == 1
    assert status["messages"]["accepted"] == sum(status["messages"]["by_type"].values())
    assert status["messages"]["per_second"] > 0
    assert status["uptime_s"] > 0
    assert status["archive_bytes"] > 4096
    assert status["broker"]["connections"] == 2
    stored = running.rows("SELECT count(*) FROM messages WHERE type != 'STATUS' AND type != 'RECEIPT'")[0][0]
    by_type = running.status()["messages"]["by_type"]
    assert stored == sum(count for type_, count in by_type.items() if type_ not in ("STATUS", "RECEIPT"))


def test_the_hubs_status_is_retained_and_reads_as_get_hub_status_does(running: RunningHub, a: RawClient) -> None:
    status = a.expect(MessageType.STATUS).body
    assert (status.state, status.role) == ("ready", "hub")
    assert set(orjson.loads(status.hub)) == set(running.status())
    topic, _, retained = next(item for item in a.raw if item[0] == "kernel/v1/status/hub")
    assert retained, topic


def test_thousands_of_nodes_do_not_burst_the_status(running: RunningHub) -> None:
    def crowd() -> None:
        for number in range(3000):
            node = f"A_rather_long_name_of_a_small_machine_{number}"
            running.hub._registry.note_status(node, 1, Status("ready", 1, "trainer", "\x01" * 64))

    running.call(crowd)
    with RawClient(running, "observer", role="observer", filters=["kernel/v1/status/hub"]) as observer:
        told = observer.expect(MessageType.STATUS, lambda body: orjson.loads(body.hub)["connected"] == 3000).body
    shown = orjson.loads(told.hub)["connected_nodes"]
    assert 50 <= len(shown) < 3000
    assert len(running.status()["connected_nodes"]) == 3000
