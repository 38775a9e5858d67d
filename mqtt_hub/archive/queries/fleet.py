"""The archive's questions about nodes: who they are, what they do, who gave what to whom."""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database

from mqtt_hub.archive.queries.marks import marks

__all__ = [
    "collaboration",
    "collaborations",
    "edges",
    "fleet",
    "help_given",
    "lanes",
    "machines",
    "node",
    "recent_rates",
    "shares_of",
]

EDGES_MAX = 400  # drawn; the lightest are left out
LATEST_MAX = 2_000  # rows of each sort that edges and marks are taken from
SPANS_A_LANE_MAX = 400
OFFENCES_MAX = 50


def presence(db: Database) -> list[dict[str, Any]]:
    """Return name, role and state of every node but the hub; ``here`` is 1 while it is connected."""
    return list(
        db.query(
            "SELECT name, role, coalesce(state, '') AS state,"
            " coalesce(state, '') IN ('init', 'ready', 'sleeping') AS here FROM nodes WHERE role != 'hub'"
        )
    )


def fleet(db: Database, *, limit: int, offset: int = 0) -> list[dict[str, Any]]:
    """Return nodes, those that are here first: state, what each does now, how much of it is archived."""
    return list(
        db.query(
            "SELECT n.name, n.role, coalesce(n.specialization, '') AS specialization, coalesce(n.kinds, '[]') AS kinds,"
            " coalesce(n.state, '') AS state, n.first_seen, n.last_seen, coalesce(n.session, 0) AS session,"
            " (SELECT coalesce(sum(s.upto), 0) FROM sessions s WHERE s.node = n.id) AS committed,"
            " a.activity, a.ended_at AS told_at, coalesce(t.level, 'new') AS level, coalesce(t.trust, 0.5) AS trust,"
            " coalesce(t.quarantined, '') AS quarantined FROM ("
            "   SELECT * FROM nodes WHERE role != 'hub' ORDER BY state IN ('init', 'ready', 'sleeping') DESC,"
            "   role != 'trainer', length(name), name LIMIT ? OFFSET ?) n"
            " LEFT JOIN trust t ON t.node = n.id"
            " LEFT JOIN activities a ON a.id = (SELECT max(id) FROM activities WHERE node = n.id)",
            (limit, offset),
        )
    )


def node(db: Database, name: str) -> dict[str, Any] | None:
    """Return one node with its starts, its components by verdict and the help it gave and got."""
    found = next(
        db.query(
            "SELECT id, name, role, coalesce(specialization, '') AS specialization, coalesce(kinds, '[]') AS kinds,"
            " coalesce(state, '') AS state, coalesce(session, 0) AS session, coalesce(instance, '') AS instance,"
            " coalesce(capabilities, '{}') AS capabilities, first_seen, last_seen FROM nodes WHERE name = ?",
            (name,),
        ),
        None,
    )
    if found is None:
        return None
    id_ = found["id"]
    verdicts = "SELECT verdict, count(*) FROM submissions WHERE node = ? GROUP BY verdict"
    return found | {
        "standing": next(db.query("SELECT * FROM standings WHERE name = ?", (name,)), None),
        "offences": list(
            db.query("SELECT * FROM offences WHERE name = ? ORDER BY id DESC LIMIT ?", (name, OFFENCES_MAX))
        ),
        "messages": db.execute("SELECT count(*) FROM messages WHERE node = ?", (id_,)).fetchone()[0],
        "rejected": db.execute("SELECT count(*) FROM rejected WHERE node = ?", (id_,)).fetchone()[0],
        "components": dict(db.execute(verdicts, (id_,)).fetchall()),
        "starts": list(
            db.query(
                "SELECT session, upto, granted_at FROM sessions WHERE node = ? ORDER BY session DESC LIMIT 20", (id_,)
            )
        ),
        "helped": list(db.query("SELECT * FROM who_helped_whom WHERE helper = ?", (name,))),
        "got_help": list(db.query("SELECT * FROM who_helped_whom WHERE requester = ?", (name,))),
        "best": list(
            db.query(
                "SELECT kind, workload, max(best) AS best, max(evaluations) AS evaluations, max(at) AS at FROM progress"
                " WHERE node = ? GROUP BY kind, workload ORDER BY kind, workload",
                (id_,),
            )
        ),
    }


def shares_of(db: Database, name: str, *, limit: int) -> list[dict[str, Any]]:
    """Return the components that a node submitted last."""
    return list(
        db.query(
            "SELECT u.component AS id, u.kind, u.target, u.verdict, u.reason, u.submitted_at FROM submissions u"
            " JOIN nodes n ON n.id = u.node WHERE n.name = ? ORDER BY u.rowid DESC LIMIT ?",
            (name, limit),
        )
    )


