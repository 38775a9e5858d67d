"""What migrations fill new tables with from the messages that are there: as if the tables had been from the first on.

Like the migrations themselves, what is published here never changes.
"""

from __future__ import annotations

__all__ = ["TELEMETRY"]

# For m0019: all but activities, which begin with the migration.
TELEMETRY = (
    """
    INSERT INTO traffic
    SELECT substr(received_at, 1, 18) || '0', type, count(*)
    FROM messages GROUP BY 1, 2
    """,
    "INSERT INTO totals SELECT type, sum(messages) FROM traffic GROUP BY type",
    """
    INSERT OR IGNORE INTO workloads
    SELECT claims ->> '$[0].workload', kind, target, 'train' FROM submissions
    WHERE json_array_length(claims) > 0 ORDER BY message
    """,
    """
    INSERT OR IGNORE INTO workloads
    SELECT s.workload_id, c.kind, s.workload, 'hidden'
    FROM hidden_scores s JOIN components c ON c.id = s.component ORDER BY s.id
    """,
    """
    INSERT INTO progress (message, node, kind, workload, best, evaluations, at)
    SELECT id, node, kind, workload, best, evaluations, received_at FROM (
        SELECT *, max(best) OVER (
            PARTITION BY node, kind, workload ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS before
        FROM (
            SELECT id, node, received_at, payload ->> '$.body.kind' AS kind,
                   payload ->> '$.body.workload' AS workload, CAST(payload ->> '$.body.best' AS REAL) AS best,
                   payload ->> '$.body.evaluations' AS evaluations
            FROM messages WHERE type = 'PROGRESS' AND payload ->> '$.body.activity' IN ('search', 'help')
        )
    ) WHERE before IS NULL OR best > before ORDER BY id
    """,
    """
    INSERT INTO imports (message, node, kind, workload, author, component, at)
    SELECT c.message, c.node, c.kind, coalesce(c.claims ->> '$[0].workload', ''), a.value, c.component, m.received_at
    FROM code c JOIN messages m ON m.id = c.message JOIN nodes n ON n.id = c.node JOIN json_each(c.authors) a
    WHERE a.value <> n.name ORDER BY c.message
    """,
)
