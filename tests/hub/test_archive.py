"""The writer: one batch, one transaction, and the rows that people read follow from the messages stored."""

from __future__ import annotations

import sqlite3
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqtt_hub.archive.projections import BEST_PATTERNS_MAX
from mqtt_hub.archive.storing import REJECTED_BYTES_MAX
from mqtt_hub.intake import Entry
from mqtt_hub.protocol.bodies import HiddenScore
from mqtt_hub.protocol.errors import ArchiveError, ProtocolError
from mqtt_hub.protocol.table import TABLE, MessageType
from tests.hub.archives import Archive
from tests.hub.entries import LATER, NOW, accepted, digest, hello, rejected, source
from tests.protocol.examples import DIGEST, KIND

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


# messages


@pytest.mark.parametrize("type_", list(MessageType))
def test_the_example_of_every_type_is_stored_as_it_was_sent(archive: Archive, type_: MessageType) -> None:
    entry = accepted(type_)
    archive.commit(entry)
    row = archive.one("messages")
    assert row["payload"].encode() == entry.payload
    assert (row["type"], row["session"], row["seq"]) == (type_.value, 3, 7 if TABLE[type_].sequenced else None)
    assert (row["scope"] or "", row["received_at"]) == (entry.scope, NOW)
    assert archive.one("nodes")["name"] == entry.message.sender


@pytest.mark.parametrize("type_", [type_ for type_, row in TABLE.items() if row.sequenced])
def test_a_duplicate_is_stored_and_told_once(archive: Archive, type_: MessageType) -> None:
    archive.commit(accepted(type_))
    tables = ["messages", "patterns", "code", "components", "test_results", "hidden_scores", "collaborations"]
    counts = [archive.count(table) for table in tables]
    archive.commit(accepted(type_), accepted(type_))
    assert [archive.count(table) for table in tables] == counts
    assert counts[0] == 1


def test_messages_without_a_seq_are_each_stored(archive: Archive) -> None:
    archive.commit(accepted(MessageType.LOG), accepted(MessageType.LOG))
    assert archive.count("messages") == 2


@given(TEXT, TEXT)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_that_the_protocol_takes_can_be_stored(archive: Archive, text: str, reason: str) -> None:
    archive.db.execute("DELETE FROM messages")
    archive.commit(
        accepted(MessageType.PATTERN_SHARE, expression=text or "x", seq=1),
        accepted(MessageType.LOG, text=reason),
        accepted(MessageType.STATUS, specialization=text),
        accepted(MessageType.TEST_RESULT, reason=reason, c_source=text),
        accepted(MessageType.COLLABORATION_RESPONSE, reason=reason, source=text, seq=2),
    )
    assert archive.count("messages") == 5


def test_the_largest_numbers_that_the_protocol_takes_can_be_stored(archive: Archive) -> None:
    archive.commit(
        accepted(MessageType.PATTERN_SHARE, uses=2**63 - 1, gain=-1e18, session=2**53, seq=2**53),
        accepted(MessageType.COLLABORATION_RESPONSE, evaluations=2**63 - 1),
        rejected("a", b"", session=2**53, seq=2**53),
    )
    assert archive.one("patterns")["uses"] == 2**63 - 1


def test_the_rejected_keep_their_raw_bytes_reason_and_sender(archive: Archive) -> None:
    archive.commit(rejected("AI_Node_1", b"\x00\xff{", session=3, seq=7))
    row = archive.one("rejected")
    assert (row["payload"], row["reason"], row["session"], row["seq"]) == (b"\x00\xff{", "made up", 3, 7)
    assert archive.one("nodes", id=row["node"])["name"] == "AI_Node_1"


def test_the_rejected_without_a_key_are_each_stored_and_those_with_one_once(archive: Archive) -> None:
    keyless, keyed = rejected("a", b"x"), rejected("a", b"x", session=1, seq=1)
    archive.commit(keyless, keyless, keyed, keyed)
    assert archive.count("rejected") == 3


