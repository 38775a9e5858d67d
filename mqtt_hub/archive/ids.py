"""The rows that every other row points at: a node's id, and a session's row, each made where there is none."""

from __future__ import annotations

import sqlite3

__all__ = ["Ids"]

SESSIONS_NOTED_MAX = 10_000  # known to have their row; beyond it they are asked for again


class Ids:
    """What the writer has found or made; `forget` it when its transaction is rolled back."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._nodes: dict[str, int] = {}
        self._sessions: dict[tuple[str, int], int] = {}  # (node, session) that have their row, and the node's id

    def forget(self) -> None:
        """Know nothing: ask for everything again."""
        self._nodes.clear()
        self._sessions.clear()

    def node(self, name: str, now: str | None = None) -> int:
        """Return a node's id; one that nobody has heard of gets its row, first seen ``now``."""
        known = self._nodes.get(name)
        if known is not None:
            return known
        self._connection.execute(
            "INSERT OR IGNORE INTO nodes (name, role, first_seen) VALUES (?, 'unknown', ?)", (name, now)
        )
        row = self._connection.execute("SELECT id FROM nodes WHERE name = ?", (name,)).fetchone()
        self._nodes[name] = int(row[0])
        return self._nodes[name]

    def session(self, name: str, session: int, now: str) -> int:
        """Return a node's id, and give the session its row with its first sequenced message.

        A restart counts only sessions that have one.
        """
        known = self._sessions.get((name, session))
        if known is not None:
            return known
        if len(self._sessions) >= SESSIONS_NOTED_MAX:
            self._sessions.clear()
        node = self._sessions[name, session] = self.node(name, now)
        self._connection.execute(
            "INSERT OR IGNORE INTO sessions (node, session, upto) VALUES (?, ?, 0)", (node, session)
        )
        return node
