"""The archive's questions behind TRAINING_SYNC: what a node that says HELLO is told to go on from."""

from __future__ import annotations

from sqlite_utils import Database

from mqtt_hub.archive.queries.components import authors
from mqtt_hub.archive.queries.marks import marks
from mqtt_hub.archive.queries.trust import quarantined
from mqtt_hub.protocol.bodies import REASON_CHARACTERS_MAX, BestComponent, PatternShare, PendingComponent, Verdict
from mqtt_hub.protocol.codec import decode
from mqtt_hub.verdict import VALIDATORS_DIFFER

__all__ = ["best_components", "best_patterns", "pending_components", "reason", "verdicts_on"]


def best_components(db: Database, kinds: tuple[str, ...], *, limit: int) -> tuple[BestComponent, ...]:
    """Return for each workload the accepted component that was submitted for it last.

    Its author chose it on the train part. The hidden scores play no part: what trainers start from must not have
    been picked by them.
    """
    rows = db.execute(
        f"""
        SELECT kind, target, component, source FROM (
            SELECT kind, target, component, source, message, row_number() OVER (
                PARTITION BY kind, target ORDER BY message DESC
            ) AS place
            FROM submissions JOIN (SELECT id AS component, source FROM components) USING (component)
            WHERE verdict = 'accepted' AND kind IN ({marks(kinds)})
        ) WHERE place = 1 ORDER BY message DESC LIMIT ?
        """,  # noqa: S608 — question marks only
        (*kinds, limit),
    ).fetchall()
    return tuple(
        BestComponent(kind, workload, component, authors(db, component), source)
        for kind, workload, component, source in rows
    )


def best_patterns(db: Database, kinds: tuple[str, ...], *, limit: int) -> tuple[PatternShare, ...]:
    """Return the patterns of these kinds with the largest measured gain, each expression once."""
    rows = db.execute(
        f"""
        SELECT kind, function, expression, unit, gain, uses, workload, component FROM best_patterns
        WHERE kind IN ({marks(kinds)}) ORDER BY gain DESC, expression LIMIT ?
        """,  # noqa: S608 — question marks only
        (*kinds, limit),
    )
    return tuple(PatternShare(*row) for row in rows)


def pending_components(
    db: Database, validator: str, kinds: tuple[str, ...], *, limit: int
) -> tuple[PendingComponent, ...]:
    """Return submissions without a verdict that this validator has not judged yet: each sender's oldest first.

    So nobody who floods makes others wait for more than one of its own.
    """
    rows = db.execute(
        f"""
        SELECT n.name, m.payload, u.round FROM submissions u
        JOIN nodes n ON n.id = u.node JOIN messages m ON m.id = u.message
        WHERE u.verdict IN ('pending', 'disputed') AND u.kind IN ({marks(kinds)}) AND NOT EXISTS (
            SELECT 1 FROM test_results t JOIN nodes v ON v.id = t.node
            WHERE t.submission = u.id AND t.message > u.opened_after AND v.name = ?
        ) ORDER BY row_number() OVER (PARTITION BY u.node ORDER BY u.message), u.message LIMIT ?
        """,  # noqa: S608 — question marks only
        (*kinds, validator, limit),
    ).fetchall()
    return tuple(PendingComponent(name, decode(payload.encode()).body, round_) for name, payload, round_ in rows)


def verdicts_on(db: Database, node: str, *, limit: int) -> tuple[Verdict, ...]:
    """Return what became of a node's newest submissions, newest first, in the words that everybody may read."""
    rows = db.execute(
        """
        SELECT u.kind, u.component, u.id, n.name, u.verdict, coalesce((
            SELECT t.told FROM test_results t WHERE t.submission = u.id AND t.digest = u.digest
            AND t.message > u.opened_after ORDER BY t.id LIMIT 1
        ), ?), u.agreeing, u.dissenting
        FROM nodes n JOIN submissions u ON u.node = n.id
        WHERE n.name = ? AND u.verdict != 'pending' ORDER BY u.message DESC LIMIT ?
        """,
        (VALIDATORS_DIFFER, node, limit),
    ).fetchall()
    return tuple(Verdict(*row) for row in rows)


def reason(db: Database, node: str) -> str:
    """Return what the hub says to a node that it lets in; the bound of a reason is that of the protocol."""
    reason = quarantined(db).get(node, "")
    return (
        f"welcome, but nothing you share is taken; quarantined: {reason}"[:REASON_CHARACTERS_MAX]
        if reason
        else "welcome"
    )