def test_of_a_rejected_message_at_most_so_many_bytes_are_kept(archive: Archive) -> None:
    archive.commit(rejected("a", b"x" * (REJECTED_BYTES_MAX + 1)))
    assert archive.rows("SELECT length(payload) FROM rejected") == [(REJECTED_BYTES_MAX,)]


# transactions


def test_a_failed_batch_leaves_nothing_and_the_next_one_works(archive: Archive) -> None:
    archive.db.execute("CREATE TRIGGER no BEFORE INSERT ON best_patterns BEGIN SELECT RAISE(ABORT, 'no room'); END")
    batch = [accepted(MessageType.LOG, "New_Node"), accepted(MessageType.PATTERN_SHARE, "New_Node")]
    with pytest.raises(ArchiveError, match="no room"):
        archive.commit(*batch)
    assert [archive.count(table) for table in ("nodes", "messages", "patterns")] == [0, 0, 0]
    archive.db.execute("DROP TRIGGER no")
    archive.commit(*batch)
    assert [archive.count(table) for table in ("nodes", "messages", "patterns")] == [1, 2, 1]
    assert archive.one("nodes")["id"] == archive.one("patterns")["node"]


def test_a_full_disk_is_told_and_what_could_not_be_written_can_be_written_later(archive: Archive) -> None:
    archive.commit(accepted(MessageType.LOG))
    pages = archive.rows("PRAGMA page_count")[0][0]
    archive.db.execute(f"PRAGMA max_page_count = {pages}")
    batch = [accepted(MessageType.CODE_SHARE, seq=seq, source="x" * 8000) for seq in range(1, 20)]
    with pytest.raises(ArchiveError, match="full") as caught:
        archive.commit(*batch)
    assert "disk is full" in caught.value.hint
    archive.db.execute("PRAGMA max_page_count = 1000000")
    archive.commit(*batch)
    assert archive.count("code") == 19


def test_a_writer_beside_it_delays_a_batch_and_loses_nothing(archive: Archive) -> None:
    archive.db.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(archive.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ArchiveError, match="locked"):
        archive.commit(accepted(MessageType.LOG))
    for write in (lambda: archive.writer.advance({("a", 1): 1}), lambda: archive.writer.expire_collaborations(NOW)):
        with pytest.raises(ArchiveError, match="locked"):
            write()
    other.execute("ROLLBACK")
    other.close()
    archive.commit(accepted(MessageType.LOG))
    assert archive.count("messages") == 1


def test_a_fault_of_our_own_leaves_no_transaction_open(archive: Archive) -> None:
    with pytest.raises(AttributeError):
        archive.commit(accepted(MessageType.LOG), None)  # type: ignore[arg-type]
    assert archive.count("messages") == 0
    archive.commit(accepted(MessageType.LOG))
    assert archive.count("messages") == 1


# nodes and sessions


def test_a_hello_notes_who_the_node_is_and_the_session_it_was_granted(archive: Archive) -> None:
    archive.commit(hello("AI_Node_1", session=4, specialization="io_scheduling", instance="one"))
    node = archive.one("nodes")
    assert (node["role"], node["specialization"], node["session"], node["instance"]) == (
        "trainer", "io_scheduling", 4, "one",
    )  # fmt: skip
    assert orjson.loads(node["kinds"]) == [KIND]
    assert (archive.one("sessions")["session"], archive.one("sessions")["upto"]) == (4, 0)


def test_presence_follows_status_unless_it_is_of_an_earlier_session(archive: Archive) -> None:
    archive.commit(hello("AI_Node_1", session=4), accepted(MessageType.STATUS, "AI_Node_1", session=4))
    assert archive.one("nodes")["state"] == "ready"
    archive.commit(accepted(MessageType.STATUS, "AI_Node_1", session=3, state="lost"))
    assert archive.one("nodes")["state"] == "ready"
    archive.commit(accepted(MessageType.STATUS, "AI_Node_1", session=4, state="lost"))
    assert archive.one("nodes")["state"] == "lost"


