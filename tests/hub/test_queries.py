"""The archive's named questions and views answer from what was stored, and from nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from mqtt_hub.archive.queries import components, nodes, sharing, totals, welcome
from mqtt_hub.archive.queries.nodes import NodeRow
from mqtt_hub.archive.schema import integrity
from mqtt_hub.intake import Accepted, Entry
from mqtt_hub.protocol.bodies import HiddenScore
from mqtt_hub.protocol.errors import ArchiveError
from mqtt_hub.protocol.table import MessageType
from tests.hub.archives import Archive
from tests.hub.entries import LATER, NOW, accepted, digest, hello, rejected, result_on, source
from tests.protocol.examples import KIND

CPU = "cpu_scheduling"
NOT_YET = "2026-01-31T12:30:00.000Z"


def submitted(number: int, sender: str = "AI_Node_1", *, seq: int = 0, **body: Any) -> Accepted:
    authors = body.pop("authors", (sender,))
    return accepted(
        MessageType.OS_COMPONENT_SHARE, sender, seq=seq or number, source=source(number), authors=authors,
        parents=body.pop("parents", ()), **body,
    )  # fmt: skip


def score(workload: str, value: float, *, capacity: int = 100) -> HiddenScore:
    number = sum(workload.encode())
    return HiddenScore(
        workload, digest(number), "misses", capacity, 1000, value, 300.0, {"lru": 450.0, "arc": 410.0}, "lru"
    )


def judged(
    number: int, *scores: HiddenScore, by: str = "V1", at: str = NOW, says: int = 1, verdict: str = "accepted",
    kind: str = KIND, target: str = "sqlite", seq: int = 0,
) -> Entry:  # fmt: skip
    """Return a validator's result on AI_Node_1's submission of that number."""
    return result_on(
        submitted(number, kind=kind, target=target), by, at=at, seq=seq or number, hidden=scores, digest=digest(says),
        verdict=verdict,
    )  # fmt: skip


def best(archive: Archive, *kinds: str, limit: int = 9) -> list[tuple[str, str]]:
    found = welcome.best_components(archive.db, kinds or (KIND,), limit=limit)
    return [(component.workload, component.source) for component in found]


def test_trainers_start_from_what_was_submitted_last_for_a_workload_whatever_its_hidden_score(archive: Archive) -> None:
    # Neither the best hidden score nor the verdict that came last: hidden scores must not reach the trainers.
    archive.commit(*(submitted(number) for number in (1, 2, 3, 4)))
    archive.commit(judged(2, score("sqlite", 390.0)))
    archive.commit(judged(1, score("sqlite", 400.0), at=NOT_YET))
    archive.commit(judged(3, score("sqlite", 395.0), at=LATER))
    archive.commit(judged(4, score("sqlite", 10.0), at=LATER, verdict="rejected"))
    assert best(archive) == [("sqlite", "source 3")]


def test_each_workload_and_kind_has_its_own_and_what_was_submitted_last_comes_first(archive: Archive) -> None:
    archive.commit(submitted(1), submitted(2, target="git"), submitted(3, kind=CPU, target="nginx"), submitted(4))
    archive.commit(judged(1, score("sqlite", 400.0), score("git", 500.0)))
    archive.commit(judged(2, score("git", 450.0), at=LATER, target="git"))
    archive.commit(judged(3, score("nginx", 1.0), kind=CPU, target="nginx"))
    assert best(archive) == [("git", "source 2"), ("sqlite", "source 1")]
    assert best(archive, KIND, limit=1) == [("git", "source 2")]
    assert best(archive, CPU) == [("nginx", "source 3")]
    assert best(archive, KIND, CPU)[0] == ("nginx", "source 3")
    assert best(archive, "io_scheduling") == []
    assert welcome.best_components(archive.db, (), limit=9) == ()


def test_values_at_different_capacities_are_not_compared(archive: Archive) -> None:
    archive.commit(submitted(1), submitted(2))
    archive.commit(judged(1, score("sqlite", 400.0, capacity=100)), judged(2, score("sqlite", 90.0, capacity=900)))
    ranked = archive.rows("SELECT capacity, value FROM leaderboard ORDER BY capacity")
    assert ranked == [(100, 400.0), (900, 90.0)]


def test_what_one_validator_says_beside_the_quorum_counts_nowhere(pair: Archive) -> None:
    pair.commit(submitted(1), submitted(2))
    for validator in ("V1", "V2"):
        pair.commit(judged(1, score("sqlite", 400.0), by=validator), judged(2, score("sqlite", 390.0), by=validator))
    pair.commit(judged(1, score("sqlite", 0.0), by="V3", says=9))
    assert best(pair) == [("sqlite", "source 2")]
    assert pair.rows("SELECT value FROM leaderboard") == [(390.0,), (400.0,)]
    assert min(row["value"] for row in components.hidden_results(pair.db)) == 390.0


def test_patterns_come_by_gain_each_expression_once_with_its_best_evidence(archive: Archive) -> None:
    for seq, (expression, gain, uses) in enumerate([("a", 0.1, 1), ("b", 0.3, 2), ("a", 0.5, 3), ("c", 0.2, 4)], 1):
        archive.commit(accepted(MessageType.PATTERN_SHARE, seq=seq, expression=expression, gain=gain, uses=uses))
    archive.commit(accepted(MessageType.PATTERN_SHARE, seq=9, kind=CPU, gain=9.0))
    found = welcome.best_patterns(archive.db, (KIND,), limit=2)
    assert [(pattern.expression, pattern.gain, pattern.uses) for pattern in found] == [("a", 0.5, 3), ("b", 0.3, 2)]


def test_a_validator_is_told_the_oldest_pending_submissions_that_it_has_not_judged(pair: Archive) -> None:
    pair.commit(submitted(1, "AI_Node_2"), submitted(2), submitted(3), submitted(4, kind=CPU), submitted(5))
    pair.commit(judged(2, by="V1"), judged(3, by="V1"), judged(3, by="V2"))
    for validator, numbers in {"V1": [1, 5], "V2": [1, 2, 5], "V3": [1, 2, 5]}.items():
        pending = welcome.pending_components(pair.db, validator, (KIND,), limit=4)
        assert [item.submission.component for item in pending] == [digest(number) for number in numbers]
    first = welcome.pending_components(pair.db, "V1", (KIND,), limit=1)[0]
    assert (first.submitter, first.submission.source) == ("AI_Node_2", "source 1")


def test_a_node_is_told_the_newest_verdicts_on_its_own_submissions_without_hidden_scores(pair: Archive) -> None:
    pair.commit(*(submitted(number) for number in (1, 2, 3, 4)), submitted(5, "AI_Node_2", seq=1))
    for number in (1, 2):
        pair.commit(judged(number, score("sqlite", 390.0)), judged(number, score("sqlite", 390.0), by="V2"))
    others = submitted(5, "AI_Node_2", seq=1)
    pair.commit(*(result_on(others, by, at=NOW, seq=5, digest=digest(1), verdict="accepted") for by in ("V1", "V2")))
    pair.commit(judged(3, says=1), judged(3, by="V2", says=2))
    told = welcome.verdicts_on(pair.db, "AI_Node_1", limit=8)
    assert [(verdict.component, verdict.verdict) for verdict in told] == [
        (digest(3), "disputed"), (digest(2), "accepted"), (digest(1), "accepted"),
    ]  # fmt: skip
    assert {verdict.submitter for verdict in told} == {"AI_Node_1"}
    assert [verdict.reason for verdict in told][:1] == ["validators differ"]
    assert (told[1].agreeing, told[1].dissenting) == (2, 0)
    assert welcome.verdicts_on(pair.db, "AI_Node_1", limit=1) == told[:1]
    assert [verdict.component for verdict in welcome.verdicts_on(pair.db, "AI_Node_2", limit=8)] == [digest(5)]
    assert welcome.verdicts_on(pair.db, "V1", limit=8) == ()


def test_components_come_with_verdict_and_authors_in_the_order_of_submission(archive: Archive) -> None:
    archive.commit(submitted(2, authors=("AI_Node_2", "AI_Node_1")), submitted(1), judged(1))
    found = components.submitted(archive.db)
    assert [(row["id"], row["verdict"], row["authors"]) for row in found] == [
        (digest(2), "pending", ["AI_Node_1", "AI_Node_2"]),
        (digest(1), "accepted", ["AI_Node_1"]),
    ]
    assert totals.components_by_verdict(archive.db) == {"pending": 1, "accepted": 1}


def test_counts_are_of_what_is_there(archive: Archive) -> None:
    assert totals.active_collaborations(archive.db) == 0
    archive.commit(
        accepted(MessageType.PATTERN_SHARE, seq=1),
        accepted(MessageType.CODE_SHARE, seq=2),
        accepted(MessageType.COLLABORATION_REQUEST, seq=3),
        accepted(MessageType.LOG),
        accepted(MessageType.LOG),
        rejected("AI_Node_1", b"x", session=3, seq=4),
        rejected("AI_Node_1", b"x"),
    )
    assert totals.active_collaborations(archive.db) == 1
    assert totals.messages_by_type(archive.db)["LOG"] == 2
    assert totals.rejected(archive.db) == 2
    assert totals.archived_by_node(archive.db) == {"AI_Node_1": (3, 1)}


def test_nodes_are_as_last_seen(archive: Archive) -> None:
    archive.commit(hello("AI_Node_1", session=4, instance="one"), accepted(MessageType.LOG, "AI_Node_2"))
    assert nodes.known(archive.db) == [
        NodeRow("AI_Node_1", "trainer", "memory_management", "", 4, "one"),
        NodeRow("AI_Node_2", "unknown", "", "", 0, ""),
    ]


def test_a_restart_learns_of_every_session_that_has_a_message_with_and_without_a_hello(archive: Archive) -> None:
    archive.commit(hello("a", session=2))
    archive.commit(*(accepted(MessageType.LOG, "a", session=2) for _ in range(2)))
    archive.commit(*(accepted(MessageType.PATTERN_SHARE, "a", session=1, seq=seq) for seq in (1, 2, 4)))
    archive.commit(rejected("a", b"x", session=1, seq=6), rejected("b", b"x", session=5, seq=1), rejected("b", b"x"))
    archive.writer.advance({("a", 1): 2})
    asked = [("a", 1), ("a", 2), ("b", 5), ("b", 6), ("nobody", 1)]
    assert nodes.session_progress(archive.db, asked) == [
        ("a", 1, 2, {4, 6}),
        ("a", 2, 0, set()),
        ("b", 5, 0, {1}),
        ("b", 6, 0, set()),
        ("nobody", 1, 0, set()),
    ]
    assert nodes.newest_sessions(archive.db, ["a", "nobody"], limit=16) == {"a": [2, 1], "nobody": []}
    assert nodes.newest_sessions(archive.db, ["a"], limit=1) == {"a": [2]}


def test_what_is_kept_of_the_rejected_and_what_was_beyond_is_told_by_node(archive: Archive) -> None:
    archive.commit(rejected("a", b"12345", session=1, seq=6), rejected("a", b"x"), rejected("b", b""))
    archive.writer.note_rejected_beyond({"b": 7, "c": 1})
    assert sorted(nodes.rejected_kept(archive.db)) == [("a", 2, 6), ("b", 1, 0)]
    assert nodes.rejected_beyond(archive.db) == {"b": 7, "c": 1}


def test_sessions_of_a_batch_that_failed_are_known_when_it_succeeds(archive: Archive) -> None:
    archive.db.execute("CREATE TRIGGER no BEFORE INSERT ON best_patterns BEGIN SELECT RAISE(ABORT, 'no room'); END")
    batch = [accepted(MessageType.PATTERN_SHARE, "a", session=1, seq=1)]
    with pytest.raises(ArchiveError, match="no room"):
        archive.commit(*batch)
    archive.db.execute("DROP TRIGGER no")
    archive.commit(*batch)
    assert nodes.session_progress(archive.db, [("a", 1)]) == [("a", 1, 0, {1})]


def test_the_file_vouches_for_itself(archive: Archive) -> None:
    archive.commit(submitted(1))
    assert integrity(archive.db.conn) == "ok"


# views


def test_the_leaderboard_ranks_accepted_components_by_hidden_workload_beside_baseline_and_bound(
    archive: Archive,
) -> None:
    archive.commit(submitted(1), submitted(2), submitted(3))
    archive.commit(
        judged(1, score("sqlite", 380.0), score("git", 350.0)),
        judged(2, score("sqlite", 355.0)),
        judged(3, score("sqlite", 1.0), verdict="rejected"),
    )
    columns = (
        "workload, value, best_baseline, best_baseline_value, bound, gap_closed_beyond_best_baseline, submitted_by"
    )
    assert archive.rows(f"SELECT {columns} FROM leaderboard") == [  # noqa: S608 — columns above
        ("git", 350.0, "arc", 410.0, 300.0, 0.5455, "AI_Node_1"),
        ("sqlite", 355.0, "arc", 410.0, 300.0, 0.5, "AI_Node_1"),
        ("sqlite", 380.0, "arc", 410.0, 300.0, 0.2727, "AI_Node_1"),
    ]


def test_who_helped_whom_sums_answers_evaluations_and_programs(archive: Archive) -> None:
    def answer(helper: str, seq: int, status: str, found: str) -> Entry:
        return accepted(
            MessageType.COLLABORATION_RESPONSE, helper, seq=seq, to="AI_Node_1", status=status, evaluations=20,
            source=found, envelope={"correlation_id": "AI_Node_1.r1"},
        )  # fmt: skip

    archive.commit(
        accepted(MessageType.COLLABORATION_REQUEST, "AI_Node_1", envelope={"correlation_id": "AI_Node_1.r1"})
    )
    archive.commit(
        answer("AI_Node_2", 1, "completed", source(1)),
        answer("AI_Node_2", 2, "completed", ""),
        answer("AI_Node_3", 1, "declined", ""),
    )
    assert sharing.helped(archive.db) == [
        {
            "helper": "AI_Node_2", "requester": "AI_Node_1", "kind": KIND, "status": "completed", "answers": 2,
            "evaluations": 40, "components": 1,
        },
        {
            "helper": "AI_Node_3", "requester": "AI_Node_1", "kind": KIND, "status": "declined", "answers": 1,
            "evaluations": 20, "components": 0,
        },
    ]  # fmt: skip


def test_lineage_reaches_from_an_accepted_component_to_its_ancestors_and_ends_in_a_circle(archive: Archive) -> None:
    archive.commit(
        accepted(MessageType.CODE_SHARE, "AI_Node_2", seq=1, source=source(1), parents=(digest(3),)),
        accepted(MessageType.CODE_SHARE, "AI_Node_2", seq=2, source=source(2), parents=(digest(1),)),
        submitted(3, parents=(digest(2),)),
        judged(3),
    )
    line = archive.rows("SELECT generation, ancestor, found_by FROM lineage_of_accepted WHERE generation < 4")
    assert line == [
        (0, digest(3), "AI_Node_1"),
        (1, digest(2), "AI_Node_2"),
        (2, digest(1), "AI_Node_2"),
        (3, digest(3), "AI_Node_1"),
    ]


def test_traffic_is_counted_by_minute_and_type(archive: Archive) -> None:
    entries = [accepted(MessageType.LOG), accepted(MessageType.LOG), accepted(MessageType.LOG, at=LATER)]
    archive.commit(*entries)
    size = len(entries[0].payload)
    assert archive.rows("SELECT * FROM traffic_by_minute") == [
        ("2026-01-31T13:00", "LOG", 1, size),
        ("2026-01-31T12:00", "LOG", 2, 2 * size),
    ]
