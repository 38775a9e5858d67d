"""Full-text search over shared code, patterns and components: an index beside the archive, never in it.

The hub alone writes the archive, and keeping such an index there would cost every message. ``search.db`` follows
the archive by row number; it can be deleted at any time and is made again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlite_utils import Database

from mqtt_hub.archive.schema import explain, open_read_only

__all__ = ["SearchIndex"]

BUSY_TIMEOUT_MS = 5_000  # two people may browse at once
ROWS_A_STEP_MAX = 5_000

# For each source: what is new after row :after. Components have a text key, so their message's number stands in.
_SOURCES = {
    "pattern": (
        "SELECT p.id, p.message, n.name, p.kind, p.function || ': ' || p.expression, '' FROM patterns p"
        " LEFT JOIN nodes n ON n.id = p.node WHERE p.id > ? ORDER BY p.id LIMIT ?"
    ),
    "code": (
        "SELECT c.id, c.message, n.name, c.kind, c.source, c.component FROM code c"
        " LEFT JOIN nodes n ON n.id = c.node WHERE c.id > ? ORDER BY c.id LIMIT ?"
    ),
    "component": (
        "SELECT c.message, c.message, n.name, c.kind, c.source, c.id FROM components c"
        " LEFT JOIN nodes n ON n.id = c.node WHERE c.message > ? ORDER BY c.message LIMIT ?"
    ),
}


class SearchIndex:
    """The index of one archive; for the thread that made it."""

    def __init__(self, archive: Path, path: Path) -> None:
        """Open or make the index at ``path``; raises `ArchiveError`."""
        self.path = path
        try:
            self._archive = open_read_only(archive)
            self._db = Database(sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000))
            path.chmod(0o600)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._make()
        except sqlite3.Error as error:
            raise explain(error, path) from error

    def follow(self) -> int:
        """Take up at most `ROWS_A_STEP_MAX` new rows of each source; return how many there were."""
        taken = 0
        with self._db.conn:
            for source, select in _SOURCES.items():
                (after,) = self._db.execute("SELECT max(upto) FROM followed WHERE source = ?", (source,)).fetchone()
                rows = self._archive.execute(select, (after or 0, ROWS_A_STEP_MAX)).fetchall()
                if not rows:
                    continue
                self._db.conn.executemany(
                    "INSERT INTO knowledge (source, message, node, kind, text, component) VALUES (?, ?, ?, ?, ?, ?)",
                    [(source, *row[1:]) for row in rows],
                )
                self._db.execute("INSERT OR REPLACE INTO followed VALUES (?, ?)", (source, rows[-1][0]))
                taken += len(rows)
        return taken

    def close(self) -> None:
        """Close both files."""
        self._archive.conn.close()
        self._db.conn.close()

    def _make(self) -> None:
        if "knowledge" in self._db.table_names():
            return
        knowledge = self._db.table("knowledge").create(
            {"id": int, "source": str, "message": int, "node": str, "kind": str, "text": str, "component": str}, pk="id"
        )
        knowledge.enable_fts(["text", "node"], create_triggers=True, tokenize="unicode61 tokenchars '_'")
        self._db.table("followed").create({"source": str, "upto": int}, pk="source")
