"""Verdicts belong to submissions, and every node has a standing (docs/security.md)."""

from __future__ import annotations

from sqlite_utils import Database

from mqtt_hub.protocol.codec import decode, to_json
from mqtt_hub.protocol.submission import submission_id

__all__ = ["m0018_trust"]


def m0018_trust(db: Database) -> None:
    """Verdicts belong to submissions, credit to who told first, and every node has a standing."""
    message, node = ("message", "messages", "id"), ("node", "nodes", "id")
    db.table("submissions").create(
        {
            "id": str, "message": int, "node": int, "component": str, "kind": str, "target": str, "claims": str,
            "authors": str, "needed": int, "verdict": str, "reason": str, "digest": str, "agreeing": int,
            "dissenting": int, "round": int, "opened_after": int, "submitted_at": str, "judged_at": str,
        },
        pk="id", foreign_keys=[message, node, ("component", "components", "id")],
        not_null={"verdict", "round", "opened_after"},
        defaults={"verdict": "pending", "agreeing": 0, "dissenting": 0, "round": 0, "opened_after": 0},
    )  # fmt: skip
    db.table("submissions").create_index(["component"])
    db.table("submissions").create_index(["verdict", "kind"])
    for column, type_ in (("submission", str), ("faulty", int), ("told", str)):
        db.table("test_results").add_column(column, type_)
    db.table("test_results").create_index(["submission"])
    db.table("components").add_column("submission", str)
    db.table("discoveries").create(
        {"component": str, "node": int, "message": int}, pk="component", foreign_keys=[node, message]
    )
    db.table("trust_events").create(
        {
            "id": int, "node": int, "at": str, "deed": str, "cause": str, "credit_millionths": int,
            "submission": str,
        },
        pk="id", foreign_keys=[node], not_null={"node", "at", "deed"},
    )  # fmt: skip
    db.execute(
        "CREATE UNIQUE INDEX trust_events_once ON trust_events (node, submission, deed) WHERE submission IS NOT NULL"
    )
    db.table("trust").create(
        {
            "node": int, "improvements": int, "offences": int, "strikes": int, "credit_millionths": int,
            "quarantined": str, "level": str, "trust": float, "since": str,
        },
        pk="node", foreign_keys=[node],
    )  # fmt: skip
    db.table("operator_decisions").create(
        {"id": str, "at": str, "action": str, "subject": str, "reason": str, "done": int}, pk="id"
    )
    _submissions_of_before(db)
    _views_of_trust(db)


def _submissions_of_before(db: Database) -> None:
    """Make one submission of each component there is, with the verdict it has, and find who told of it first."""
    rows = db.execute(
        "SELECT c.id, c.message, c.node, c.kind, c.target, c.claims, c.verdict, c.reason, c.digest, c.submitted_at,"
        " c.judged_at, m.payload, n.name FROM components c JOIN messages m ON m.id = c.message"
        " JOIN nodes n ON n.id = c.node"
    ).fetchall()
    for component, *middle, digest, submitted_at, judged_at, payload, name in rows:
        body = decode(payload.encode()).body
        submission = submission_id(name, body)
        db.execute(
            "INSERT INTO submissions (id, component, message, node, kind, target, claims, verdict, reason, digest,"
            " submitted_at, judged_at, authors) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (submission, component, *middle, digest, submitted_at, judged_at, to_json(body.authors).decode()),
        )
        db.execute("UPDATE components SET submission = ? WHERE id = ?", (submission, component))
        db.execute("UPDATE test_results SET submission = ? WHERE component = ?", (submission, component))
    db.execute(
        "INSERT INTO discoveries (component, node, message) SELECT component, node, min(message) FROM ("
        " SELECT component, node, message FROM code UNION ALL SELECT id, node, message FROM components"
        " UNION ALL SELECT component, helper, message FROM collaboration_answers"
        ") WHERE component != '' GROUP BY component"
    )


def _views_of_trust(db: Database) -> None:
    db.create_view(
        "leaderboard",
        """
        SELECT s.workload, c.kind, s.metric, s.capacity, s.requests, s.value, s.bound, s.best_baseline,
               s.best_baseline_value,
               round((s.best_baseline_value - s.value) / nullif(s.best_baseline_value - s.bound, 0), 4)
                   AS gap_closed_beyond_best_baseline,
               s.component, f.name AS found_by, n.name AS submitted_by, c.verdict
        FROM hidden_scores s
        JOIN test_results t ON t.id = s.test_result
        JOIN submissions u ON u.id = t.submission AND u.digest = t.digest AND u.verdict = t.verdict
        JOIN components c ON c.id = s.component AND c.submission = u.id
        LEFT JOIN nodes n ON n.id = u.node
        LEFT JOIN discoveries d ON d.component = s.component
        LEFT JOIN nodes f ON f.id = d.node
        WHERE u.verdict = 'accepted'
        GROUP BY s.workload_id, s.capacity, s.component
        ORDER BY s.workload, s.value, s.component
        """,
        replace=True,
    )
    db.create_view(
        "lineage_of_accepted",
        """
        WITH RECURSIVE line(component, ancestor, generation) AS (
            SELECT id, id, 0 FROM components WHERE verdict = 'accepted'
            UNION
            SELECT line.component, l.parent, line.generation + 1
            FROM line JOIN lineage l ON l.component = line.ancestor
            WHERE line.generation < 64
        )
        SELECT line.component, line.generation, line.ancestor,
               coalesce(told.name, (SELECT n.name FROM lineage l JOIN nodes n ON n.id = l.node
                                    WHERE l.parent = line.ancestor ORDER BY l.rowid LIMIT 1)) AS found_by,
               told.name IS NOT NULL AS shared
        FROM line
        LEFT JOIN discoveries d ON d.component = line.ancestor
        LEFT JOIN nodes told ON told.id = d.node
        GROUP BY line.component, line.generation, line.ancestor
        ORDER BY line.component, line.generation
        """,
        replace=True,
    )
    db.create_view(
        "standings",
        """
        SELECT n.name, n.role, coalesce(t.level, 'new') AS level, coalesce(t.trust, 0.5) AS trust,
               coalesce(t.improvements, 0) AS improvements, coalesce(t.offences, 0) AS offences,
               coalesce(t.strikes, 0) AS strikes, coalesce(t.credit_millionths, 0) / 1e6 AS credit,
               coalesce(t.quarantined, '') AS quarantined, t.since
        FROM nodes n LEFT JOIN trust t ON t.node = n.id
        WHERE n.role != 'hub' AND n.name NOT IN ('hub', 'broker')
        ORDER BY n.name
        """,
    )
    db.create_view(
        "offences",
        """
        SELECT e.id, e.at, n.name, e.deed, e.cause, e.submission
        FROM trust_events e JOIN nodes n ON n.id = e.node
        WHERE e.deed NOT IN ('improved', 'release') ORDER BY e.id
        """,
    )
