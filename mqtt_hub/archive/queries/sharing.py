"""The archive's questions about what was shared: who took what from whom, and what became of it.

::

    collaboration_answers ─▶ helped             asked, and answered
    imports ───────────────▶ adopted            unasked: a program came with another's work in it
    lineage, discoveries ──▶ programs_used      the programs that others built on
    submissions, authors ──▶ authorship         what was accepted of one author, and of several
    lineage, scores ───────▶ ancestry, records  how a component came about, how the best of a workload did

All of it is observed. What sharing *adds* is another question: `kernel-trainer experiment sharing`.
"""

from __future__ import annotations

from typing import Any

import orjson
from sqlite_utils import Database

__all__ = [
    "adopted",
    "adoptions",
    "ancestry",
    "authorship",
    "helped",
    "patterns_measured",
    "programs_shared",
    "programs_used",
    "records",
]

GENERATIONS_MAX = 32

# Validated improvement by submission: the share of the gap between best baseline and bound that it closed beyond
# everything before it.
_CREDITS = (
    "credits AS MATERIALIZED (SELECT submission, sum(credit_millionths) AS credit FROM trust_events"
    " WHERE deed = 'improved' AND submission IS NOT NULL GROUP BY submission)"
)


def helped(db: Database) -> list[dict[str, Any]]:
    """Return who answered whose requests, how often and at what cost in evaluations."""
    return list(db.query("SELECT * FROM who_helped_whom"))


def adopted(db: Database) -> list[dict[str, Any]]:
    """Return whose work was built on by whom: giver, taker, kind, programs with it in them, workloads they are for."""
    return list(
        db.query(
            "SELECT i.author AS giver, n.name AS taker, i.kind, count(DISTINCT i.component) AS programs,"
            " count(DISTINCT i.workload) AS workloads FROM imports i JOIN nodes n ON n.id = i.node"
            " GROUP BY 1, 2, 3 ORDER BY programs DESC, giver, taker, i.kind"
        )
    )


def adoptions(db: Database) -> tuple[int, int]:
    """Return how many findings were shared with another's work in them, and how many requests were completed."""
    built_on = db.execute("SELECT count(DISTINCT message) FROM imports").fetchone()[0]
    answered = db.execute("SELECT count(*) FROM collaborations WHERE state = 'completed'").fetchone()[0]
    return int(built_on), int(answered)


def programs_shared(db: Database) -> list[dict[str, Any]]:
    """Return for each kind how many programs were shared as code, and how many of them have others' work in them."""
    return list(
        db.query(
            "SELECT kind, count(DISTINCT component) AS programs, (SELECT count(DISTINCT i.component) FROM imports i"
            " WHERE i.kind = code.kind) AS with_others FROM code GROUP BY kind ORDER BY kind"
        )
    )


def authorship(db: Database) -> list[dict[str, Any]]:
    """Return for each kind, and for one author and several, the accepted submissions and what they improved.

    ``together`` is 1 where several authors are named; ``improvements`` counts those that got beyond everything
    before, ``credit`` is the sum of the shares of a gap that they closed by that.
    """
    return list(
        db.query(
            f"WITH {_CREDITS} SELECT u.kind, json_array_length(u.authors) > 1 AS together, count(*) AS accepted,"  # noqa: S608 — a name above
            " count(c.submission) AS improvements, coalesce(sum(c.credit), 0) / 1e6 AS credit"
            " FROM submissions u LEFT JOIN credits c ON c.submission = u.id WHERE u.verdict = 'accepted'"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        )
    )


def programs_used(db: Database, *, limit: int) -> list[dict[str, Any]]:
    """Return the programs that nodes other than their finder built on, most takers first.

    ``takers`` are those nodes, ``uses`` their programs that name it as a parent, ``credit`` what those improved
    when validated, in shares of a gap; ``verdict`` and ``target`` are its own, where it was submitted itself;
    ``in_all`` counts all such programs.
    """
    return list(
        db.query(
            f"""
            WITH {_CREDITS}, used AS (
                SELECT l.parent AS component, d.node AS finder, count(*) AS uses, count(DISTINCT l.node) AS takers,
                       count(*) OVER () AS in_all
                FROM lineage l JOIN discoveries d ON d.component = l.parent AND d.node != l.node
                GROUP BY l.parent ORDER BY takers DESC, uses DESC, l.parent LIMIT ?
            )
            SELECT used.component, n.name AS finder, m.type AS told_in, used.takers, used.uses,
                   used.in_all, (SELECT min(kind) FROM lineage WHERE parent = used.component) AS kind,
                   coalesce((SELECT sum(c.credit) FROM lineage l JOIN submissions u ON u.component = l.component
                             JOIN credits c ON c.submission = u.id
                             WHERE l.parent = used.component AND l.node != used.finder), 0) / 1e6 AS credit,
                   coalesce(c.verdict, '') AS verdict, coalesce(c.target, '') AS target
            FROM used JOIN nodes n ON n.id = used.finder JOIN discoveries d ON d.component = used.component
            LEFT JOIN messages m ON m.id = d.message LEFT JOIN components c ON c.id = used.component
            ORDER BY used.takers DESC, used.uses DESC, credit DESC, used.component
            """,  # noqa: S608 — a name above
            (limit,),
        )
    )


