"""The archive's named questions: every SELECT that the hub, its status and its summaries ask."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from mqtt_hub.protocol.bodies import REASON_CHARACTERS_MAX, BestComponent, PatternShare, PendingComponent, Verdict
from mqtt_hub.protocol.codec import decode
from mqtt_hub.verdict import VALIDATORS_DIFFER

__all__ = [
    "NodeRow",
    "active_collaborations",
    "adoptions",
    "archived_by_node",
    "best_components",
    "best_patterns",
    "components",
    "components_by_verdict",
    "components_named",
    "helped",
    "hidden_results",
    "integrity",
    "last_accepted",
    "messages_by_type",
    "newest_sessions",
    "nodes",
    "offences",
    "pending_components",
    "quarantined",
    "rejected",
    "rejected_beyond",
    "rejected_kept",
    "session_progress",
    "standings",
    "submissions",
    "submissions_named",
    "trust_levels",
    "welcome",
]


# Hidden scores of the results that a quorum agreed on: what a single validator says beside it does not count.
_AGREED = (
    "hidden_scores s JOIN test_results t ON t.id = s.test_result"
    " JOIN components c ON c.submission = t.submission AND c.digest = t.digest AND c.verdict = t.verdict"
)


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node as the archive last saw it."""

    name: str
    role: str
    specialization: str
    state: str
    session: int
    instance: str


def nodes(db: Database) -> list[NodeRow]:
    """Return every node that ever spoke, by name."""
    rows = db.execute(
        "SELECT name, role, coalesce(specialization, ''), coalesce(state, ''), coalesce(session, 0),"
        " coalesce(instance, '') FROM nodes ORDER BY name"
    )
    return [NodeRow(*row) for row in rows]


def session_progress(db: Database, sessions: Iterable[tuple[str, int]]) -> list[tuple[str, int, int, set[int]]]:
    """Return (node, session, upto, seqs above it) of these sessions, from what is on disk; 0 where there is nothing."""
    progress = []
    for name, session in sessions:
        row = db.execute(
            "SELECT n.id, s.upto FROM sessions s JOIN nodes n ON n.id = s.node WHERE n.name = ? AND s.session = ?",
            (name, session),
        ).fetchone()
        node, upto = row or (0, 0)
        above = db.execute(
            "SELECT seq FROM messages WHERE node = ?1 AND session = ?2 AND seq > ?3"
            " UNION SELECT seq FROM rejected WHERE node = ?1 AND session = ?2 AND seq > ?3",
            (node, session, upto),
        )
        progress.append((name, session, upto, {seq for (seq,) in above}))
    return progress


def newest_sessions(db: Database, nodes: Iterable[str], *, limit: int) -> dict[str, list[int]]:
    """Return the last sessions of each of these nodes, newest first."""
    sql = (
        "SELECT s.session FROM sessions s JOIN nodes n ON n.id = s.node WHERE n.name = ?"
        " ORDER BY s.session DESC LIMIT ?"
    )
    return {node: [session for (session,) in db.execute(sql, (node, limit))] for node in nodes}


def rejected_kept(db: Database) -> list[tuple[str, int, int]]:
    """Return (node, rejected messages, their raw bytes) as far as they are kept."""
    return list(
        db.execute(
            "SELECT n.name, count(*), coalesce(sum(length(r.payload)), 0)"
            " FROM rejected r JOIN nodes n ON n.id = r.node GROUP BY n.name"
        ).fetchall()
    )


def rejected_beyond(db: Database) -> dict[str, int]:
    """Return how many rejected messages of each node were beyond its quota: counted, not kept."""
    return dict(db.execute("SELECT name, rejected_beyond FROM nodes WHERE rejected_beyond > 0").fetchall())


def messages_by_type(db: Database) -> dict[str, int]:
    """Return how many accepted messages there are of each type; kept up with every batch, so it costs nothing."""
    return dict(db.execute("SELECT type, messages FROM totals ORDER BY type").fetchall())


def rejected(db: Database) -> int:
    """Return how many messages were rejected."""
    return int(db.execute("SELECT count(*) FROM rejected").fetchone()[0])


def components_by_verdict(db: Database) -> dict[str, int]:
    """Return how many components there are by verdict, those still pending too."""
    return dict(db.execute("SELECT verdict, count(*) FROM components GROUP BY verdict").fetchall())


