"""The broker's state on disk: one SQLite file, each table a mirror of what the exchange holds in memory.

::

    sessions ──┬── subscriptions            retained     the last word on a topic
               ├── received   QoS 2 ids     wills        of the connections that are open
               └── outgoing ──▶ messages    (one row a message, however many wait for it)

A row is written and deleted by its key, the first columns of its table. A batch is one transaction and on disk
(``synchronous=FULL``) when `commit` returns. Used by one thread at a time.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from mqtt_hub.protocol.errors import ArchiveError

__all__ = ["TABLES", "Batch", "Key", "Row", "StateFile"]

Key: TypeAlias = tuple[Any, ...]
Row: TypeAlias = tuple[Any, ...]
Batch: TypeAlias = Mapping[str, Mapping[Key, Row | None]]  # table -> key -> row, or None to delete it

_VERSION = 1
_BUSY_S = 2.0


class _Table(NamedTuple):
    key: tuple[str, ...]
    others: tuple[str, ...]

    def create(self, name: str) -> str:
        if self.key == ("id",):
            return f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, {', '.join(self.others)}) STRICT"
        columns, key = ", ".join((*self.key, *self.others)), ", ".join(c.split()[0] for c in self.key)
        return f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({key})) STRICT, WITHOUT ROWID"

    def put(self, name: str) -> str:
        return f"INSERT OR REPLACE INTO {name} VALUES ({', '.join('?' * len(self.key + self.others))})"  # noqa: S608 — names below

    def delete(self, name: str) -> str:
        return f"DELETE FROM {name} WHERE {' AND '.join(f'{c.split()[0]} = ?' for c in self.key)}"  # noqa: S608 — names below


TABLES: dict[str, _Table] = {
    "sessions": _Table(("id",), ("account TEXT", "role TEXT", "client_id TEXT", "left_at REAL")),
    "subscriptions": _Table(("session INTEGER", "filter TEXT"), ("qos INTEGER",)),
    "received": _Table(("session INTEGER", "packet_id INTEGER"), ()),
    "messages": _Table(("id",), ("topic TEXT", "payload BLOB")),
    "outgoing": _Table(
        ("id",),
        (
            "session INTEGER",
            "message INTEGER",
            "qos INTEGER",
            "retain INTEGER",
            "packet_id INTEGER",
            "released INTEGER",
        ),
    ),
    "retained": _Table(("topic TEXT",), ("payload BLOB", "qos INTEGER")),
    "wills": _Table(
        ("id",),
        ("account TEXT", "role TEXT", "client_id TEXT", "topic TEXT", "payload BLOB", "qos INTEGER", "retain INTEGER"),
    ),
}


class StateFile:
    """The file; made (0600) where there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._explained(error) from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._db.close()
            raise self._explained(error) from error
        except ArchiveError:
            self._db.close()
            raise

    def _prepare(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise ArchiveError(f"{self._path}: written by a newer version ({version})", hint="update mqtt-hub")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        if version == 0:
            tables = ";".join(table.create(name) for name, table in TABLES.items())
            self._db.executescript(f"BEGIN; {tables}; PRAGMA user_version = {_VERSION}; COMMIT")
        damage = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(f"malformed: {damage.splitlines()[0]}")

    def rows(self, table: str) -> list[Row]:
        """Return all rows of a table in the order of their keys; raises `ArchiveError`."""
        try:
            key = ", ".join(column.split()[0] for column in TABLES[table].key)
            return self._db.execute(f"SELECT * FROM {table} ORDER BY {key}").fetchall()  # noqa: S608 — names above
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def commit(self, batch: Batch) -> None:
        """Write a batch in one transaction; raises `ArchiveError`, and nothing of it is written then."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for name, rows in batch.items():
                table = TABLES[name]
                gone = [key for key, row in rows.items() if row is None]
                if gone:
                    self._db.executemany(table.delete(name), gone)
                put = [row for row in rows.values() if row is not None]
                if put:
                    self._db.executemany(table.put(name), put)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise self._explained(error) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _explained(self, error: Exception) -> ArchiveError:
        text = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        hints = {
            "locked": "another program holds it",
            "readonly": "the file or its directory is not writable by this user",
            "full": "the disk is full: nothing is acknowledged until there is room",
            "not a database": "move it away: sessions and retained messages start anew, the archive is another file",
            "malformed": "move it away: sessions and retained messages start anew, the archive is another file",
        }
        hint = next((hint for word, hint in hints.items() if word in text), "")
        return ArchiveError(f"{self._path}: {text}", hint=hint)
