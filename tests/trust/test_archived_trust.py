"""Verdicts, credit and standing as they follow from what is archived."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mqtt_hub.accounts import OperatorDecision
from mqtt_hub.archive.queries import components, totals, trust, welcome
from mqtt_hub.intake import Accepted, Entry
from mqtt_hub.protocol.bodies import HiddenScore
from mqtt_hub.protocol.errors import ArchiveError
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.trust import NOISE_A_STRIKE, STRIKES_MAX, Deed, Event, fold
from tests.hub.archives import Archive
from tests.hub.entries import NOW, accepted, digest, rejected, result_on, source
from tests.protocol.examples import CLAIM, named

A, B, MALLORY = "AI_Node_1", "AI_Node_2", "Mallory"
FALSE = (replace(CLAIM, counters={"misses": 1}),)
_SEQ = itertools.count(1)


def submitted(number: int, sender: str = A, **body: Any) -> Accepted:
    """Return a submission of that number's source."""
    body = {"authors": (sender,), "parents": (), **body}
    return accepted(MessageType.OS_COMPONENT_SHARE, sender, seq=next(_SEQ), source=source(number), **body)


def result(submission: Accepted, *values: float, by: str = "V1", verdict: str = "accepted", **body: Any) -> Accepted:
    """Return a validator's result: these values on the target's hidden part, where ARC has 410 and the bound is 300."""
    scores = tuple(
        HiddenScore("sqlite", digest(99), "misses", 100, 1000, value, 300.0, {"lru": 450.0, "arc": 410.0}, "arc")
        for value in values
    )
    said = {"digest": named(repr((verdict, values))), **body}
    return result_on(submission, by, seq=next(_SEQ), hidden=scores, verdict=verdict, **said)


def refuted(submission: Accepted, by: str = "V1") -> Accepted:
    return result(submission, by=by, verdict="not_reproduced", faulty=True, told="reproduction: claimed 1, counted 4")


def standing(archive: Archive, name: str) -> dict[str, Any]:
    return next(row for row in trust.standings(archive.db) if row["name"] == name)


def verdict(archive: Archive, submission: Accepted) -> str:
    said = submission.message
    return str(archive.one("submissions", id=submission_id(said.sender, said.body))["verdict"])


# verdicts


def test_false_claims_for_anothers_source_spoil_nothing_but_the_claim(archive: Archive) -> None:
    spoiled, honest = submitted(1, MALLORY, claims=FALSE, target="git"), submitted(1, A)
    archive.commit(spoiled, refuted(spoiled))
    assert archive.one("components")["verdict"] == "not_reproduced"
    archive.commit(honest)
    assert archive.one("components")["verdict"] == "pending"
    archive.commit(result(honest, 350.0))
    row = archive.one("components")
    assert (row["verdict"], row["target"], row["reason"]) == ("accepted", "sqlite", "every test passed")
    assert archive.one("nodes", id=row["node"])["name"] == A
    assert components.authors(archive.db, digest(1)) == (A,)
    assert archive.rows("SELECT submitted_by, value FROM leaderboard") == [(A, 350.0)]
    assert (verdict(archive, spoiled), verdict(archive, honest)) == ("not_reproduced", "accepted")
    assert standing(archive, MALLORY)["offences"] == 1


def test_a_later_false_claim_takes_nothing_from_an_accepted_component(archive: Archive) -> None:
    honest, spoiled = submitted(1, A), submitted(1, MALLORY, claims=FALSE)
    archive.commit(honest, result(honest, 350.0), spoiled, refuted(spoiled))
    assert archive.one("components")["verdict"] == "accepted"
    assert archive.rows("SELECT submitted_by FROM leaderboard") == [(A,)]
    assert standing(archive, A)["offences"] == 0


def test_the_same_claims_of_the_same_sender_are_one_submission_however_often_they_are_sent(archive: Archive) -> None:
    for authors in ((A,), (A, B)):
        archive.commit(submitted(1, authors=authors))
    assert archive.count("submissions") == 1
    archive.commit(submitted(1, claims=FALSE), submitted(1, B))
    assert archive.count("submissions") == 3