def active_collaborations(db: Database) -> int:
    """Return how many requests for help are open or being worked on."""
    active = "SELECT count(*) FROM collaborations WHERE state IN ('open', 'accepted')"
    return int(db.execute(active).fetchone()[0])


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
            WHERE verdict = 'accepted' AND kind IN ({_marks(kinds)})
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
        WHERE kind IN ({_marks(kinds)}) ORDER BY gain DESC, expression LIMIT ?
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
        WHERE u.verdict IN ('pending', 'disputed') AND u.kind IN ({_marks(kinds)}) AND NOT EXISTS (
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


def submissions(db: Database, *verdicts: str, limit: int = 100) -> list[dict[str, Any]]:
    """Return the newest submissions with one of these verdicts (all where none is named), and who sent them."""
    return list(
        db.query(
            "SELECT u.id, u.component, u.kind, u.target, n.name AS submitter, u.verdict, u.reason, u.needed,"  # noqa: S608 — question marks only
            " u.agreeing, u.dissenting, u.round, u.submitted_at, u.judged_at"
            " FROM submissions u JOIN nodes n ON n.id = u.node"
            f" WHERE ? OR u.verdict IN ({_marks(verdicts)}) ORDER BY u.message DESC LIMIT ?",
            (not verdicts, *verdicts, limit),
        )
    )


def submissions_named(db: Database, start: str) -> list[str]:
    """Return the submissions whose name starts so, two at most: more than one is not one."""
    rows = db.execute("SELECT id FROM submissions WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2", (start,))
    return [name for (name,) in rows]


def standings(db: Database) -> list[dict[str, Any]]:
    """Return how every node stands: level, trust 0..1, improvements, offences, strikes, credit in gaps closed."""
    return list(db.query("SELECT * FROM standings"))


def offences(db: Database, node: str = "") -> list[dict[str, Any]]:
    """Return what was held against a node, or against anybody, in order: at, name, deed, cause."""
    return list(db.query("SELECT * FROM offences WHERE name = ?1 OR ?1 = ''", (node,)))


def quarantined(db: Database) -> dict[str, str]:
    """Return the nodes under quarantine with the reason."""
    return dict(db.execute("SELECT name, quarantined FROM standings WHERE quarantined != ''").fetchall())


def trust_levels(db: Database) -> dict[str, int]:
    """Return how many nodes there are at each level of trust."""
    return dict(db.execute("SELECT level, count(*) FROM standings GROUP BY level ORDER BY level").fetchall())


def welcome(db: Database, node: str) -> str:
    """Return what the hub says to a node that it lets in; the bound of a reason is that of the protocol."""
    reason = quarantined(db).get(node, "")
    return (
        f"welcome, but nothing you share is taken; quarantined: {reason}"[:REASON_CHARACTERS_MAX]
        if reason
        else "welcome"
    )


def authors(db: Database, component: str) -> tuple[str, ...]:
    """Return the authors of a component by name."""
    rows = db.execute("SELECT author FROM component_authors WHERE component = ? ORDER BY author", (component,))
    return tuple(author for (author,) in rows)


def components(db: Database) -> list[dict[str, Any]]:
    """Return every submitted component with its verdict and authors, in the order of submission."""
    rows = db.query(
        "SELECT id, kind, verdict, reason, target, source, c_source, message FROM components ORDER BY message"
    )
    return [dict(row) | {"authors": list(authors(db, row["id"]))} for row in rows]


def components_named(db: Database, start: str) -> list[str]:
    """Return the ids of components that start so, two at most: more than one is not one."""
    rows = db.execute("SELECT id FROM components WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2", (start,))
    return [id_ for (id_,) in rows]


def hidden_results(db: Database) -> list[dict[str, Any]]:
    """Return every hidden score of accepted components: workload, kind, value, bound, baselines as JSON text."""
    return list(
        db.query(
            f"SELECT s.*, c.kind FROM {_AGREED}"  # noqa: S608 — names only
            " WHERE c.verdict = 'accepted' ORDER BY s.workload, s.value, s.component"
        )
    )


def helped(db: Database) -> list[dict[str, Any]]:
    """Return who answered whose requests, how often and at what cost in evaluations."""
    return list(db.query("SELECT * FROM who_helped_whom"))


def last_accepted(db: Database, kind: str, workload: str) -> list[dict[str, Any]]:
    """Return for each node the hidden score of what it had accepted last for a workload: its own best."""
    return list(
        db.query(
            f"""
            SELECT n.name AS node, h.value, h.bound, h.baselines FROM (
                SELECT node, component, row_number() OVER (PARTITION BY node ORDER BY message DESC) AS place
                FROM submissions WHERE verdict = 'accepted' AND kind = ?1 AND target = ?2
            ) u JOIN nodes n ON n.id = u.node
            JOIN (SELECT s.component, s.value, s.bound, s.baselines FROM {_AGREED} WHERE s.workload = ?2) h
                ON h.component = u.component
            WHERE u.place = 1 GROUP BY n.name ORDER BY n.name
            """,  # noqa: S608 — names only
            (kind, workload),
        )
    )


def adoptions(db: Database) -> tuple[int, int]:
    """Return how many findings were shared with another's work in them, and how many requests were completed."""
    built_on = db.execute("SELECT count(DISTINCT message) FROM imports").fetchone()[0]
    answered = db.execute("SELECT count(*) FROM collaborations WHERE state = 'completed'").fetchone()[0]
    return int(built_on), int(answered)


def archived_by_node(db: Database) -> dict[str, tuple[int, int]]:
    """Return per node (sequenced messages accepted, sequenced messages rejected)."""
    counts: dict[str, tuple[int, int]] = {}
    for table, column in (("messages", 0), ("rejected", 1)):
        rows = db.execute(
            f"SELECT n.name, count(*) FROM {table} m JOIN nodes n ON n.id = m.node"  # noqa: S608 — names above
            " WHERE m.seq IS NOT NULL GROUP BY n.name"
        )
        for name, count in rows.fetchall():
            accepted, rejected = counts.get(name, (0, 0))
            counts[name] = (count, rejected) if column == 0 else (accepted, count)
    return counts


def integrity(connection: sqlite3.Connection) -> str:
    """Return SQLite's own verdict on the file: ``ok`` or the first fault."""
    return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values)) or "NULL"
