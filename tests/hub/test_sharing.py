"""The archive's questions about what was shared answer from what was stored, whoever boasts."""

from __future__ import annotations

from typing import Any

from mqtt_hub.archive.queries import sharing
from mqtt_hub.intake import Accepted
from mqtt_hub.protocol.table import MessageType
from tests.dashboard.story import score, submission, verdict
from tests.hub.archives import Archive
from tests.hub.entries import accepted, digest, hello, source
from tests.protocol.examples import KIND

HIDDEN = digest(500)  # of the workload that `score` is about


def code(sender: str, number: int, *, seq: int, **body: Any) -> Accepted:
    made = {"authors": (sender,), "parents": ()} | body
    return accepted(MessageType.CODE_SHARE, sender, seq=seq, source=source(number), **made)


def test_a_program_counts_once_for_a_pair_however_often_it_is_shared(archive: Archive) -> None:
    both = ("A", "B")
    archive.commit(
        code("B", 1, seq=1, authors=both), code("B", 1, seq=2, authors=both), code("B", 2, seq=3, authors=both)
    )
    (row,) = sharing.adopted(archive.db)
    assert (row["giver"], row["taker"], row["kind"], row["programs"]) == ("A", "B", KIND, 2)
    assert sharing.programs_shared(archive.db) == [{"kind": KIND, "programs": 2, "with_others": 2}]


def test_a_node_that_builds_on_its_own_program_uses_nothing_of_others(archive: Archive) -> None:
    archive.commit(code("A", 1, seq=1), code("A", 2, seq=2, parents=(digest(1),)))
    assert sharing.programs_used(archive.db, limit=9) == []


def test_programs_are_ranked_by_the_nodes_that_built_on_them(archive: Archive) -> None:
    archive.commit(
        code("A", 1, seq=1),
        code("A", 2, seq=2),
        *(code("B", number, seq=number, parents=(digest(1),)) for number in (11, 12, 13)),
        code("B", 21, seq=21, parents=(digest(2),)),
        code("C", 22, seq=22, parents=(digest(2),)),
    )
    used = sharing.programs_used(archive.db, limit=1)
    assert [(row["component"], row["takers"], row["uses"], row["in_all"]) for row in used] == [(digest(2), 2, 2, 2)]
    assert [row["takers"] for row in sharing.programs_used(archive.db, limit=9)] == [2, 1]


def test_gain_is_what_validators_found_of_what_was_built_on_it(archive: Archive) -> None:
    heir = submission(2, seq=2, parents=(digest(1),), authors=("AI_Node_1", "AI_Node_2"))
    archive.commit(hello("AI_Node_2", session=3), code("AI_Node_1", 1, seq=1), heir)
    assert sharing.programs_used(archive.db, limit=9)[0]["credit"] == 0
    archive.commit(verdict(heir, [score(355.0)], seq=1))
    # From the textbook's 405, which counts for nobody, half of the gap of 110 that the best baseline leaves: 50 / 110
    assert round(sharing.programs_used(archive.db, limit=9)[0]["credit"], 4) == 0.4545
    (row,) = sharing.authorship(archive.db)
    assert (row["together"], row["accepted"], row["improvements"], round(row["credit"], 4)) == (1, 1, 1, 0.4545)


def test_records_are_those_better_than_all_before_in_the_order_of_submission(archive: Archive) -> None:
    values = {1: 390.0, 2: 395.0, 3: 380.0, 4: 380.0, 5: 379.0}
    made = {number: submission(number, seq=number) for number in values}
    archive.commit(*made.values())
    for number in reversed(values):  # verdicts come when they come
        archive.commit(verdict(made[number], [score(values[number])], seq=number))
    assert [record["value"] for record in sharing.records(archive.db, HIDDEN, 100)] == [390.0, 380.0, 379.0]


def test_a_rejected_submission_is_no_record_but_an_ancestor_with_a_score(archive: Archive) -> None:
    refused = submission(1, seq=1)
    heir = submission(2, seq=2, parents=(digest(1), digest(9)))
    archive.commit(refused, heir, verdict(refused, [score(200.0)], seq=1, says="rejected"))
    archive.commit(verdict(heir, [score(380.0)], seq=2))
    assert [record["component"] for record in sharing.records(archive.db, HIDDEN, 100)] == [digest(2)]
    line = sharing.ancestry(archive.db, digest(2), HIDDEN, 100)
    assert [(step["component"], step["verdict"], step["value"]) for step in line] == [
        (digest(2), "accepted", 380.0), (digest(1), "rejected", 200.0),
    ]  # fmt: skip


def test_of_several_parents_one_that_was_told_of_comes_before_a_mere_name(archive: Archive) -> None:
    named_only = min(digest(8), digest(9))
    archive.commit(code("A", 1, seq=1), code("A", 2, seq=2, parents=(named_only, digest(1))))
    line = sharing.ancestry(archive.db, digest(2), HIDDEN, 100)
    assert [(step["component"], step["finder"]) for step in line] == [(digest(2), "A"), (digest(1), "A")]
    archive.commit(code("A", 3, seq=3, parents=(named_only,)))
    assert [step["finder"] for step in sharing.ancestry(archive.db, digest(3), HIDDEN, 100)] == ["A", None]


def test_a_line_ends_where_it_would_go_round_or_on_for_ever(archive: Archive) -> None:
    archive.commit(code("A", 1, seq=1, parents=(digest(2),)), code("A", 2, seq=2, parents=(digest(1),)))
    assert len(sharing.ancestry(archive.db, digest(1), HIDDEN, 100)) == 2
    chain = sharing.GENERATIONS_MAX + 5
    archive.commit(*(code("A", 100 + n, seq=100 + n, parents=(digest(99 + n),)) for n in range(chain)))
    line = sharing.ancestry(archive.db, digest(99 + chain), HIDDEN, 100)
    assert [step["generation"] for step in line] == list(range(sharing.GENERATIONS_MAX))


def test_of_each_kind_the_patterns_with_the_largest_gain_are_told(archive: Archive) -> None:
    archive.commit(
        *(
            accepted(MessageType.PATTERN_SHARE, "A", seq=n, kind=kind, expression=f"age + {n}", gain=n / 10)
            for n, kind in enumerate(("one", "one", "one", "two"), 1)
        )
    )
    told = [(row["kind"], row["gain"]) for row in sharing.patterns_measured(archive.db, limit=2)]
    assert told == [("one", 0.3), ("one", 0.2), ("two", 0.4)]