def test_each_start_of_the_hub_has_a_session_of_its_own_and_finds_nobody_connected(archive: Archive) -> None:
    archive.commit(hello("AI_Node_1", session=4), accepted(MessageType.STATUS, "AI_Node_1", session=4))
    assert [archive.writer.new_hub_session(NOW), archive.writer.new_hub_session(NOW)] == [1, 2]
    assert archive.one("nodes", name="AI_Node_1")["state"] == "lost"
    assert archive.one("nodes", name="hub")["state"] == "ready"


def test_how_far_a_session_is_gapless_only_moves_where_it_is_told(archive: Archive) -> None:
    archive.commit(hello("a", session=1))
    archive.writer.advance({("a", 1): 5, ("b", 2): 7})
    archive.writer.advance({("a", 1): 6})
    named = "SELECT n.name, s.session, s.upto FROM sessions s JOIN nodes n ON n.id = s.node ORDER BY 1"
    assert archive.rows(named) == [("a", 1, 6), ("b", 2, 7)]


# knowledge


def test_a_pattern_is_told_with_its_evidence(archive: Archive) -> None:
    archive.commit(accepted(MessageType.PATTERN_SHARE))
    row = archive.one("patterns")
    assert (row["function"], row["expression"], row["unit"], row["gain"], row["uses"]) == (
        "on_hit", "mark + 1", "free", 0.01, 2,
    )  # fmt: skip


def test_of_each_kind_the_best_patterns_are_kept_each_once_and_all_can_be_read(archive: Archive) -> None:
    shares = [
        accepted(MessageType.PATTERN_SHARE, seq=seq, expression=f"mark + {seq}", gain=float(seq))
        for seq in range(1, BEST_PATTERNS_MAX + 11)
    ]
    archive.commit(*shares[:40])
    archive.commit(*shares[40:])
    archive.commit(
        accepted(MessageType.PATTERN_SHARE, seq=200, expression="mark + 20", gain=99.0, uses=5),
        accepted(MessageType.PATTERN_SHARE, seq=201, expression="mark + 20", gain=98.0, uses=6),
        accepted(MessageType.PATTERN_SHARE, seq=202, expression="mark + 1", gain=1.0),
        accepted(MessageType.PATTERN_SHARE, seq=203, kind="cpu_scheduling", gain=-5.0),
    )
    assert archive.count("patterns") == archive.count("messages") == BEST_PATTERNS_MAX + 14
    best = archive.rows("SELECT expression, gain, uses FROM best_patterns WHERE kind != 'cpu_scheduling' ORDER BY 2")
    assert len(best) == BEST_PATTERNS_MAX
    assert best[0][:2] == ("mark + 11", 11.0)
    assert best[-1] == ("mark + 20", 99.0, 5)
    assert archive.one("best_patterns", kind="cpu_scheduling")["gain"] == -5.0


def test_shared_code_is_told_with_authors_and_parents(archive: Archive) -> None:
    archive.commit(accepted(MessageType.CODE_SHARE, source=source(2), parents=(digest(1), digest(2))))
    row = archive.one("code")
    assert (row["source"], orjson.loads(row["authors"])) == (source(2), ["AI_Node_1"])
    assert archive.rows("SELECT component, parent FROM lineage") == [(digest(2), digest(1))]


def test_a_submission_is_pending_and_the_first_submitter_stays(archive: Archive) -> None:
    archive.commit(accepted(MessageType.OS_COMPONENT_SHARE, "AI_Node_1"))
    archive.commit(accepted(MessageType.OS_COMPONENT_SHARE, "AI_Node_2", authors=("AI_Node_2",)))
    row = archive.one("components")
    assert (row["verdict"], row["target"], row["submitted_at"]) == ("pending", "sqlite", NOW)
    assert archive.one("nodes", id=row["node"])["name"] == "AI_Node_1"
    assert archive.rows("SELECT author FROM component_authors") == [("AI_Node_1",)], "nobody joins by sending it again"


