"""The only writer of the archive: one batch, one transaction.

::

    batch ──▶ messages: all rows in few statements ──▶ what each says ──▶ the best patterns, counts by type ──▶ COMMIT
                 └─ a key that was there already: ROLLBACK, and the same again row by row

`ArchiveWriter` is used from one thread. Callers hand it a batch and learn whether it is on disk; nothing is
acknowledged before that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sqlite_utils import Database

from mqtt_hub.accounts import OperatorDecision
from mqtt_hub.archive.bulk import insert_rows
from mqtt_hub.archive.judge import Judge, Quorum
from mqtt_hub.archive.projections import PROJECTIONS, keep_best_patterns
from mqtt_hub.archive.schema import explain
from mqtt_hub.archive.standing import Standings
from mqtt_hub.archive.telemetry import count, note_presence
from mqtt_hub.intake import Accepted, Entry, Rejected
from mqtt_hub.protocol.bodies import Verdict
from mqtt_hub.protocol.codec import to_json
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import HUB, RESERVED, MessageType
from mqtt_hub.trust import Deed, Event

__all__ = ["ArchiveWriter", "Grant", "News", "Quorum"]

SESSIONS_NOTED_MAX = 10_000  # known to have their row; beyond it they are asked for again
REJECTED_BYTES_MAX = 256 * 1024  # of the raw bytes kept of a rejected message: the broker lets no larger one in

_MESSAGES = (
    "INSERT OR IGNORE INTO messages"
    " (id, node, session, seq, type, scope, correlation_id, sent_at, received_at, payload)"
)
_TYPE_TEXTS = {type_: type_.value for type_ in MessageType}  # sqlite3 takes its time over what is not just a str
_TELLING = frozenset(
    {*PROJECTIONS, MessageType.PATTERN_SHARE, MessageType.STATUS, MessageType.HELLO}
)  # more than that they were sent


@dataclass(frozen=True, slots=True)
class Grant:
    """A session that the hub agreed to in answer to the HELLO with it."""

    entry: Accepted
    session: int


class News(NamedTuple):
    """What a committed transaction decided: verdicts, and quarantines by name (an empty reason ends one)."""

    verdicts: list[Verdict]
    quarantined: dict[str, str]


class ArchiveWriter:
    """Stores entries and what they say."""

    def __init__(self, db: Database, path: Path, *, quorum: Quorum) -> None:
        self._connection: sqlite3.Connection = db.conn
        self._path = path
        self._standings = Standings(self._connection)
        self._judge = Judge(self._connection, self._standings, quorum)
        self._ids: dict[str, int] = {}
        self._sessions: dict[tuple[str, int], int] = {}  # (node, session) that have their row, and the node's id

    def commit(self, batch: Sequence[Entry | Grant]) -> News:
        """Write the batch in one transaction; raises `ArchiveError` and writes nothing when it cannot."""
        with self._transaction():
            if not self._store(batch, together=True):
                self._connection.execute("ROLLBACK")
                self._forget()
                self._connection.execute("BEGIN IMMEDIATE")
                self._store(batch, together=False)
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
        node = self._node(decision.subject, now=decision.at)
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
                [(self._node(node), session, seq) for (node, session), seq in upto.items()],
            )

    def note_rejected_beyond(self, counts: Mapping[str, int]) -> None:
        """Note how many rejected messages of these nodes were beyond their quota."""
        with self._transaction():
            self._connection.executemany(
                "UPDATE nodes SET rejected_beyond = ? WHERE id = ?",
                [(count, self._node(node)) for node, count in counts.items()],
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
        self._ids.clear()
        self._sessions.clear()
        self._standings.forget()
        self._judge.begin()

    def _node(self, name: str, role: str = "unknown", now: str | None = None) -> int:
        known = self._ids.get(name)
        if known is not None:
            return known
        self._connection.execute(
            "INSERT OR IGNORE INTO nodes (name, role, first_seen) VALUES (?, ?, ?)", (name, role, now)
        )
        row = self._connection.execute("SELECT id FROM nodes WHERE name = ?", (name,)).fetchone()
        self._ids[name] = int(row[0])
        return self._ids[name]

    def _session(self, name: str, session: int, now: str) -> int:
        """Return a node's id, and give the session its row with its first sequenced message.

        A restart counts only sessions that have one.
        """
        if len(self._sessions) >= SESSIONS_NOTED_MAX:
            self._sessions.clear()
        node = self._sessions[name, session] = self._node(name, now=now)
        self._connection.execute(
            "INSERT OR IGNORE INTO sessions (node, session, upto) VALUES (?, ?, 0)", (node, session)
        )
        return node

    def _store(self, batch: Sequence[Entry | Grant], *, together: bool) -> bool:
        """Write a batch within the transaction; False if ``together`` meets a message that is there already."""
        rows, telling = self._rows(batch)
        if together:
            if insert_rows(self._connection, _MESSAGES, rows) != len(rows):
                return False
            new = [True] * len(rows)
        else:
            new = [insert_rows(self._connection, _MESSAGES, [row]) == 1 for row in rows]
        patterns = []
        for at, item in telling:
            if isinstance(item, Rejected):
                self._reject(item)
                continue
            entry = item.entry if isinstance(item, Grant) else item
            type_ = entry.message.type
            if type_ is MessageType.PATTERN_SHARE:
                if new[at]:
                    patterns.append(entry.message.body)
                continue
            self._follow(rows[at][0], rows[at][1], entry, is_new=new[at])
            if isinstance(item, Grant):
                self._grant(item)
            # A result may overtake the submission, where several clients carry them to the hub.
            if type_ is MessageType.TEST_RESULT:
                self._judge.look_at(entry.message.body.submission, entry.received_at)
            elif type_ is MessageType.OS_COMPONENT_SHARE:
                self._judge.look_at(submission_id(entry.message.sender, entry.message.body), entry.received_at)
        keep_best_patterns(self._connection, patterns)
        added = rows if together else [row for row, is_new in zip(rows, new, strict=True) if is_new]
        count(self._connection, added)
        return True

    def _rows(self, batch: Sequence[Entry | Grant]) -> tuple[list[tuple[Any, ...]], list[tuple[int, Entry | Grant]]]:
        """Return the rows of the accepted messages, and what more there is to do, each with the place of its row."""
        (last_id,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()
        rows: list[tuple[Any, ...]] = []
        telling: list[tuple[int, Entry | Grant]] = []
        for item in batch:
            if isinstance(item, Rejected):
                telling.append((-1, item))
                continue
            entry = item.entry if isinstance(item, Grant) else item
            if entry.message.type in _TELLING:
                telling.append((len(rows), item))
            last_id += 1
            rows.append(self._row(last_id, entry))
        return rows, telling

    def _row(self, id_: int, entry: Accepted) -> tuple[Any, ...]:
        message = entry.message
        sender, session, seq, received_at = message.sender, message.session, message.seq, entry.received_at
        if seq is None:
            node = self._node(sender, now=received_at)
        else:
            node = self._sessions.get((sender, session)) or self._session(sender, session, received_at)
        return (
            id_, node, session, seq, _TYPE_TEXTS[message.type], entry.scope or None,
            message.correlation_id or None, message.sent_at, received_at, entry.payload.decode(),
        )  # fmt: skip

    def _follow(self, id_: int, node: int, entry: Accepted, *, is_new: bool) -> None:
        """Write what a message says into the tables that people read."""
        message = entry.message
        project = PROJECTIONS.get(message.type)
        if project is not None and is_new:
            project(self._connection, id_, node, entry)
        elif message.type is MessageType.STATUS:
            self._connection.execute(
                "UPDATE nodes SET state = ?, last_seen = ?, role = CASE role WHEN 'unknown' THEN ? ELSE role END"
                " WHERE id = ? AND coalesce(session, 0) <= ?",
                (message.body.state, entry.received_at, message.body.role, node, message.session),
            )
            note_presence(self._connection, node, entry)

    def _grant(self, grant: Grant) -> None:
        message, now = grant.entry.message, grant.entry.received_at
        node, body = self._node(message.sender), message.body
        self._connection.execute(
            "UPDATE nodes SET role = ?, specialization = ?, kinds = ?, session = ?, instance = ?, capabilities = ?,"
            " first_seen = coalesce(first_seen, ?), last_seen = ? WHERE id = ?",
            (
                body.role, body.specialization, to_json(body.kinds).decode(), grant.session, body.instance,
                to_json(body.capabilities).decode(), now, now, node,
            ),
        )  # fmt: skip
        self._connection.execute(
            "INSERT INTO sessions (node, session, upto, granted_at) VALUES (?, ?, 0, ?)"
            " ON CONFLICT (node, session) DO UPDATE SET granted_at = coalesce(granted_at, excluded.granted_at)",
            (node, grant.session, now),
        )

    def _reject(self, entry: Rejected) -> None:
        node, payload, seq = (
            self._node(entry.sender, now=entry.received_at),
            entry.payload[:REJECTED_BYTES_MAX],
            entry.seq,
        )
        if entry.session is not None and seq is not None:
            self._session(entry.sender, entry.session, entry.received_at)
            holder = self._holder(node, entry.session, seq)
            if holder == (payload,):
                return  # the same message again
            if holder is not None:
                seq = None  # another message under a used key: kept beside it, so that nothing vanishes
        self._connection.execute(
            "INSERT INTO rejected (node, session, seq, topic, reason, received_at, payload)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (node, entry.session, seq, entry.topic, entry.reason, entry.received_at, payload),
        )
        if entry.sender not in RESERVED:
            self._standings.note_rejected(node, entry.reason, entry.received_at, forged=entry.forged)

    def _holder(self, node: int, session: int, seq: int) -> tuple[bytes | None] | None:
        """Return what holds a key: the bytes of a rejected message, (None,) for an accepted one, or None."""
        holder: tuple[bytes | None] | None = self._connection.execute(
            "SELECT payload FROM rejected WHERE node = ?1 AND session = ?2 AND seq = ?3"
            " UNION ALL SELECT NULL FROM messages WHERE node = ?1 AND session = ?2 AND seq = ?3",
            (node, session, seq),
        ).fetchone()
        return holder
