"""The only writer of the archive: one batch, one transaction.

::

    commit ──▶ storing.py: a batch's rows, what they say ──▶ COMMIT ──▶ News: verdicts, quarantines
                  └─ a key that was there already: ROLLBACK, and the same again row by row
    carry_out  the operator's decisions    advance, note_rejected_beyond, expire_collaborations  what the hub notes

`ArchiveWriter` is used from one thread. Callers hand it a batch and learn whether it is on disk; nothing is
acknowledged before that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from sqlite_utils import Database

from mqtt_hub.accounts import OperatorDecision
from mqtt_hub.archive.ids import Ids
from mqtt_hub.archive.judge import Judge, Quorum
from mqtt_hub.archive.schema import explain
from mqtt_hub.archive.standing import Standings
from mqtt_hub.archive.storing import BatchStore, Grant
from mqtt_hub.intake import Entry
from mqtt_hub.protocol.bodies import Verdict
from mqtt_hub.protocol.table import HUB
from mqtt_hub.trust import Deed, Event

__all__ = ["ArchiveWriter", "News"]


class News(NamedTuple):
    """What a committed transaction decided: verdicts, and quarantines by name (an empty reason ends one)."""

    verdicts: list[Verdict]
    quarantined: dict[str, str]


class ArchiveWriter:
    """Every transaction on the archive, one after another."""

    def __init__(self, db: Database, path: Path, *, quorum: Quorum) -> None:
        self._connection: sqlite3.Connection = db.conn
        self._path = path
        self._standings = Standings(self._connection)
        self._judge = Judge(self._connection, self._standings, quorum)
        self._ids = Ids(self._connection)
        self._batches = BatchStore(self._connection, self._ids, self._standings, self._judge)

    def commit(self, batch: Sequence[Entry | Grant]) -> News:
        """Write the batch in one transaction; raises `ArchiveError` and writes nothing when it cannot."""
        with self._transaction():
            if not self._batches.store(batch, together=True):
                self._connection.execute("ROLLBACK")
                self._forget()
                self._connection.execute("BEGIN IMMEDIATE")
                self._batches.store(batch, together=False)
            return self._news()

    def carry_out(self, decisions: Iterable[OperatorDecision]) -> News:
        """Do what the operator decided, each decision once, however often it is handed over."""
        with self._transaction():
            for decision in decisions:
                new = self._connection.execute(
                    "INSERT OR IGNORE INTO operator_decisions (id, at, action, subject, reason, done)"
                    " VALUES (?, ?, ?, ?, ?, 0)",
                    (decision.id, decision.at, decision.action, decision.subject, decision.reason),
                ).rowcount
                if new and self._carry_out(decision):
                    self._connection.execute("UPDATE operator_decisions SET done = 1 WHERE id = ?", (decision.id,))
            return self._news()

    def _carry_out(self, decision: OperatorDecision) -> bool:
        if decision.action == "reopen":
            return self._judge.reopen(decision.subject)
        node = self._ids.node(decision.subject, decision.at)
        self._standings.note(node, Event(Deed(decision.action), decision.reason), decision.at)
        return True

    def _news(self) -> News:
        """Return what this transaction decided."""
        names = {
            node: self._connection.execute("SELECT name FROM nodes WHERE id = ?", (node,)).fetchone()[0]
            for node in sorted(self._standings.changed)
        }
        return News(
            list(self._judge.verdicts), {name: self._standings.of(node).quarantined for node, name in names.items()}
        )

    def new_hub_session(self, now: str) -> int:
        """Return the number of this start of the hub, and note that no node is connected at it."""
        try:
            self._connection.execute("UPDATE nodes SET state = 'lost' WHERE state IN ('init', 'ready', 'sleeping')")
            self._connection.execute(
                "INSERT INTO nodes (name, role, specialization, state, session, first_seen, last_seen)"
                " VALUES (?, 'hub', '', 'ready', 1, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET session = session + 1, state = 'ready', last_seen = ?",
                (HUB, now, now, now),
            )
            row = self._connection.execute("SELECT session FROM nodes WHERE name = ?", (HUB,)).fetchone()
        except sqlite3.Error as error:
            raise explain(error, self._path) from error
        return int(row[0])

    def advance(self, upto: Mapping[tuple[str, int], int]) -> None:
        """Note how far sessions are gapless on disk: what a restart begins its count from."""
        with self._transaction():
            self._connection.executemany(
                "INSERT INTO sessions (node, session, upto) VALUES (?, ?, ?)"
                " ON CONFLICT (node, session) DO UPDATE SET upto = excluded.upto",
                [(self._ids.node(node), session, seq) for (node, session), seq in upto.items()],
            )

    def note_rejected_beyond(self, counts: Mapping[str, int]) -> None:
        """Note how many rejected messages of these nodes were beyond their quota."""
        with self._transaction():
            self._connection.executemany(
                "UPDATE nodes SET rejected_beyond = ? WHERE id = ?",
                [(count, self._ids.node(node)) for node, count in counts.items()],
            )

    def expire_collaborations(self, now: str) -> int:
        """End the collaborations whose time is over; returns how many.

        One that names no end has an hour, and none has more than a day: the end is the requester's clock's.
        """
        with self._transaction():
            return self._connection.execute(
                "UPDATE collaborations SET state = CASE"
                "   WHEN EXISTS (SELECT 1 FROM collaboration_answers a"
                "                WHERE a.collaboration = collaborations.id AND a.status != 'declined')"
                "     THEN 'expired'"
                "   WHEN EXISTS (SELECT 1 FROM collaboration_answers a WHERE a.collaboration = collaborations.id)"
                "     THEN 'declined' ELSE 'expired' END, ended_at = ?"
                " WHERE state IN ('open', 'accepted')"
                "   AND min(coalesce(expires_at, strftime('%Y-%m-%dT%H:%M:%fZ', requested_at, '+1 hour')),"
                "           strftime('%Y-%m-%dT%H:%M:%fZ', requested_at, '+1 day')) <= ?",
                (now, now),
            ).rowcount

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit what is written within, or nothing of it; SQLite's errors become `ArchiveError`."""
        self._standings.begin()
        self._judge.begin()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._forget()
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise explain(error, self._path) from error
            raise

    def _forget(self) -> None:
        """Make void what was noted in a transaction that is rolled back."""
        self._ids.forget()
        self._standings.forget()
        self._judge.begin()
