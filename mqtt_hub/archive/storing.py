"""A batch within its transaction: all its rows in few statements, then what each message says.

::

    batch ──▶ messages ──┬─ accepted ──▶ projections, presence ──▶ the judge looks at the submission
                         ├─ Grant ─────▶ nodes, sessions
                         └─ Rejected ──▶ rejected, and what it costs its sender
          ──▶ the best patterns, counts by type
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mqtt_hub.archive.bulk import insert_rows
from mqtt_hub.archive.ids import Ids
from mqtt_hub.archive.judge import Judge
from mqtt_hub.archive.projections import PROJECTIONS, keep_best_patterns
from mqtt_hub.archive.standing import Standings
from mqtt_hub.archive.telemetry import count, note_presence
from mqtt_hub.intake import Accepted, Entry, Rejected
from mqtt_hub.protocol.codec import to_json
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import RESERVED, MessageType

__all__ = ["BatchStore", "Grant"]

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


class BatchStore:
    """Writes batches; the writer begins and ends the transaction."""

    def __init__(self, connection: sqlite3.Connection, ids: Ids, standings: Standings, judge: Judge) -> None:
        self._connection, self._ids, self._standings, self._judge = connection, ids, standings, judge

    def store(self, batch: Sequence[Entry | Grant], *, together: bool) -> bool:
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
        node = self._ids.node(sender, received_at) if seq is None else self._ids.session(sender, session, received_at)
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
        node, body = self._ids.node(message.sender), message.body
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
            self._ids.node(entry.sender, entry.received_at),
            entry.payload[:REJECTED_BYTES_MAX],
            entry.seq,
        )
        if entry.session is not None and seq is not None:
            self._ids.session(entry.sender, entry.session, entry.received_at)
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