def test_validators_that_differ_make_a_dispute_that_is_told_and_a_majority_ends_it(pair: Archive) -> None:
    submission = submitted(1)
    assert pair.commit(submission, result(submission, 350.0)).verdicts == []
    (told,) = pair.commit(result(submission, 360.0, by="V2")).verdicts
    assert (told.verdict, told.agreeing, told.dissenting) == ("disputed", 1, 1)
    assert [row["verdict"] for row in components.submissions(pair.db, "disputed")] == ["disputed"]
    assert totals.components_by_verdict(pair.db) == {"disputed": 1}
    assert pair.rows("SELECT count(*) FROM leaderboard") == [(0,)]
    (told,) = pair.commit(result(submission, 360.0, by="V3")).verdicts
    assert (told.verdict, told.agreeing, told.dissenting, told.submitter) == ("accepted", 2, 1, A)
    assert pair.rows("SELECT value FROM leaderboard") == [(360.0,)]
    assert (standing(pair, "V1")["offences"], standing(pair, "V2")["offences"]) == (1, 0)


def test_a_verdict_stands_and_whoever_contradicts_it_later_is_counted_as_dissenting(archive: Archive) -> None:
    submission = submitted(1)
    (told,) = archive.commit(submission, result(submission, 350.0)).verdicts
    assert told.reason == "every test passed"
    for validator in ("V2", "V3", "V4"):
        assert archive.commit(result(submission, verdict="rejected", by=validator)).verdicts == []
    row = archive.one("submissions")
    assert (row["verdict"], row["agreeing"], row["dissenting"]) == ("accepted", 1, 3)
    assert not trust.offences(archive.db), "one against another is no majority: nobody can say who is wrong"


def test_what_everybody_is_told_names_no_figure_of_a_hidden_workload(archive: Archive) -> None:
    submission = submitted(1)
    useless = result(submission, 460.0, verdict="rejected", reason="useful: sqlite (hidden): 460", told="useful: no")
    (told,) = archive.commit(submission, useless).verdicts
    assert (told.verdict, told.reason) == ("rejected", "useful: no")
    assert archive.one("submissions")["reason"] == "useful: sqlite (hidden): 460"


def test_a_new_nodes_components_need_the_larger_quorum_and_a_trusted_ones_the_smaller(pair: Archive) -> None:
    for number, value in enumerate((350.0, 340.0, 330.0)):
        submission = submitted(number)
        pair.commit(submission, result(submission, value))
        assert verdict(pair, submission) == "pending"
        pair.commit(result(submission, value, by="V2"))
        assert verdict(pair, submission) == "accepted"
    assert standing(pair, A)["level"] == "trusted"
    trusted, new = submitted(7), submitted(8, B)
    pair.commit(trusted, result(trusted, 320.0), new, result(new, 320.0))
    assert (verdict(pair, trusted), verdict(pair, new)) == ("accepted", "pending")


def test_an_operator_reopens_a_submission_once_and_validators_are_asked_again(archive: Archive) -> None:
    submission = submitted(1)
    name = submission_id(A, submission.message.body)
    archive.commit(submission, result(submission, 350.0))
    decision = OperatorDecision("d1", NOW, "reopen", name, "an old validator")
    archive.writer.carry_out([decision, replace(decision, id="d2", subject="0" * 64)])
    assert (verdict(archive, submission), archive.one("components")["verdict"]) == ("pending", "pending")
    (waiting,) = welcome.pending_components(archive.db, "V1", ("page_replacement",), limit=4)
    assert waiting.round == 1
    archive.commit(result(submission, verdict="rejected"))
    assert verdict(archive, submission) == "rejected"
    archive.writer.carry_out([decision])
    assert verdict(archive, submission) == "rejected", "the same decision again changes nothing"
    assert archive.rows("SELECT id, done FROM operator_decisions ORDER BY id") == [("d1", 1), ("d2", 0)]


