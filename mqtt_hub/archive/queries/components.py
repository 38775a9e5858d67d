"""The archive's questions about components and submissions: which there are, whose, with which hidden scores."""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database

from mqtt_hub.archive.queries.marks import marks

__all__ = ["authors", "hidden_results", "last_accepted", "named", "submissions", "submissions_named", "submitted"]

# Hidden scores of the results that a quorum agreed on: what a single validator says beside it does not count.
_AGREED = (
    "hidden_scores s JOIN test_results t ON t.id = s.test_result"
    " JOIN components c ON c.submission = t.submission AND c.digest = t.digest AND c.verdict = t.verdict"
)


def submitted(db: Database) -> list[dict[str, Any]]:
    """Return every submitted component with its verdict and authors, in the order of submission."""
    rows = db.query(
        "SELECT id, kind, verdict, reason, target, source, c_source, message FROM components ORDER BY message"
    )
    return [dict(row) | {"authors": list(authors(db, row["id"]))} for row in rows]


def named(db: Database, start: str) -> list[str]:
    """Return the ids of components that start so, two at most: more than one is not one."""
    rows = db.execute("SELECT id FROM components WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2", (start,))
    return [id_ for (id_,) in rows]


def submissions(db: Database, *verdicts: str, limit: int = 100) -> list[dict[str, Any]]:
    """Return the newest submissions with one of these verdicts (all where none is named), and who sent them."""
    return list(
        db.query(
            "SELECT u.id, u.component, u.kind, u.target, n.name AS submitter, u.verdict, u.reason, u.needed,"  # noqa: S608 — question marks only
            " u.agreeing, u.dissenting, u.round, u.submitted_at, u.judged_at"
            " FROM submissions u JOIN nodes n ON n.id = u.node"
            f" WHERE ? OR u.verdict IN ({marks(verdicts)}) ORDER BY u.message DESC LIMIT ?",
            (not verdicts, *verdicts, limit),
        )
    )


def submissions_named(db: Database, start: str) -> list[str]:
    """Return the submissions whose name starts so, two at most: more than one is not one."""
    rows = db.execute("SELECT id FROM submissions WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2", (start,))
    return [name for (name,) in rows]


def authors(db: Database, component: str) -> tuple[str, ...]:
    """Return the authors of a component by name."""
    rows = db.execute("SELECT author FROM component_authors WHERE component = ? ORDER BY author", (component,))
    return tuple(author for (author,) in rows)


def hidden_results(db: Database) -> list[dict[str, Any]]:
    """Return every hidden score of accepted components: workload, kind, value, bound, baselines as JSON text."""
    return list(
        db.query(
            f"SELECT s.*, c.kind FROM {_AGREED}"  # noqa: S608 — names only
            " WHERE c.verdict = 'accepted' ORDER BY s.workload, s.value, s.component"
        )
    )


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
