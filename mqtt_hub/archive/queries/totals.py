"""The archive's questions of how many: messages, refusals, verdicts, collaborations."""

from __future__ import annotations

from sqlite_utils import Database

__all__ = ["active_collaborations", "archived_by_node", "components_by_verdict", "messages_by_type", "rejected"]


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
