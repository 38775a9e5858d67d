"""Submissions and what validators make of them: votes become verdicts, verdicts become trust.

::

    OS_COMPONENT_SHARE ─▶ submissions ─┐
    TEST_RESULT ────────▶ test_results ┴─▶ decide() ──▶ submissions.verdict ──┬─▶ components: its best submission
                                                                              ├─▶ trust_events
                                                                              └─▶ VERDICT, told by the hub

Used by the writer inside its transaction, message by message, so that the order of arrival alone decides.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import orjson

from mqtt_hub.archive.standing import Standings
from mqtt_hub.protocol.bodies import Verdict
from mqtt_hub.trust import Deed, Event
from mqtt_hub.verdict import VALIDATORS_DIFFER, Decision, Vote, decide

__all__ = ["Judge", "Quorum"]

# A component is what the best of its submissions is: an accepted one, one that may still become so, and so on.
_BEST = "CASE verdict WHEN 'accepted' THEN 0 WHEN 'rejected' THEN 2 WHEN 'not_reproduced' THEN 3 ELSE 1 END, message"


@dataclass(frozen=True, slots=True)
class Quorum:
    """Validators that must agree, digest for digest: on components of ``trusted`` nodes, and of ``new`` ones."""

    trusted: int = 1
    new: int = 1


class Judge:
    """Decides submissions; ``verdicts`` are the decisions of this transaction that others are to hear of."""

    def __init__(self, connection: sqlite3.Connection, standings: Standings, quorum: Quorum) -> None:
        self._connection = connection
        self._standings = standings
        self._quorum = quorum
        self.verdicts: list[Verdict] = []

    def begin(self) -> None:
        """Forget the decisions: a transaction begins, or was rolled back."""
        self.verdicts.clear()

    def look_at(self, submission: str, at: str) -> None:
        """Take up what has come for a submission: itself, or a result on it (which may come first)."""
        row = self._connection.execute(
            "SELECT node, kind, component, needed, verdict, opened_after FROM submissions WHERE id = ?", (submission,)
        ).fetchone()
        if row is None:
            return
        node, kind, component, needed, before, opened_after = row
        if needed is None:
            trusted = self._standings.of(node).level == "trusted"
            needed = self._quorum.trusted if trusted else self._quorum.new
            self._connection.execute("UPDATE submissions SET needed = ? WHERE id = ?", (needed, submission))
        votes = self._votes(submission, opened_after)
        decision = decide(votes, needed)
        self._connection.execute(
            "UPDATE submissions SET verdict = ?, digest = ?, agreeing = ?, dissenting = ? WHERE id = ?",
            (decision.state, decision.digest or None, decision.agreeing, decision.dissenting, submission),
        )
        told = ""
        if decision.final and decision.state != before:
            told = self._settle(submission, node, component, opened_after, decision, at)
        if decision.agreeing > 1:  # one against one is no majority: nobody can say who is wrong
            self._note_outvoted(submission, votes, decision, at)
        if decision.state not in ("pending", before):
            self._tell(submission, node, kind, component, decision, told)
        self._show(component)

    def reopen(self, submission: str) -> bool:
        """Make all results so far void, so that validators judge anew; False where there is no such submission."""
        found = self._connection.execute("SELECT component FROM submissions WHERE id = ?", (submission,)).fetchone()
        if found is None:
            return False
        self._connection.execute(
            "UPDATE submissions SET verdict = 'pending', reason = NULL, digest = NULL, judged_at = NULL, agreeing = 0,"
            " dissenting = 0, round = round + 1, opened_after = (SELECT coalesce(max(id), 0) FROM messages)"
            " WHERE id = ?",
            (submission,),
        )
        self._show(found[0])
        return True

    def _votes(self, submission: str, opened_after: int) -> list[Vote]:
        rows = self._connection.execute(
            "SELECT node, verdict, digest FROM test_results WHERE submission = ? AND message > ? ORDER BY id",
            (submission, opened_after),
        )
        return [Vote(*row) for row in rows]

    def _settle(
        self, submission: str, node: int, component: str, opened_after: int, decision: Decision, at: str
    ) -> str:
        """Write down a final decision and what it does to trust; returns what everybody may be told."""
        result, reason, told, faulty, judged_at, c_source = self._connection.execute(
            "SELECT t.id, t.reason, t.told, t.faulty, t.judged_at, json_extract(m.payload, '$.body.c_source')"
            " FROM test_results t JOIN messages m ON m.id = t.message"
            " WHERE t.submission = ? AND t.digest = ? AND t.message > ? ORDER BY t.id LIMIT 1",
            (submission, decision.digest, opened_after),
        ).fetchone()
        self._connection.execute(
            "UPDATE submissions SET reason = ?, judged_at = ? WHERE id = ?", (reason, judged_at, submission)
        )
        if c_source:
            self._connection.execute("UPDATE components SET c_source = ? WHERE id = ?", (c_source, component))
        if decision.state == "accepted":
            credit = self._improvement(submission, result)
            if credit > 0:
                event = Event(Deed.IMPROVED, f"component {component[:12]}", credit)
                self._standings.note(self._finder(component, node), event, at, submission=submission)
        elif decision.state == "not_reproduced":
            self._standings.note(node, Event(Deed.FALSE_CLAIM, told), at, submission=submission)
        elif faulty:
            self._standings.note(node, Event(Deed.FAULTY, told), at, submission=submission)
        return str(told or "")

    def _improvement(self, submission: str, result: int) -> int:
        """Return the credit of an accepted submission, in millionths of a gap, on its target's hidden part.

        A gap reaches from the best baseline to the bound; what the textbook or an earlier component closes of
        it counts for nobody.
        """
        scores = self._connection.execute(
            "SELECT s.workload = u.target, s.workload_id, s.capacity, s.value, s.bound, s.best_baseline_value,"
            " s.programs FROM hidden_scores s, submissions u WHERE s.test_result = ? AND u.id = ?",
            (result, submission),
        ).fetchall()
        aimed = [score for score in scores if score[0]] or scores
        return sum(self._beyond(submission, *score[1:]) for score in aimed)

    def _beyond(
        self, submission: str, workload: str, capacity: int, value: float, bound: float, baseline: float, programs: str
    ) -> int:
        if baseline is None or baseline <= bound:
            return 0
        (earlier,) = self._connection.execute(
            "SELECT min(s.value) FROM hidden_scores s JOIN test_results t ON t.id = s.test_result"
            " JOIN submissions u ON u.id = t.submission AND u.digest = t.digest"
            " WHERE u.verdict = 'accepted' AND u.id != ? AND s.workload_id = ? AND s.capacity = ?",
            (submission, workload, capacity),
        ).fetchone()
        known: list[float] = [baseline, *orjson.loads(programs or "{}").values()]
        before = min(known if earlier is None else [*known, earlier])
        return max(0, int((before - value) * 1_000_000 // (baseline - bound)))

    def _finder(self, component: str, submitter: int) -> int:
        """Return the node that told of a component first: whoever submits another's program earns it the credit."""
        row = self._connection.execute("SELECT node FROM discoveries WHERE component = ?", (component,)).fetchone()
        return int(row[0]) if row else submitter

    def _note_outvoted(self, submission: str, votes: list[Vote], decision: Decision, at: str) -> None:
        """Hold against a validator that its first result is not what the majority found."""
        first: dict[int, str] = {}
        for vote in votes:
            first.setdefault(vote.validator, vote.digest)
        for validator, digest in first.items():
            if decision.final and digest != decision.digest:
                event = Event(Deed.OUTVOTED, f"submission {submission[:12]}")
                self._standings.note(validator, event, at, submission=submission)

    def _tell(self, submission: str, node: int, kind: str, component: str, decision: Decision, told: str) -> None:
        (submitter,) = self._connection.execute("SELECT name FROM nodes WHERE id = ?", (node,)).fetchone()
        self.verdicts.append(
            Verdict(
                kind=kind,
                component=component,
                submission=submission,
                submitter=submitter,
                verdict=decision.state,  # type: ignore[arg-type]
                reason=told or VALIDATORS_DIFFER,
                agreeing=decision.agreeing,
                dissenting=decision.dissenting,
            )
        )

    def _show(self, component: str) -> None:
        """Let a component show its best submission, with that one's sender, target, claims and authors."""
        best: tuple[Any, ...] = self._connection.execute(
            "SELECT id, node, message, target, claims, verdict, reason, submitted_at, judged_at, digest, authors"  # noqa: S608 — order above
            f" FROM submissions WHERE component = ? ORDER BY {_BEST} LIMIT 1",
            (component,),
        ).fetchone()
        *row, authors = best
        changed = self._connection.execute(
            "UPDATE components SET submission = ?1, node = ?2, message = ?3, target = ?4, claims = ?5, verdict = ?6,"
            " reason = ?7, submitted_at = ?8, judged_at = ?9, digest = ?10 WHERE id = ?11"
            " AND (submission IS NOT ?1 OR verdict IS NOT ?6 OR digest IS NOT ?10)",
            (*row, component),
        ).rowcount
        if changed:
            self._connection.execute("DELETE FROM component_authors WHERE component = ?", (component,))
            self._connection.executemany(
                "INSERT OR IGNORE INTO component_authors (component, author) VALUES (?, ?)",
                [(component, author) for author in orjson.loads(authors)],
            )
