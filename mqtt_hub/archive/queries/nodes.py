"""The archive's questions about nodes and sessions: what was, and how far it is on disk, for a hub that goes on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlite_utils import Database

__all__ = ["NodeRow", "known", "newest_sessions", "rejected_beyond", "rejected_kept", "session_progress"]


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node as the archive last saw it."""

    name: str
    role: str
    specialization: str
    state: str
    session: int
    instance: str


def known(db: Database) -> list[NodeRow]:
    """Return every node that ever spoke, by name."""
    rows = db.execute(
        "SELECT name, role, coalesce(specialization, ''), coalesce(state, ''), coalesce(session, 0),"
        " coalesce(instance, '') FROM nodes ORDER BY name"
    )
    return [NodeRow(*row) for row in rows]


def newest_sessions(db: Database, nodes: Iterable[str], *, limit: int) -> dict[str, list[int]]:
    """Return the last sessions of each of these nodes, newest first."""
    sql = (
        "SELECT s.session FROM sessions s JOIN nodes n ON n.id = s.node WHERE n.name = ?"
        " ORDER BY s.session DESC LIMIT ?"
    )
    return {node: [session for (session,) in db.execute(sql, (node, limit))] for node in nodes}


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