def test_a_verdict_is_told_with_every_score_beside_the_best_baseline_and_the_picked_one(archive: Archive) -> None:
    archive.commit(accepted(MessageType.OS_COMPONENT_SHARE), accepted(MessageType.TEST_RESULT, at=LATER))
    component = archive.one("components")
    assert (component["verdict"], component["reason"], component["judged_at"]) == (
        "accepted", "every test passed", LATER,
    )  # fmt: skip
    assert component["c_source"] == "static s64 on_insert(void)"
    score = archive.one("hidden_scores")
    assert (score["value"], score["bound"], score["best_baseline"], score["best_baseline_value"]) == (
        400.0, 300.0, "arc", 410.0,
    )  # fmt: skip
    assert (score["picked"], score["picked_value"], orjson.loads(score["baselines"])["lru"]) == ("arc", 410.0, 450.0)


def test_a_score_without_baselines_has_no_best_one(archive: Archive) -> None:
    score = HiddenScore("sqlite", DIGEST, "misses", 100, 1000, 400.0, 300.0, {}, "arc")
    archive.commit(accepted(MessageType.TEST_RESULT, hidden=(score,)))
    row = archive.one("hidden_scores")
    assert (row["best_baseline"], row["best_baseline_value"], row["picked_value"]) == ("", None, None)


def test_a_verdict_that_overtook_its_submission_counts_when_the_submission_is_there(archive: Archive) -> None:
    archive.commit(accepted(MessageType.TEST_RESULT))
    archive.commit(accepted(MessageType.OS_COMPONENT_SHARE))
    assert archive.one("components")["verdict"] == "accepted"


def test_a_rejection_is_a_verdict_with_its_reason(archive: Archive) -> None:
    archive.commit(
        accepted(MessageType.OS_COMPONENT_SHARE),
        accepted(MessageType.TEST_RESULT, verdict="not_reproduced", reason="399 misses, not 400", hidden=()),
    )
    row = archive.one("components")
    assert (row["verdict"], row["reason"]) == ("not_reproduced", "399 misses, not 400")


def verdict(validator: str, *, seq: int = 1, **body: Any) -> Entry:
    return accepted(MessageType.TEST_RESULT, validator, seq=seq, **body)


def test_two_validators_with_one_digest_make_a_quorum_of_two(pair: Archive) -> None:
    pair.commit(accepted(MessageType.OS_COMPONENT_SHARE), verdict("V1"), verdict("V1", seq=2))
    assert pair.one("components")["verdict"] == "pending"
    pair.commit(verdict("V2"))
    assert pair.one("components")["verdict"] == "accepted"


def test_two_validators_with_different_digests_make_no_quorum_until_a_third_agrees_with_one(pair: Archive) -> None:
    pair.commit(
        accepted(MessageType.OS_COMPONENT_SHARE),
        verdict("V1", digest=digest(1)),
        verdict("V2", digest=digest(2), verdict="rejected"),
    )
    assert pair.one("components")["verdict"] == "disputed"
    pair.commit(verdict("V3", digest=digest(2), verdict="rejected"))
    assert pair.one("components")["verdict"] == "rejected"


def test_what_a_quorum_has_said_stands_when_as_many_say_otherwise_later(archive: Archive) -> None:
    archive.commit(accepted(MessageType.OS_COMPONENT_SHARE), verdict("V2", digest=digest(9)))
    archive.commit(verdict("V1", digest=digest(1), verdict="rejected"))
    assert archive.one("components")["verdict"] == "accepted"


# collaborations


def ask(name: str = "AI_Node_1.r1", *, sender: str = "AI_Node_1", expires_at: str = LATER, seq: int = 1) -> Entry:
    return accepted(
        MessageType.COLLABORATION_REQUEST, sender, seq=seq, envelope={"correlation_id": name, "expires_at": expires_at}
    )


