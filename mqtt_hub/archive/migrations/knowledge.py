"""What accepted messages say, for people to read: patterns, code, components, results, who worked with whom."""

from __future__ import annotations

from sqlite_utils import Database

__all__ = ["m0002_knowledge", "m0003_views", "m0012_patterns_once", "m0014_bounds"]


def m0002_knowledge(db: Database) -> None:
    """What accepted messages say: patterns, code, components, verdicts, collaborations."""
    message = ("message", "messages", "id")
    node = ("node", "nodes", "id")
    db.table("patterns").create(
        {
            "id": int, "message": int, "node": int, "kind": str, "function": str, "expression": str,
            "unit": str, "gain": float, "uses": int, "workload": str, "component": str,
        },
        pk="id", foreign_keys=[message, node],
    )  # fmt: skip
    db.table("code").create(
        {
            "id": int, "message": int, "node": int, "kind": str, "component": str, "source": str,
            "authors": str, "parents": str, "claims": str,
        },
        pk="id", foreign_keys=[message, node],
    )  # fmt: skip
    db.table("components").create(
        {
            "id": str, "message": int, "node": int, "kind": str, "source": str, "c_source": str,
            "target": str, "claims": str, "verdict": str, "reason": str, "submitted_at": str, "judged_at": str,
            "digest": str,
        },
        pk="id", foreign_keys=[message, node], not_null={"kind", "source", "verdict"},
    )  # fmt: skip
    db.table("component_authors").create(
        {"component": str, "author": str},
        pk=("component", "author"),
        foreign_keys=[("component", "components", "id")],
    )
    # No foreign key to components: a parent may be known from code alone, or to its author only.
    db.table("lineage").create({"component": str, "parent": str, "kind": str, "node": int}, pk=("component", "parent"))
    db.table("test_results").create(
        {
            "id": int, "message": int, "node": int, "component": str, "submitter": str, "verdict": str,
            "reason": str, "digest": str, "tests": str, "judged_at": str,
        },
        pk="id", foreign_keys=[message, node],
    )  # fmt: skip
    db.table("test_results").create_index(["component"])
    db.table("hidden_scores").create(
        {
            "id": int, "test_result": int, "component": str, "workload": str, "workload_id": str, "metric": str,
            "capacity": int, "requests": int, "value": float, "bound": float, "best_baseline": str,
            "best_baseline_value": float, "picked": str, "picked_value": float, "baselines": str, "programs": str,
        },
        pk="id", foreign_keys=[("test_result", "test_results", "id")],
    )  # fmt: skip
    db.table("hidden_scores").create_index(["workload_id"])
    db.table("collaborations").create(
        {
            "id": str, "message": int, "requester": int, "kind": str, "workload": str, "wanted": str,
            "evaluations": int, "gap": float, "state": str, "requested_at": str, "expires_at": str,
            "ended_at": str,
        },
        pk="id", foreign_keys=[message, ("requester", "nodes", "id")], not_null={"state"},
    )  # fmt: skip
    db.table("collaboration_answers").create(
        {
            "id": int, "message": int, "collaboration": str, "helper": int, "status": str, "reason": str,
            "evaluations": int, "component": str, "answered_at": str,
        },
        pk="id",
        foreign_keys=[message, ("collaboration", "collaborations", "id"), ("helper", "nodes", "id")],
    )  # fmt: skip


def m0003_views(db: Database) -> None:
    """The questions people ask first."""
    db.create_view(
        "leaderboard",
        """
        SELECT s.workload, c.kind, s.metric, s.capacity, s.requests, s.value, s.bound, s.best_baseline,
               s.best_baseline_value,
               round((s.best_baseline_value - s.value) / nullif(s.best_baseline_value - s.bound, 0), 4)
                   AS gap_closed_beyond_best_baseline,
               s.component, n.name AS submitted_by, c.verdict
        FROM hidden_scores s
        JOIN test_results t ON t.id = s.test_result
        JOIN components c ON c.id = s.component AND c.digest = t.digest AND c.verdict = t.verdict
        LEFT JOIN nodes n ON n.id = c.node
        WHERE c.verdict = 'accepted'
        GROUP BY s.workload_id, s.capacity, s.component
        ORDER BY s.workload, s.value, s.component
        """,
    )
    db.create_view(
        "who_helped_whom",
        """
        SELECT h.name AS helper, r.name AS requester, c.kind, a.status, count(*) AS answers,
               sum(a.evaluations) AS evaluations, count(nullif(a.component, '')) AS components
        FROM collaboration_answers a
        JOIN collaborations c ON c.id = a.collaboration
        JOIN nodes h ON h.id = a.helper
        JOIN nodes r ON r.id = c.requester
        GROUP BY h.name, r.name, c.kind, a.status
        ORDER BY answers DESC
        """,
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
        SELECT line.component, line.generation, line.ancestor, n.name AS found_by
        FROM line
        LEFT JOIN lineage l ON l.component = line.ancestor
        LEFT JOIN nodes n ON n.id = l.node
        GROUP BY line.component, line.generation, line.ancestor
        ORDER BY line.component, line.generation
        """,
    )
    db.create_view(
        "traffic_by_minute",
        """
        SELECT substr(m.received_at, 1, 16) AS minute, m.type, count(*) AS messages, sum(length(m.payload)) AS bytes
        FROM messages m GROUP BY 1, 2 ORDER BY 1 DESC, 3 DESC
        """,
    )


def m0012_patterns_once(db: Database) -> None:
    """A pattern is told by its message: a view for people, and of each kind the best, from which nodes are greeted."""
    db.table("best_patterns").create(
        {
            "kind": str, "function": str, "expression": str, "unit": str, "gain": float, "uses": int,
            "workload": str, "component": str,
        },
        pk=("kind", "function", "expression"), not_null={"gain"},
    )  # fmt: skip
    db.execute(
        """
        INSERT INTO best_patterns SELECT kind, function, expression, unit, gain, uses, workload, component FROM (
            SELECT *, row_number() OVER (PARTITION BY kind ORDER BY gain DESC, expression) AS place FROM (
                SELECT kind, function, expression, unit, max(gain) AS gain, uses, workload, component
                FROM patterns GROUP BY kind, function, expression
            )
        ) WHERE place <= 64
        """
    )
    db.table("patterns").drop()
    fields = ("kind", "function", "expression", "unit", "gain", "uses", "workload", "component")
    columns = ", ".join(f"json_extract(payload, '$.body.{field}') AS {field}" for field in fields)
    sql = f"SELECT id, id AS message, node, {columns} FROM messages WHERE type = 'PATTERN_SHARE'"  # noqa: S608 — names above
    db.create_view("patterns", sql)


def m0014_bounds(db: Database) -> None:
    """What was rejected beyond a node's quota, and which keys retention has taken out: no gap is unexplained."""
    db.table("nodes").add_column("rejected_beyond", int, not_null_default=0)
    db.table("pruned").create(
        {"id": int, "node": int, "session": int, "first": int, "last": int, "pruned_at": str},
        pk="id", foreign_keys=[("node", "nodes", "id")], not_null={"node", "session", "first", "last"},
    )  # fmt: skip
    db.table("pruned").create_index(["node", "session", "first"], unique=True)
