"""What the dashboard asks again and again, kept up with every batch instead of being counted each time.

::

    batch ──┬─ every message ──▶ totals, traffic      one row a type, and a type and 10 s: a few upserts a batch
            ├─ PROGRESS ───────▶ activities           spans a node searched, helped, validated …
            │                └─▶ progress             only what is better than all that node told before
            └─ STATUS ─────────▶ activities           from good-bye or loss to the next word: offline

All of it follows from `messages` (the migration that made these tables filled them from there), inside the
transaction that stores the messages. A message more costs a step of a counter, not an index.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from mqtt_hub.intake import Accepted

__all__ = ["BUCKET_S", "bucket_of", "count", "note_presence", "note_progress"]

BUCKET_S = 10
SILENCE_S = 10.0  # without a PROGRESS for longer, what a node does is not known
ADJOINING_S = 0.5  # verdicts that follow each other so closely are one span
_AWAY = ("disconnected", "lost")
_TYPE, _RECEIVED_AT = itemgetter(4), itemgetter(8)  # in a row of `messages`


def bucket_of(received_at: str) -> str:
    """Return the start of the 10 s in which a time lies, to the second."""
    return received_at[:18] + "0"


def count(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Count the rows that were added to `messages`; call it within their transaction."""
    by_slot: dict[str, Counter[str]] = {}
    if rows and bucket_of(_RECEIVED_AT(rows[0])) == bucket_of(_RECEIVED_AT(rows[-1])):  # nearly every batch
        by_slot[bucket_of(_RECEIVED_AT(rows[0]))] = Counter(map(_TYPE, rows))
    else:
        for row in rows:
            by_slot.setdefault(bucket_of(_RECEIVED_AT(row)), Counter())[_TYPE(row)] += 1
    for slot, types in by_slot.items():
        connection.executemany(
            "INSERT INTO traffic (at, type, messages) VALUES (?, ?, ?)"
            " ON CONFLICT (at, type) DO UPDATE SET messages = messages + excluded.messages",
            [(slot, type_, messages) for type_, messages in types.items()],
        )
        connection.executemany(
            "INSERT INTO totals (type, messages) VALUES (?, ?)"
            " ON CONFLICT (type) DO UPDATE SET messages = messages + excluded.messages",
            types.items(),
        )


def note_progress(connection: sqlite3.Connection, message: int, node: int, entry: Accepted) -> None:
    """Note what a node says that it does, and its best where that has grown."""
    body, now = entry.message.body, entry.received_at
    last = connection.execute(
        "SELECT id, activity, ended_at FROM activities WHERE node = ? ORDER BY id DESC LIMIT 1", (node,)
    ).fetchone()
    known = last is not None and last[1] != "offline" and 0 <= _seconds(last[2], now) <= SILENCE_S
    began = last[2] if known else now  # when exactly it turned to this is not told: from its last word on
    if body.activity == "validate" and body.rate > 0:  # told when a verdict is done, with how long it took
        began = max(_earlier(now, 1 / body.rate), last[2] if last is not None else "")
    if known and last[1] == body.activity and _seconds(last[2], began) <= ADJOINING_S:
        connection.execute("UPDATE activities SET ended_at = ?, told = told + 1 WHERE id = ?", (now, last[0]))
    else:
        connection.execute(
            "INSERT INTO activities (node, activity, kind, began_at, ended_at, told) VALUES (?, ?, ?, ?, ?, 1)",
            (node, body.activity, body.kind, min(began, now), now),
        )
    if body.activity in ("search", "help"):
        connection.execute(
            "INSERT INTO progress (message, node, kind, workload, best, evaluations, at)"
            " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM progress"
            " WHERE kind = ?3 AND workload = ?4 AND node = ?2 AND best >= ?5)",
            (message, node, body.kind, body.workload, body.best, body.evaluations, now),
        )


def note_presence(connection: sqlite3.Connection, node: int, entry: Accepted) -> None:
    """Begin the time a node is away, or end it: its state says so."""
    now = entry.received_at
    last = connection.execute(
        "SELECT id, activity FROM activities WHERE node = ? ORDER BY id DESC LIMIT 1", (node,)
    ).fetchone()
    offline, away = last is not None and last[1] == "offline", entry.message.body.state in _AWAY
    if away and not offline:
        connection.execute(
            "INSERT INTO activities (node, activity, kind, began_at, ended_at, told)"
            " VALUES (?, 'offline', '', ?, ?, 1)",
            (node, now, now),
        )
    elif offline and not away:
        connection.execute("UPDATE activities SET ended_at = ? WHERE id = ?", (now, last[0]))


def _earlier(now: str, seconds: float) -> str:
    moment = datetime.fromisoformat(now) - timedelta(seconds=min(seconds, SILENCE_S))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(before: str, after: str) -> float:
    return (datetime.fromisoformat(after) - datetime.fromisoformat(before)).total_seconds()