def test_nobody_who_floods_makes_others_wait_for_more_than_one_of_its_own(archive: Archive) -> None:
    archive.commit(*(submitted(number, MALLORY) for number in range(20)), submitted(50, A), submitted(51, A))
    waiting = welcome.pending_components(archive.db, "V1", ("page_replacement",), limit=4)
    assert [item.submitter for item in waiting] == [MALLORY, A, MALLORY, A]


# credit and standing


def test_credit_is_what_is_closed_of_the_gap_beyond_everything_before(archive: Archive) -> None:
    first, second, third = (submitted(number, sender) for number, sender in ((1, A), (2, B), (3, B)))
    archive.commit(first, result(first, 355.0), second, result(second, 344.0), third, result(third, 344.0))
    assert standing(archive, A)["credit"] == 0.5  # 55 of the 110 between ARC and the bound
    assert (standing(archive, B)["credit"], standing(archive, B)["improvements"]) == (0.1, 1)


def test_what_the_textbook_reaches_as_a_program_earns_nobody_credit(archive: Archive) -> None:
    submission = submitted(1)
    score = HiddenScore("sqlite", digest(99), "misses", 100, 1000, 350.0, 300.0, {"arc": 410.0}, "arc", {"lirs": 350.0})
    archive.commit(submission, result_on(submission, "V1", hidden=(score,)))
    assert (standing(archive, A)["improvements"], standing(archive, A)["credit"]) == (0, 0.0)


def test_whoever_submits_what_another_showed_before_earns_that_other_the_credit(archive: Archive) -> None:
    stolen = submitted(1, MALLORY)
    archive.commit(accepted(MessageType.CODE_SHARE, A, source=source(1)), stolen, result(stolen, 350.0))
    assert (standing(archive, A)["improvements"], standing(archive, MALLORY)["improvements"]) == (1, 0)
    assert archive.rows("SELECT found_by, submitted_by FROM leaderboard") == [(A, MALLORY)]


def test_blame_follows_the_sender_whoever_it_names_as_the_author(archive: Archive) -> None:
    archive.commit(accepted(MessageType.LOG, A))
    spoiled = submitted(1, MALLORY, authors=(A,), claims=FALSE)
    archive.commit(spoiled, refuted(spoiled))
    assert (standing(archive, A)["offences"], standing(archive, MALLORY)["offences"]) == (0, 1)


def test_a_rejection_that_no_test_at_home_would_have_shown_costs_nothing_and_another_does(archive: Archive) -> None:
    useless, broken = submitted(1), submitted(2)
    archive.commit(useless, result(useless, verdict="rejected", faulty=False, told="useful: no"))
    assert standing(archive, A)["offences"] == 0
    archive.commit(broken, result(broken, verdict="rejected", faulty=True, told="static: line 1"))
    assert [(row["deed"], row["cause"]) for row in trust.offences(archive.db, A)] == [("faulty", "static: line 1")]


def quarantines(archive: Archive, *batch: Entry) -> Iterator[dict[str, str]]:
    for entry in batch:
        yield archive.commit(entry).quarantined


def test_repeated_false_claims_end_in_quarantine_which_is_news_once_and_survives_a_restart(archive: Archive) -> None:
    false = [submitted(number, MALLORY) for number in range(STRIKES_MAX + 1)]
    archive.commit(*false)
    news = list(quarantines(archive, *(refuted(submission) for submission in false)))
    assert [bool(told) for told in news] == [False] * (STRIKES_MAX - 1) + [True, False]
    reason = f"{STRIKES_MAX} offences in a row, the last: false_claim: reproduction: claimed 1, counted 4"
    assert news[STRIKES_MAX - 1] == {MALLORY: reason}
    again = Archive(archive.path)
    assert trust.quarantined(again.db) == {MALLORY: reason}
    assert welcome.reason(again.db, MALLORY).endswith(f"quarantined: {reason}")
    assert welcome.reason(again.db, A) == "welcome"
    assert again.writer.carry_out([OperatorDecision("d", NOW, "release", MALLORY, "")]).quarantined == {MALLORY: ""}
    assert trust.quarantined(again.db) == {}
    again.db.close()