def lanes(db: Database, names: list[str], since: str) -> list[dict[str, Any]]:
    """Return what these nodes did since a time: activity, from when to when; for each node in order.

    An offline span that nothing followed has not ended: ``open`` is 1.
    """
    spans: list[dict[str, Any]] = []
    for name in names:
        newest_first = list(
            db.query(
                "SELECT n.name AS node, a.activity, a.kind, a.began_at, a.ended_at, a.told,"
                " a.activity = 'offline' AND a.id = (SELECT max(id) FROM activities WHERE node = n.id)"
                "   AND n.state NOT IN ('init', 'ready', 'sleeping') AS open"
                " FROM nodes n JOIN activities a ON a.node = n.id WHERE n.name = ? AND (a.ended_at >= ? OR open)"
                " ORDER BY a.id DESC LIMIT ?",
                (name, since, SPANS_A_LANE_MAX),
            )
        )
        spans += newest_first[::-1]
    return spans


def help_given(db: Database, names: list[str], since: str) -> list[dict[str, Any]]:
    """Return the answers with work in them that these nodes gave since a time, of the newest `LATEST_MAX` answers."""
    rows = db.query(
        "SELECT h.name AS node, r.name AS requester, a.answered_at AS at, a.evaluations, a.collaboration"
        " FROM (SELECT * FROM collaboration_answers ORDER BY id DESC LIMIT ?) a"
        " JOIN nodes h ON h.id = a.helper JOIN collaborations c ON c.id = a.collaboration"
        " JOIN nodes r ON r.id = c.requester"
        " WHERE a.status = 'completed' AND a.evaluations > 0 AND a.answered_at >= ?",
        (LATEST_MAX, since),
    )
    return [dict(row) for row in rows if row["node"] in names]


def machines(db: Database, *, limit: int) -> list[dict[str, Any]]:
    """Return on what machines nodes run, as their HELLO said: role, capabilities (JSON text), how many nodes each."""
    return list(
        db.query(
            "SELECT role, coalesce(capabilities, '{}') AS capabilities, count(*) AS nodes FROM nodes"
            " WHERE role IN ('trainer', 'validator') GROUP BY 1, 2 ORDER BY nodes DESC, 1, 2 LIMIT ?",
            (limit,),
        )
    )


def recent_rates(db: Database, since: str) -> list[dict[str, Any]]:
    """Return messages by type and 10 s from a time on."""
    return list(db.query("SELECT at, type, messages FROM traffic WHERE at >= ? ORDER BY at, type", (since,)))


def edges(db: Database) -> list[dict[str, Any]]:
    """Return who gave what to whom, heaviest first: answered requests, work built on, verdicts.

    Sums of the `LATEST_MAX` newest rows of each sort.
    """
    return list(
        db.query(
            """
            SELECT * FROM (
                SELECT h.name AS giver, r.name AS taker, 'answer' AS sort, count(*) AS times
                FROM (SELECT * FROM collaboration_answers ORDER BY id DESC LIMIT ?1) a
                JOIN collaborations c ON c.id = a.collaboration
                JOIN nodes h ON h.id = a.helper JOIN nodes r ON r.id = c.requester
                WHERE a.status = 'completed' GROUP BY 1, 2
                UNION ALL
                SELECT i.author, n.name, 'import', count(*)
                FROM (SELECT * FROM imports ORDER BY id DESC LIMIT ?1) i JOIN nodes n ON n.id = i.node GROUP BY 1, 2
                UNION ALL
                SELECT n.name, t.submitter, 'verdict', count(*)
                FROM (SELECT node, submitter FROM test_results ORDER BY id DESC LIMIT ?1) t
                JOIN nodes n ON n.id = t.node GROUP BY 1, 2
            ) ORDER BY times DESC, giver, taker, sort LIMIT ?2
            """,
            (LATEST_MAX, EDGES_MAX),
        )
    )


_COLLABORATION = (
    "SELECT c.id, n.name AS requester, c.kind, coalesce(w.name, substr(c.workload, 1, 12)) AS workload, c.wanted,"
    " c.evaluations, c.gap, c.state, c.requested_at, c.expires_at, c.ended_at, c.message,"
    " (SELECT count(*) FROM collaboration_answers a WHERE a.collaboration = c.id) AS answers"
    " FROM collaborations c JOIN nodes n ON n.id = c.requester LEFT JOIN workloads w ON w.id = c.workload"
)


def collaborations(db: Database, *, states: tuple[str, ...] = (), limit: int) -> list[dict[str, Any]]:
    """Return the newest collaborations, of these states where some are named."""
    condition = f" WHERE c.state IN ({marks(states)})" if states else ""
    return list(db.query(f"{_COLLABORATION}{condition} ORDER BY c.rowid DESC LIMIT ?", (*states, limit)))


def collaboration(db: Database, id_: str) -> dict[str, Any] | None:
    """Return one collaboration with its answers in order."""
    found = next(db.query(f"{_COLLABORATION} WHERE c.id = ?", (id_,)), None)
    if found is None:
        return None
    return found | {
        "answered": list(
            db.query(
                "SELECT n.name AS helper, a.status, a.reason, a.evaluations, a.component, a.answered_at, a.message"
                " FROM collaboration_answers a JOIN nodes n ON n.id = a.helper WHERE a.collaboration = ? ORDER BY a.id",
                (id_,),
            )
        )
    }