def patterns_measured(db: Database, *, limit: int) -> list[dict[str, Any]]:
    """Return the patterns with the largest gain of each kind: what their programs lost when they were taken out."""
    return list(
        db.query(
            "SELECT p.kind, p.function, p.expression, p.unit, p.gain, p.uses, coalesce(w.name, '') AS workload"
            " FROM (SELECT *, row_number() OVER (PARTITION BY kind ORDER BY gain DESC, expression) AS place"
            "   FROM best_patterns) p LEFT JOIN workloads w ON w.id = p.workload"
            " WHERE place <= ? ORDER BY p.kind, place",
            (limit,),
        )
    )


def records(db: Database, workload_id: str, capacity: int) -> list[dict[str, Any]]:
    """Return the accepted submissions that were better on a hidden workload than all before them, in order.

    Each with value, component, authors, who submitted it, when.
    """
    rows = db.query(
        """
        SELECT value, component, authors, submitter, submitted_at FROM (
            SELECT s.value, u.component, u.authors, n.name AS submitter, u.submitted_at, u.message,
                   min(s.value) OVER (
                       ORDER BY u.message, s.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ) AS before
            FROM hidden_scores s JOIN test_results t ON t.id = s.test_result
            JOIN submissions u ON u.id = t.submission AND u.digest = t.digest AND u.verdict = t.verdict
            LEFT JOIN nodes n ON n.id = u.node
            WHERE s.workload_id = ? AND s.capacity = ? AND u.verdict = 'accepted'
        ) WHERE before IS NULL OR value < before ORDER BY message
        """,
        (workload_id, capacity),
    )
    return [dict(row) | {"authors": orjson.loads(row["authors"])} for row in rows]


def ancestry(db: Database, id_: str, workload_id: str, capacity: int) -> list[dict[str, Any]]:
    """Return a component's line of best ancestors, itself first, as far as the archive knows it.

    Of several parents the line takes the one with the best hidden value on this workload, then one that was told of,
    then the first by name. ``value`` is None where no quorum counted it there; ``finder`` is None where nobody told
    of it: it is only named as a parent, the node that found it kept it.
    """
    line: list[dict[str, Any]] = []
    candidates = [_ancestor(db, id_, workload_id, capacity)]
    while candidates and len(line) < GENERATIONS_MAX:
        here = min(candidates, key=_rank)
        line.append(here | {"generation": len(line)})
        known = {step["component"] for step in line}
        parents = db.execute("SELECT parent FROM lineage WHERE component = ? LIMIT 16", (here["component"],)).fetchall()
        candidates = [_ancestor(db, parent, workload_id, capacity) for (parent,) in parents if parent not in known]
    return line


def _rank(ancestor: dict[str, Any]) -> tuple[bool, float, bool, str]:
    value = ancestor["value"]
    return value is None, value or 0.0, ancestor["finder"] is None, ancestor["component"]


def _ancestor(db: Database, id_: str, workload_id: str, capacity: int) -> dict[str, Any]:
    """Return who told of a component in which message, its authors as far as told, its verdict and hidden value."""
    finder, told_in, at = db.execute(
        "SELECT n.name, m.type, m.received_at FROM discoveries d JOIN nodes n ON n.id = d.node"
        " LEFT JOIN messages m ON m.id = d.message WHERE d.component = ?",
        (id_,),
    ).fetchone() or (None, None, None)
    (value,) = db.execute(
        "SELECT min(s.value) FROM hidden_scores s JOIN test_results t ON t.id = s.test_result"
        " JOIN submissions u ON u.id = t.submission AND u.digest = t.digest AND u.verdict = t.verdict"
        " WHERE s.component = ? AND s.workload_id = ? AND s.capacity = ?",
        (id_, workload_id, capacity),
    ).fetchone()
    verdict, authors = db.execute(
        "SELECT (SELECT verdict FROM components WHERE id = ?1), coalesce("
        " (SELECT authors FROM submissions WHERE component = ?1 ORDER BY message LIMIT 1),"
        " (SELECT authors FROM code WHERE component = ?1 ORDER BY id LIMIT 1), '[]')",
        (id_,),
    ).fetchone()
    return {
        "component": id_, "finder": finder, "told_in": told_in, "at": at, "verdict": verdict or "",
        "authors": orjson.loads(authors), "value": value,
    }  # fmt: skip