def test_forged_messages_count_each_and_other_rejected_ones_by_the_thousand(archive: Archive) -> None:
    archive.commit(*(rejected(A, b"x") for _ in range(NOISE_A_STRIKE - 1)))
    assert standing(archive, A)["offences"] == 0
    archive.commit(rejected(A, b"x"), replace(rejected(MALLORY, b"x"), forged=True))
    assert [row["deed"] for row in trust.offences(archive.db)] == ["noise", "forgery"]


def test_under_quarantine_a_flood_adds_rejected_messages_and_no_events(archive: Archive) -> None:
    archive.commit(*(replace(rejected(MALLORY, b"x"), forged=True) for _ in range(50)))
    assert (archive.count("rejected"), archive.count("trust_events")) == (50, STRIKES_MAX)


def test_every_standing_is_the_fold_of_its_events(archive: Archive) -> None:
    good, bad = submitted(1), submitted(2)
    archive.commit(good, result(good, 350.0), bad, refuted(bad), replace(rejected(MALLORY, b"x"), forged=True))
    archive.writer.carry_out([OperatorDecision("d", NOW, "quarantine", MALLORY, "why")])
    columns = "improvements, offences, strikes, credit_millionths, quarantined"
    for node, *kept in archive.rows(f"SELECT node, {columns} FROM trust"):  # noqa: S608 — columns above
        events = archive.rows(
            "SELECT deed, cause, credit_millionths FROM trust_events WHERE node = ? ORDER BY id", [node]
        )
        folded = fold(Event(Deed(deed), cause, credit) for deed, cause, credit in events)
        assert tuple(kept) == tuple(getattr(folded, name) for name in columns.split(", "))


def test_a_batch_that_fails_leaves_no_trace_in_any_standing(archive: Archive) -> None:
    archive.commit(accepted(MessageType.LOG, MALLORY))
    archive.db.execute("CREATE TRIGGER no BEFORE INSERT ON trust BEGIN SELECT RAISE(ABORT, 'no room'); END")
    forged = [replace(rejected(MALLORY, b"x"), forged=True)] * STRIKES_MAX
    for _ in range(3):
        with pytest.raises(ArchiveError, match="no room"):
            archive.commit(*forged)
    archive.db.execute("DROP TRIGGER no")
    assert archive.count("trust_events") == 0
    assert list(archive.commit(*forged[1:]).quarantined) == []
    assert list(archive.commit(forged[0]).quarantined) == [MALLORY]


@pytest.mark.parametrize("together", [True, False])
def test_the_same_messages_in_the_same_order_give_the_same_trust_in_whatever_batches(
    tmp_path: Any, *, together: bool
) -> None:
    good, bad, other = submitted(1), submitted(2, MALLORY), submitted(3, B)
    messages = [good, bad, result(good, 350.0), other, refuted(bad), result(other, 340.0), result(good, 1.0, by="V2")]
    archive = Archive(tmp_path / "archive.db")
    for batch in [messages] if together else [[message] for message in messages]:
        archive.commit(*batch)
    assert archive.rows("SELECT deed, credit_millionths FROM trust_events ORDER BY id") == [
        ("improved", 545454), ("false_claim", 0), ("improved", 90909),
    ]  # fmt: skip
    archive.db.close()


# lineage


def test_an_ancestor_that_was_never_shared_was_found_by_whoever_named_it_first(archive: Archive) -> None:
    submission = submitted(3, parents=(digest(2),))
    archive.commit(
        accepted(MessageType.CODE_SHARE, B, source=source(2), parents=(digest(1),)),
        submission,
        result(submission, 350.0),
    )
    line = archive.rows("SELECT ancestor, found_by, shared FROM lineage_of_accepted")
    assert line == [(digest(3), A, 1), (digest(2), B, 1), (digest(1), B, 0)]