def reply(
    status: str,
    name: str = "AI_Node_1.r1",
    *,
    sender: str = "AI_Node_2",
    to: str = "AI_Node_1",
    seq: int = 1,
    at: str = NOW,
) -> Entry:
    return accepted(
        MessageType.COLLABORATION_RESPONSE, sender, seq=seq, to=to, at=at, envelope={"correlation_id": name},
        status=status,
    )  # fmt: skip


def state(archive: Archive) -> str:
    return str(archive.one("collaborations")["state"])


def test_a_collaboration_goes_from_open_to_accepted_to_completed(archive: Archive) -> None:
    archive.commit(ask())
    assert state(archive) == "open"
    archive.commit(reply("accepted"))
    assert state(archive) == "accepted"
    archive.commit(reply("completed", seq=2, at="2026-01-31T12:00:09.000Z"))
    row = archive.one("collaborations")
    assert (row["state"], row["ended_at"]) == ("completed", "2026-01-31T12:00:09.000Z")
    assert archive.writer.expire_collaborations("2030-01-01T00:00:00.000Z") == 0
    assert archive.rows("SELECT status, evaluations FROM collaboration_answers") == [
        ("accepted", 50),
        ("completed", 50),
    ]


def test_an_accepted_collaboration_that_brings_nothing_expires_at_its_time_and_not_before(archive: Archive) -> None:
    archive.commit(ask(), reply("accepted"))
    assert archive.writer.expire_collaborations("2026-01-31T12:59:59.999Z") == 0
    assert archive.writer.expire_collaborations(LATER) == 1
    assert (state(archive), archive.one("collaborations")["ended_at"]) == ("expired", LATER)


def test_a_collaboration_that_all_who_answered_declined_ends_as_declined(archive: Archive) -> None:
    archive.commit(ask(), reply("declined"), reply("declined", sender="AI_Node_3"))
    assert state(archive) == "open"
    archive.writer.expire_collaborations(LATER)
    assert state(archive) == "declined"


def test_a_collaboration_that_nobody_answered_expires(archive: Archive) -> None:
    archive.commit(ask())
    archive.writer.expire_collaborations(LATER)
    assert state(archive) == "expired"


def test_a_result_that_comes_too_late_is_kept_and_the_collaboration_stays_expired(archive: Archive) -> None:
    archive.commit(ask())
    archive.writer.expire_collaborations(LATER)
    archive.commit(reply("completed"))
    assert state(archive) == "expired"
    assert archive.count("collaboration_answers") == 1


def test_a_request_that_names_no_end_ends_after_an_hour(archive: Archive) -> None:
    archive.commit(ask(expires_at=""))
    assert archive.writer.expire_collaborations("2026-01-31T13:00:00.999Z") == 0
    assert archive.writer.expire_collaborations("2026-01-31T13:00:01.000Z") == 1


def test_an_answer_to_nobodys_request_is_kept_as_a_message_and_counts_as_no_collaboration(archive: Archive) -> None:
    archive.commit(ask(), reply("completed", "AI_Node_1.r2"), reply("completed", "AI_Node_1.r1", seq=2, to="AI_Node_3"))
    assert state(archive) == "open"
    assert (archive.count("collaboration_answers"), archive.count("messages")) == (0, 3)


def test_nobody_takes_anothers_request_away_by_its_name(archive: Archive) -> None:
    with pytest.raises(ProtocolError, match="a request of AI_Node_3 is named AI_Node_3"):
        ask(sender="AI_Node_3")
    archive.commit(ask(), ask("AI_Node_3.r1", sender="AI_Node_3"), reply("completed"))
    assert archive.rows("SELECT n.name, c.state FROM collaborations c JOIN nodes n ON n.id = c.requester") == [
        ("AI_Node_1", "completed"),
        ("AI_Node_3", "open"),
    ]
