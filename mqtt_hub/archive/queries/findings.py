"""The archive's questions about what was found: distance to the bound, the race towards it, components."""

from __future__ import annotations

from typing import Any

import orjson
from sqlite_utils import Database

__all__ = [
    "arrivals",
    "board",
    "component",
    "leaders",
    "limits",
    "race",
    "scores_of",
    "source_of",
    "submissions_by_verdict",
    "verdicts_of",
    "workload_digests",
    "workloads",
]

STEPS_MAX = 5_000  # of all nodes in one race
ARRIVALS_MAX = 500
CHILDREN_MAX = 50
SUBMISSIONS_MAX = 50  # of one component
ANCESTORS_MAX = 200
GENERATIONS_MAX = 32


def workloads(db: Database) -> list[dict[str, Any]]:
    """Return every (kind, workload) that any node told progress of, in order."""
    return list(
        db.query(
            # A skip scan: each step finds the next pair in the index, however many rows a pair has.
            """
            WITH RECURSIVE pair(kind, workload) AS (
                SELECT * FROM (SELECT kind, workload FROM progress ORDER BY kind, workload LIMIT 1)
                UNION ALL
                SELECT p.kind, p.workload FROM pair JOIN progress p ON p.id = (
                    SELECT coalesce(
                        (SELECT id FROM progress WHERE kind = pair.kind AND workload > pair.workload
                         ORDER BY workload LIMIT 1),
                        (SELECT id FROM progress WHERE kind > pair.kind ORDER BY kind, workload LIMIT 1)))
            )
            SELECT kind, workload FROM pair
            """
        )
    )


def workload_digests(db: Database, *, limit: int) -> list[dict[str, Any]]:
    """Return by kind and name the parts of workloads that were claimed or scored on: id (SHA-256), kind, name, part."""
    return list(db.query("SELECT id, kind, name, part FROM workloads ORDER BY kind, name, part DESC LIMIT ?", (limit,)))


def limits(db: Database) -> list[dict[str, Any]]:
    """Return for each kind, hidden workload and capacity the best accepted component between baselines and bound.

    ``best`` was chosen with the hidden score in view; ``chosen`` is the accepted component submitted for that
    workload last: its author saw the train part only. ``baselines`` and ``programs`` are name -> value.
    """
    rows = db.query(
        """
        WITH RECURSIVE hidden(id, capacity) AS (
            SELECT * FROM (SELECT workload_id, capacity FROM hidden_scores ORDER BY workload_id, capacity LIMIT 1)
            UNION ALL
            SELECT s.workload_id, s.capacity FROM hidden JOIN hidden_scores s ON s.id = (
                SELECT coalesce(
                    (SELECT id FROM hidden_scores WHERE workload_id = hidden.id AND capacity > hidden.capacity
                     ORDER BY capacity LIMIT 1),
                    (SELECT id FROM hidden_scores WHERE workload_id > hidden.id
                     ORDER BY workload_id, capacity LIMIT 1)))
        )
        SELECT c.kind, s.* FROM hidden JOIN hidden_scores s ON s.id = (
            SELECT s.id FROM hidden_scores s
            JOIN test_results t ON t.id = s.test_result
            JOIN submissions u ON u.id = t.submission AND u.digest = t.digest AND u.verdict = t.verdict
                AND u.verdict = 'accepted'
            WHERE s.workload_id = hidden.id AND s.capacity = hidden.capacity ORDER BY s.value, s.id LIMIT 1
        ) JOIN components c ON c.id = s.component ORDER BY c.kind, s.workload, s.capacity
        """
    )
    found = []
    for row in rows:
        row["baselines"] = orjson.loads(row["baselines"])
        row["programs"] = orjson.loads(row["programs"])
        found.append(row | {"best": row["component"], "chosen": _chosen(db, row)})
    return found


def _chosen(db: Database, row: dict[str, Any]) -> dict[str, Any] | None:
    return next(
        db.query(
            # CROSS: in this order, which the index of submissions gives, and no further than to the first.
            "SELECT u.component, s.value, n.name AS submitter, u.submitted_at FROM submissions u"
            " CROSS JOIN hidden_scores s ON s.component = u.component AND s.workload_id = ? AND s.capacity = ?"
            " JOIN test_results t ON t.id = s.test_result AND t.submission = u.id AND t.digest = u.digest"
            " AND t.verdict = u.verdict LEFT JOIN nodes n ON n.id = u.node"
            " WHERE u.kind = ? AND u.target = ? AND u.verdict = 'accepted' ORDER BY u.message DESC LIMIT 1",
            (row["workload_id"], row["capacity"], row["kind"], row["workload"]),
        ),
        None,
    )


