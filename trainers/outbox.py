"""The outbox: what a node shares is on its own disk before it is on the wire, until the hub's receipt.

::

    put() ──commit──▶ outbox ──publish──▶ broker ──▶ hub ──commit──▶ archive
                        ▲                                               │
                        └───────────────── trim(receipt) ◀──────────────┘

One SQLite file a node. ``session`` grows with every start; ``seq`` by one for every message; so
``(node, session, seq)`` is used once for ever. Nothing is sent before the hub has granted a session. Where it
grants another number than this file proposed (an older disk was lost), `adopt_session` moves what waits.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from mqtt_hub.protocol.bodies import SessionReceipt
from mqtt_hub.protocol.codec import Message, decode, encode
from mqtt_hub.protocol.errors import MqttHubError

__all__ = ["Outbox", "OutboxError", "OutboxFullError", "Parcel", "summary"]

BYTES_MAX = 64 * 1024 * 1024

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    session INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, granted INTEGER NOT NULL DEFAULT FALSE
);
CREATE TABLE IF NOT EXISTS parcels (
    session INTEGER NOT NULL, seq INTEGER NOT NULL, recipient TEXT NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (session, seq)
) WITHOUT ROWID;
"""


class OutboxError(MqttHubError):
    """The node's own disk refuses: full, read-only, or the file is damaged."""

    exit_code = 6


class OutboxFullError(OutboxError):
    """So much waits for a receipt that nothing more is taken in: the search has to wait."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message in its final bytes; ``recipient`` is set where the topic ends in one."""

    session: int
    seq: int
    recipient: str
    payload: bytes


class Outbox:
    """The messages of one node that have no receipt yet. Used by one thread at a time (the node's lock)."""

    def __init__(self, path: Path, *, bytes_max: int = BYTES_MAX) -> None:
        self._path, self._bytes_max = path, bytes_max
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise _explained(path, error) from error
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            self.session = self._number("SELECT coalesce(max(session), 0) + 1 FROM sessions")
            self._db.execute("INSERT INTO sessions (session, last_seq) VALUES (?, 0)", (self.session,))
            self._bytes = self._number("SELECT coalesce(sum(length(payload)), 0) FROM parcels")
        except sqlite3.Error as error:
            self._db.close()
            raise _explained(path, error) from error
        self._seq = 0
        self._granted = False

    def put(self, message: Message, recipient: str) -> Parcel:
        """Give the message its session and seq and commit it; raises `OutboxFullError` at ``bytes_max``."""
        payload = encode(replace(message, session=self.session, seq=self._seq + 1))
        if self._bytes + len(payload) > self._bytes_max:
            raise OutboxFullError(
                f"{self._path}: {self._bytes} bytes wait for a receipt, at most {self._bytes_max}",
                hint="the hub is away or cannot write; the search waits",
            )
        parcel = Parcel(self.session, self._seq + 1, recipient, payload)
        with self._transaction():
            self._db.execute(
                "INSERT INTO parcels VALUES (?, ?, ?, ?)", (parcel.session, parcel.seq, recipient, payload)
            )
            self._db.execute("UPDATE sessions SET last_seq = ? WHERE session = ?", (parcel.seq, parcel.session))
        self._seq += 1
        self._bytes += len(payload)
        return parcel

    def adopt_session(self, session: int) -> None:
        """Take the session that the hub granted.

        What was put in under sessions that were never granted has not been sent: it moves to this one, in its
        order. Under a session granted before, keys may have been used: what waits there keeps them.
        """
        if self._granted and session == self.session:
            return
        with self._transaction():
            moved = self._db.execute(
                "SELECT recipient, payload FROM parcels JOIN sessions USING (session) WHERE NOT granted"
                " ORDER BY session, seq"
            ).fetchall()
            self._db.execute("DELETE FROM parcels WHERE session IN (SELECT session FROM sessions WHERE NOT granted)")
            self._db.execute("DELETE FROM sessions WHERE NOT granted")
            used = self._number("SELECT coalesce(max(last_seq), 0) FROM sessions WHERE session = ?", session)
            self._db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, TRUE)", (session, used + len(moved)))
            self._db.executemany(
                "INSERT INTO parcels VALUES (?, ?, ?, ?)",
                [
                    (session, seq, recipient, encode(replace(decode(payload), session=session, seq=seq)))
                    for seq, (recipient, payload) in enumerate(moved, used + 1)
                ],
            )
            self._bytes = self._number("SELECT coalesce(sum(length(payload)), 0) FROM parcels")
        self.session, self._seq, self._granted = session, used + len(moved), True

    def trim(self, committed: SessionReceipt) -> int:
        """Forget what the hub has committed; returns how many messages that were.

        Nothing goes before its session is granted: a late receipt may be about a namesake of an earlier disk.
        """
        within = "session = (SELECT session FROM sessions WHERE session = ? AND granted) AND seq <= ?"
        bounds = [committed.session, committed.highest]
        for gap in committed.missing:
            within += " AND seq NOT BETWEEN ? AND ?"
            bounds += [gap.first, gap.last]
        with self._transaction():
            freed, count = self._db.execute(
                f"SELECT coalesce(sum(length(payload)), 0), count(*) FROM parcels WHERE {within}",  # noqa: S608 — built above
                bounds,
            ).fetchone()
            self._db.execute(f"DELETE FROM parcels WHERE {within}", bounds)  # noqa: S608 — built above
        self._bytes -= freed
        return int(count)

    def pending(self, *, after: tuple[int, int] = (0, 0), limit: int = 1_000_000) -> list[Parcel]:
        """Return what has no receipt yet, oldest first, beyond the key ``after``."""
        try:
            rows = self._db.execute(
                "SELECT session, seq, recipient, payload FROM parcels WHERE (session, seq) > (?, ?)"
                " ORDER BY session, seq LIMIT ?",
                (*after, limit),
            ).fetchall()
        except sqlite3.Error as error:
            raise _explained(self._path, error) from error
        return [Parcel(*row) for row in rows]

    def count(self) -> int:
        """Return how many messages have no receipt yet."""
        try:
            return self._number("SELECT count(*) FROM parcels")
        except sqlite3.Error as error:
            raise _explained(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _number(self, query: str, *bounds: int) -> int:
        return int(self._db.execute(query, bounds).fetchone()[0])

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db, self._path)


def summary(home: Path) -> dict[str, int]:
    """Return what a node's outbox says without touching it: messages sent, still pending, evaluations done."""
    path = home / "outbox.db"
    if not path.exists():
        raise OutboxError(f"{home}: no outbox there", hint="name the home of a node that has run")
    evaluations = home / "evaluations"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            sent = db.execute("SELECT coalesce(sum(last_seq), 0) FROM sessions").fetchone()[0]
            pending = db.execute("SELECT count(*) FROM parcels").fetchone()[0]
        done = int(evaluations.read_text()) if evaluations.exists() else 0
    except (sqlite3.Error, OSError, ValueError) as error:
        raise OutboxError(f"{home}: {error}", hint="name the home of a node that has run") from error
    return {"sent": int(sent), "pending": int(pending), "evaluations": done}


def _explained(path: Path, error: Exception) -> OutboxError:
    return OutboxError(f"{path}: {error}", hint="the node's home must be writable and have room")


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT, with SQLite's errors as `OutboxError`."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = db, path

    def __enter__(self) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise _explained(self._path, error) from error

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._db.execute("ROLLBACK" if error else "COMMIT")
        except sqlite3.Error as failure:
            if error is None:
                raise _explained(self._path, failure) from failure
        if isinstance(error, sqlite3.Error):
            raise _explained(self._path, error) from error
