"""How a fact names what it is about."""

from __future__ import annotations

import sqlite3

__all__ = ["node_name", "short"]


def node_name(db: sqlite3.Connection, node: int) -> str:
    """Return a node's name, or its id where it has no row."""
    row = db.execute("SELECT name FROM archive.nodes WHERE id = ?", (node,)).fetchone()
    return str(row[0]) if row else f"node {node}"


def short(key: object) -> str:
    """Return what a row is known by, short enough for a line."""
    return f"message {key}" if isinstance(key, int) else str(key)[:24]