def leaders(db: Database, kind: str, workload: str, *, limit: int) -> list[dict[str, Any]]:
    """Return the nodes with the best of their own on a workload: node, best; the best first."""
    return list(
        db.query(
            "SELECT n.name AS node, max(p.best) AS best FROM progress p JOIN nodes n ON n.id = p.node"
            " WHERE p.kind = ? AND p.workload = ? GROUP BY p.node ORDER BY best DESC, n.name LIMIT ?",
            (kind, workload, limit),
        )
    )


def race(db: Database, kind: str, workload: str, names: list[str]) -> list[dict[str, Any]]:
    """Return every step in which these nodes' best grew: node, at, evaluations, best; in the order of arrival."""
    rows = db.query(
        "SELECT n.name AS node, p.at, p.evaluations, p.best FROM json_each(?3) name"
        " JOIN nodes n ON n.name = name.value"
        " JOIN progress p ON p.kind = ?1 AND p.workload = ?2 AND p.node = n.id ORDER BY p.id DESC LIMIT ?4",
        (kind, workload, orjson.dumps(names).decode(), STEPS_MAX),
    )
    return list(rows)[::-1]


def arrivals(db: Database, kind: str, workload: str, names: list[str]) -> list[dict[str, Any]]:
    """Return when knowledge of others arrived at these nodes.

    ``how`` is ``built on`` (the first program it shared with another's work in it) or ``answer`` (to a request of
    its own, with a program).
    """
    return list(
        db.query(
            """
            SELECT n.name AS node, i.author AS "from", min(i.at) AS at, 'built on' AS how, i.component
            FROM json_each(?3) name CROSS JOIN nodes n ON n.name = name.value
            CROSS JOIN workloads w ON w.kind = ?1 AND w.name = ?2
            CROSS JOIN imports i ON i.workload = w.id AND i.node = n.id
            GROUP BY 1, 2
            UNION ALL
            SELECT r.name, h.name, a.answered_at, 'answer', a.component
            FROM json_each(?3) name CROSS JOIN nodes r ON r.name = name.value
            CROSS JOIN workloads w ON w.kind = ?1 AND w.name = ?2
            CROSS JOIN collaborations c ON c.workload = w.id AND c.requester = r.id
            CROSS JOIN collaboration_answers a ON a.collaboration = c.id
            JOIN nodes h ON h.id = a.helper WHERE a.status = 'completed' AND a.component != ''
            ORDER BY 3 LIMIT ?4
            """,
            (kind, workload, orjson.dumps(names).decode(), ARRIVALS_MAX),
        )
    )


def submissions_by_verdict(db: Database) -> dict[str, int]:
    """Return how many submissions there are by verdict, those still pending or disputed too."""
    return dict(db.execute("SELECT verdict, count(*) FROM submissions GROUP BY verdict").fetchall())


def board(db: Database, *, verdict: str = "", before: int | None = None, limit: int) -> list[dict[str, Any]]:
    """Return the newest submissions with verdict and tests; ``place`` counts submissions from the first."""
    # Places first, from the index alone: a submission's row is long, and most are not shown.
    places = (
        "SELECT rowid FROM submissions WHERE verdict = ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3"
        if verdict
        else "SELECT rowid FROM submissions WHERE ?1 = '' AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3"
    )
    rows = db.query(
        f"""
        SELECT u.rowid AS place, u.id AS submission, u.component AS id, u.kind, u.target, u.verdict,
               coalesce(u.reason, '') AS reason, u.submitted_at, u.judged_at, n.name AS submitter,
               u.authors, u.needed, u.agreeing, u.dissenting, u.round
        FROM submissions u LEFT JOIN nodes n ON n.id = u.node WHERE u.rowid IN ({places}) ORDER BY u.rowid DESC
        """,  # noqa: S608 — one of the two above
        (verdict, 2**62 if before is None else before, limit),
    )
    return [
        dict(row) | {"authors": orjson.loads(row["authors"]), "results": verdicts_of(db, submission=row["submission"])}
        for row in rows
    ]


