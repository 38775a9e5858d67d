"""Messages, log lines and refusals page by page: questions whose cost does not grow with the archive.

::

    ids ──────────────[ looked_down_to … before )──── newest
                        at most LOOK_BACK_MESSAGES_MAX rows are looked through, newest first

Ids grow in the order of arrival, so a range of them is a stretch of time and needs no further index. Whoever wants
what lies before asks again with ``before`` = ``looked_down_to``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from mqtt_hub.archive.queries.marks import marks

__all__ = [
    "Found",
    "find_messages",
    "find_rejected",
    "message",
    "newest_message",
    "previous_of",
    "span",
    "traffic_since",
]

LOOK_BACK_MESSAGES_MAX = 50_000
ROWS_MAX = 500  # of one page
GROUPS_MAX = 200  # (type, sender, addressee) of one step of the tail


@dataclass(frozen=True, slots=True)
class Found:
    """Rows, newest first; what is older than ``looked_down_to`` was not looked at (0: that was all)."""

    rows: list[dict[str, Any]]
    looked_down_to: int
    newest: int


_COLUMNS = (
    "m.id, n.name AS sender, m.type, m.scope, m.session, m.seq, m.correlation_id, m.sent_at, m.received_at,"
    " length(CAST(m.payload AS BLOB)) AS bytes, m.payload"
)


def newest_message(db: Database) -> int:
    """Return the id of the newest accepted message, 0 for none."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0])


def span(db: Database) -> tuple[str | None, str | None]:
    """Return when the first and the last message that are archived came, UTC; (None, None) where there is none."""
    first, last = (
        db.execute(f"SELECT received_at FROM messages ORDER BY id {order} LIMIT 1").fetchone() or (None,)  # noqa: S608 — one of two words
        for order in ("ASC", "DESC")
    )
    return first[0], last[0]


def find_messages(
    db: Database,
    *,
    types: tuple[str, ...] = (),
    sender: str = "",
    scope: tuple[str, ...] = (),
    text: str = "",
    before: int | None = None,
    after: int = 0,
    limit: int = 100,
) -> Found:
    """Return messages with ``after < id < before`` that match all that is given, the newest ``limit`` of them."""
    newest = newest_message(db)
    top = newest if before is None else min(before - 1, newest)
    floor = max(after, top - LOOK_BACK_MESSAGES_MAX, 0)
    limit = min(limit, ROWS_MAX)
    # The + keeps SQLite from preferring the index on type to the range of ids: its rows would have to be sorted.
    conditions, values = ["m.id > ? AND m.id <= ?"], [floor, top]
    more: list[Any] = []
    if types:
        conditions.append(f"+m.type IN ({marks(types)})")
        more += types
    if sender:
        conditions.append("+m.node = (SELECT id FROM nodes WHERE name = ?)")
        more.append(sender)
    if scope:
        conditions.append(f"m.scope IN ({marks(scope)})")
        more += scope
    if text:
        conditions.append(r"m.payload LIKE ? ESCAPE '\'")
        more.append(f"%{_literally(text)}%")
    rows = list(
        db.query(
            f"SELECT {_COLUMNS} FROM messages m JOIN nodes n ON n.id = m.node"  # noqa: S608 — columns and marks only
            f" WHERE {' AND '.join(conditions)} ORDER BY m.id DESC LIMIT ?",
            [*values, *more, limit],
        )
    )
    return Found(rows, rows[-1]["id"] if len(rows) == limit else (floor + 1 if floor > after else 0), newest)


def message(db: Database, id_: int) -> dict[str, Any] | None:
    """Return one accepted message."""
    return next(
        db.query(f"SELECT {_COLUMNS} FROM messages m JOIN nodes n ON n.id = m.node WHERE m.id = ?", (id_,)),  # noqa: S608 — columns
        None,
    )


def previous_of(db: Database, id_: int) -> dict[str, Any] | None:
    """Return the message of the same type and topic that its sender sent before, if it is not too long ago."""
    return next(
        db.query(
            f"SELECT {_COLUMNS} FROM messages m JOIN nodes n ON n.id = m.node"  # noqa: S608 — columns
            " JOIN messages this ON this.id = ?1 WHERE m.id < ?1 AND m.id >= ?1 - ?2 AND +m.node = this.node"
            " AND +m.type = this.type AND m.scope IS this.scope ORDER BY m.id DESC LIMIT 1",
            (id_, LOOK_BACK_MESSAGES_MAX),
        ),
        None,
    )


def find_rejected(db: Database, *, before: int | None = None, limit: int = 100) -> Found:
    """Return messages that were not accepted, with their reasons."""
    newest = int(db.execute("SELECT coalesce(max(id), 0) FROM rejected").fetchone()[0])
    limit = min(limit, ROWS_MAX)
    rows = list(
        db.query(
            "SELECT r.id, n.name AS sender, r.topic, r.reason, r.session, r.seq, r.received_at,"
            " length(r.payload) AS bytes, substr(r.payload, 1, 400) AS beginning"
            " FROM rejected r LEFT JOIN nodes n ON n.id = r.node WHERE r.id < ? ORDER BY r.id DESC LIMIT ?",
            (newest + 1 if before is None else before, limit),
        )
    )
    return Found(rows, rows[-1]["id"] if len(rows) == limit else 0, newest)


def traffic_since(db: Database, after: int, upto: int) -> list[dict[str, Any]]:
    """Return (type, sender, to, messages) of a range of ids, most first: who spoke to whom.

    ``to`` is the addressee: whose component a TEST_RESULT is about, or the recipient in the topic; else null.
    """
    return list(
        db.query(
            "SELECT m.type, n.name AS sender, CASE m.type WHEN 'TEST_RESULT' THEN m.payload ->> '$.body.submitter'"
            "  WHEN 'VERDICT' THEN m.payload ->> '$.body.submitter'"
            "  WHEN 'COLLABORATION_RESPONSE' THEN m.scope WHEN 'TRAINING_SYNC' THEN m.scope"
            "  WHEN 'RECEIPT' THEN m.scope END AS \"to\", count(*) AS messages"
            " FROM messages m JOIN nodes n ON n.id = m.node WHERE m.id > ? AND m.id <= ?"
            " GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT ?",
            (after, upto, GROUPS_MAX),
        )
    )


def _literally(text: str) -> str:
    """Return the text with what LIKE would take for wildcards escaped."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
