"""The outbox: what a node shares is on its own disk before it is on the wire, until the hub's receipt.

::

    put() ──commit──▶ outbox ──publish──▶ broker ──▶ hub ──commit──▶ archive
                        ▲                                               │
                        └───────────────── trim(receipt) ◀──────────────┘

One SQLite file a node. ``session`` grows with every start; ``seq`` by one for every message; so
``(node, session, seq)`` is used once for ever. Nothing is sent before the hub has granted a session. Where it
grants another number than this file proposed (an older disk was lost), `adopt_session` moves what waits. Of a
damaged file what can be read goes into a new one (salvage.py), under the keys it has.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from mqtt_hub.protocol.bodies import SessionReceipt
from mqtt_hub.protocol.codec import Message, encode
from trainers.outbox_file import (
    OutboxDamagedError,
    OutboxError,
    OutboxFullError,
    Parcel,
    Transaction,
    connect,
    explained,
    files_set_aside,
    last_set_aside,
    set_aside,
)
from trainers.outbox_tables import SCHEMA, insert, with_checksums, write_anew
from trainers.salvage import salvage

__all__ = ["Outbox", "Parcel", "Rescue", "summary"]

BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Rescue:
    """What became of a damaged outbox: where it lies, how many messages were read, about how many could not be."""

    aside: Path
    saved: int
    unreadable: int


class Outbox:
    """The messages of one node that have no receipt yet. Used by one thread at a time (the node's lock)."""

    def __init__(self, path: Path, *, bytes_max: int = BYTES_MAX) -> None:
        self._path, self._bytes_max = path, bytes_max
        self._db = connect(path, SCHEMA)
        try:
            with_checksums(self._db)
            self.session = self._number("SELECT coalesce(max(session), 0) + 1 FROM sessions")
            self._db.execute("INSERT INTO sessions (session, last_seq) VALUES (?, 0)", (self.session,))
            self._bytes = self._number("SELECT coalesce(sum(length(payload)), 0) FROM parcels")
        except sqlite3.Error as error:
            self._db.close()
            raise explained(path, error) from error
        self._granted = False

    @classmethod
    def begin(cls, path: Path) -> tuple[Outbox, Rescue | None]:
        """Open the outbox; set a damaged one aside and begin a new one with what can be read of it.

        Killed at any moment it goes on at the next start: the new file is whole before the damaged one is moved.
        """
        ready, unreadable = path.with_name(path.name + ".salvaged"), 0
        if not ready.exists():
            try:
                return cls(path), None
            except OutboxDamagedError:
                found = salvage(path)
                unreadable = found.unreadable
                write_anew(found, ready)
        aside = set_aside(path) if path.exists() else last_set_aside(path)
        try:
            ready.rename(path)
        except OSError as error:
            raise explained(path, error) from error
        outbox = cls(path)
        return outbox, Rescue(aside, outbox.count(), unreadable)

    def put(self, message: Message, recipient: str) -> Parcel:
        """Give the message its session and seq and commit it; raises `OutboxFullError` at ``bytes_max``."""
        with self._transaction():
            # What is on disk counts, not what we remember: no seq is used twice, whatever a disk has answered.
            self._db.execute("UPDATE sessions SET last_seq = last_seq + 1 WHERE session = ?", (self.session,))
            seq = self._number("SELECT last_seq FROM sessions WHERE session = ?", self.session)
            payload = encode(replace(message, session=self.session, seq=seq))
            if self._bytes + len(payload) > self._bytes_max:
                raise OutboxFullError(
                    f"{self._path}: {self._bytes} bytes wait for a receipt, at most {self._bytes_max}",
                    hint="the hub is away or cannot write; the search waits",
                )
            parcel = Parcel(self.session, seq, recipient, payload)
            insert(self._db, [parcel])
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
            insert(
                self._db,
                [
                    Parcel(session, seq, recipient, _renumbered(payload, session, seq))
                    for seq, (recipient, payload) in enumerate(moved, used + 1)
                ],
            )
            self._bytes = self._number("SELECT coalesce(sum(length(payload)), 0) FROM parcels")
        self.session, self._granted = session, True

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
            raise explained(self._path, error) from error
        return [Parcel(*row) for row in rows]

    def count(self) -> int:
        """Return how many messages have no receipt yet."""
        try:
            return self._number("SELECT count(*) FROM parcels")
        except sqlite3.Error as error:
            raise explained(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _number(self, query: str, *bounds: int) -> int:
        return int(self._db.execute(query, bounds).fetchone()[0])

    def _transaction(self) -> Transaction:
        return Transaction(self._db, self._path)


def summary(home: Path) -> dict[str, int]:
    """Return what a node's outbox says without touching it: messages sent, pending, evaluations, damaged files."""
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
    return {
        "sent": int(sent),
        "pending": int(pending),
        "evaluations": done,
        "set_aside": files_set_aside(path),
    }


def _renumbered(payload: bytes, session: int, seq: int) -> bytes:
    """Return the message under another key; its body is not judged, an earlier version may have had other bounds."""
    return orjson.dumps(orjson.loads(payload) | {"session": session, "seq": seq})
