"""Canned queries: what people ask an archive first, each one SELECT with its title and what its answer means."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["QUESTIONS"]

QUESTIONS: Mapping[str, Mapping[str, str]] = {
    "leaderboard_best": {
        "title": "The best component of each hidden workload",
        "description": "With how much of the way from the best baseline to the bound it closes; below 0 is a loss.",
        "sql": """
            SELECT kind, workload, metric, min(value) AS value, best_baseline, best_baseline_value, bound,
                   gap_closed_beyond_best_baseline, submitted_by, component
            FROM leaderboard GROUP BY kind, workload, capacity ORDER BY kind, workload
        """,
    },
    "who_helped_whom_table": {
        "title": "Who helped whom",
        "description": "Completed answers to collaboration requests, what they cost and how many brought a program.",
        "sql": """
            SELECT helper, requester, kind, answers, evaluations, components
            FROM who_helped_whom WHERE status = 'completed' ORDER BY components DESC, answers DESC
        """,
    },
    "traffic": {
        "title": "Traffic by minute",
        "description": "Accepted messages of the last 24 hours on record.",
        "sql": """
            SELECT minute, sum(messages) AS messages, sum(bytes) AS bytes FROM traffic_by_minute
            GROUP BY minute ORDER BY minute DESC LIMIT 1440
        """,
    },
    "slowest_validations": {
        "title": "The slowest validations",
        "description": "Seconds from submission to verdict, by the hub's clock.",
        "sql": """
            SELECT round((julianday(judged_at) - julianday(submitted_at)) * 86400, 3) AS seconds,
                   kind, target, verdict, id AS component
            FROM components WHERE judged_at IS NOT NULL ORDER BY seconds DESC LIMIT 100
        """,
    },
    "rejected_by_reason": {
        "title": "Rejected messages by reason",
        "description": "What was refused, of whom, and how often.",
        "sql": """
            SELECT r.reason, n.name AS account, count(*) AS messages, max(r.received_at) AS last
            FROM rejected r LEFT JOIN nodes n ON n.id = r.node GROUP BY 1, 2 ORDER BY messages DESC LIMIT 500
        """,
    },
    "failed_tests": {
        "title": "Which tests components fail",
        "description": "Failed tests of all verdicts, by name.",
        "sql": """
            SELECT json_extract(test.value, '$.name') AS test, count(*) AS failures,
                   max(json_extract(test.value, '$.reason')) AS for_example
            FROM test_results t, json_each(t.tests) AS test
            WHERE json_extract(test.value, '$.outcome') = 'failed' GROUP BY 1 ORDER BY 2 DESC
        """,
    },
    "ancestors": {
        "title": "The ancestors of a component",
        "description": "Give the beginning of its digest.",
        "sql": """
            SELECT l.generation, l.ancestor, l.found_by, c.verdict
            FROM lineage_of_accepted l LEFT JOIN components c ON c.id = l.ancestor
            WHERE l.component GLOB :component || '*' ORDER BY l.generation LIMIT 500
        """,
    },
    "node_accounts": {
        "title": "What each node sent",
        "description": "Messages with a sequence number, accepted and rejected: with those missing, what it sent.",
        "sql": """
            SELECT n.name, n.role, n.state,
                   (SELECT count(*) FROM messages m WHERE m.node = n.id AND m.seq IS NOT NULL) AS accepted,
                   (SELECT count(*) FROM rejected r WHERE r.node = n.id AND r.seq IS NOT NULL) AS rejected
            FROM nodes n ORDER BY n.name
        """,
    },
}