def component(db: Database, id_: str) -> dict[str, Any] | None:
    """Return one submitted component with authors, parents, children and the nodes that build on it."""
    found = next(
        db.query(
            "SELECT c.id, c.submission, c.kind, c.source, c.c_source, c.target, c.claims, c.verdict,"
            " coalesce(c.reason, '') AS reason, c.digest, c.submitted_at, c.judged_at, c.message,"
            " n.name AS submitter FROM components c"
            " LEFT JOIN nodes n ON n.id = c.node WHERE c.id = ?",
            (id_,),
        ),
        None,
    )
    if found is None:
        return None
    authors = db.execute("SELECT author FROM component_authors WHERE component = ? ORDER BY author", (id_,))
    return found | {
        "submissions": list(
            db.query(
                "SELECT u.id, n.name AS submitter, u.target, u.verdict, coalesce(u.reason, '') AS reason, u.needed,"
                " u.agreeing, u.dissenting, u.round, u.submitted_at, u.judged_at FROM submissions u"
                " LEFT JOIN nodes n ON n.id = u.node WHERE u.component = ? ORDER BY u.rowid LIMIT ?",
                (id_, SUBMISSIONS_MAX),
            )
        ),
        "authors": [author for (author,) in authors],
        "parents": [parent for (parent,) in db.execute("SELECT parent FROM lineage WHERE component = ?", (id_,))],
        "ancestors": _ancestors(db, id_),
        "children": list(
            db.query(
                "SELECT l.component AS id, n.name AS node, coalesce(c.verdict, '') AS verdict FROM lineage l"
                " LEFT JOIN nodes n ON n.id = l.node LEFT JOIN components c ON c.id = l.component"
                " WHERE l.parent = ? ORDER BY l.rowid LIMIT ?",
                (id_, CHILDREN_MAX),
            )
        ),
        "used_by": [
            name
            for (name,) in db.execute(
                "SELECT DISTINCT n.name FROM lineage l JOIN nodes n ON n.id = l.node WHERE l.parent = ? ORDER BY 1",
                (id_,),
            )
        ],
    }


def _ancestors(db: Database, id_: str) -> list[dict[str, Any]]:
    """Return the ancestors by generation, each once where it is nearest, with who found it and its verdict."""
    return list(
        db.query(
            """
            WITH RECURSIVE line(id, generation) AS (
                SELECT ?1, 0
                UNION
                SELECT l.parent, line.generation + 1 FROM line JOIN lineage l ON l.component = line.id
                WHERE line.generation < ?2 LIMIT ?3
            )
            SELECT line.id, min(line.generation) AS generation, n.name AS node, coalesce(c.verdict, '') AS verdict
            FROM line LEFT JOIN lineage l ON l.component = line.id LEFT JOIN nodes n ON n.id = l.node
            LEFT JOIN components c ON c.id = line.id
            WHERE line.generation > 0 GROUP BY line.id ORDER BY 2, 1
            """,
            (id_, GENERATIONS_MAX, ANCESTORS_MAX),
        )
    )


def source_of(db: Database, id_: str) -> str | None:
    """Return a component's source, whether it was submitted or shared as code only."""
    row = db.execute(
        "SELECT source FROM components WHERE id = ?1 UNION ALL SELECT source FROM code WHERE component = ?1 LIMIT 1",
        (id_,),
    ).fetchone()
    return None if row is None else str(row[0])


def verdicts_of(db: Database, *, submission: str) -> list[dict[str, Any]]:
    """Return what each validator said of a submission, every test with its outcome and reason."""
    rows = db.query(
        "SELECT t.id, n.name AS validator, t.verdict, t.reason, t.digest, t.judged_at, t.message, t.tests"
        " FROM test_results t JOIN nodes n ON n.id = t.node WHERE t.submission = ? ORDER BY t.id",
        (submission,),
    )
    return [dict(row) | {"tests": orjson.loads(row["tests"])} for row in rows]


def scores_of(db: Database, id_: str) -> list[dict[str, Any]]:
    """Return a component's hidden scores, of the result that its verdict rests on (or the first there is)."""
    rows = db.query(
        "SELECT s.*, c.kind FROM hidden_scores s JOIN components c ON c.id = s.component WHERE s.component = ?1"
        " AND s.test_result = (SELECT t.id FROM test_results t WHERE t.component = ?1 ORDER BY"
        "  t.submission IS (SELECT submission FROM components WHERE id = ?1) DESC,"
        "  t.digest IS (SELECT digest FROM components WHERE id = ?1) DESC, t.id LIMIT 1) ORDER BY s.workload",
        (id_,),
    )
    return [
        dict(row) | {"baselines": orjson.loads(row["baselines"]), "programs": orjson.loads(row["programs"])}
        for row in rows
    ]
