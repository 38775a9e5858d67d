"""The archive's questions of how nodes stand: trust, offences, quarantine."""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database

__all__ = ["levels", "offences", "quarantined", "standings"]


def standings(db: Database) -> list[dict[str, Any]]:
    """Return how every node stands: level, trust 0..1, improvements, offences, strikes, credit in gaps closed."""
    return list(db.query("SELECT * FROM standings"))


def offences(db: Database, node: str = "") -> list[dict[str, Any]]:
    """Return what was held against a node, or against anybody, in order: at, name, deed, cause."""
    return list(db.query("SELECT * FROM offences WHERE name = ?1 OR ?1 = ''", (node,)))


def quarantined(db: Database) -> dict[str, str]:
    """Return the nodes under quarantine with the reason."""
    return dict(db.execute("SELECT name, quarantined FROM standings WHERE quarantined != ''").fetchall())


def levels(db: Database) -> dict[str, int]:
    """Return how many nodes there are at each level of trust."""
    return dict(db.execute("SELECT level, count(*) FROM standings GROUP BY level ORDER BY level").fetchall())
