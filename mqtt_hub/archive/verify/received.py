"""Is every message there that the hub has acknowledged, once, and does its row say what its bytes say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import orjson

from mqtt_hub.archive.verify.names import node_name
from mqtt_hub.protocol.table import HUB

__all__ = ["envelopes", "gaps", "keys", "open_gaps", "sessions"]

_KEYS = """
    SELECT node, session, seq, 'accepted' AS how FROM archive.messages WHERE seq IS NOT NULL
    UNION ALL SELECT node, session, seq, 'rejected' FROM archive.rejected WHERE seq IS NOT NULL
"""


def keys(db: sqlite3.Connection) -> Iterator[str]:
    """Tell which keys are there twice: accepted, rejected or pruned."""
    doubled = f"SELECT node, session, seq, group_concat(how) FROM ({_KEYS}) GROUP BY 1, 2, 3 HAVING count(*) > 1"  # noqa: S608 — text above
    for node, session, seq, how in db.execute(doubled):
        yield f"{node_name(db, node)} session {session} seq {seq} is there twice ({how})"
    pruned = (
        f"SELECT k.node, k.session, k.seq FROM ({_KEYS}) k JOIN archive.pruned p"  # noqa: S608 — text above
        " ON p.node = k.node AND p.session = k.session AND k.seq BETWEEN p.first AND p.last"
    )
    for node, session, seq in db.execute(pruned):
        yield f"{node_name(db, node)} session {session} seq {seq} is there and said to be pruned"


def sessions(db: sqlite3.Connection) -> Iterator[str]:
    """Tell which messages are of a session that was never granted."""
    for node, session, granted, row in db.execute(
        f"SELECT k.node, k.session, n.session, s.id FROM (SELECT DISTINCT node, session FROM ({_KEYS})) k"  # noqa: S608 — text above
        " JOIN archive.nodes n ON n.id = k.node"
        " LEFT JOIN archive.sessions s ON s.node = k.node AND s.session = k.session"
    ):
        if row is None:
            yield f"{node_name(db, node)} session {session} has messages and no row"
        elif granted is not None and session > granted and node_name(db, node) != HUB:
            yield f"{node_name(db, node)} session {session} was never granted (the last is {granted})"


def gaps(db: sqlite3.Connection) -> Iterator[str]:
    """Tell which seqs are missing up to where their session was committed."""
    for node, session, upto in db.execute("SELECT node, session, upto FROM archive.sessions").fetchall():
        for first, last in _missing(db, node, session, 1, upto):
            yield f"{node_name(db, node)} session {session}: {first}..{last} is missing, all up to {upto} was committed"


def open_gaps(db: sqlite3.Connection) -> Iterator[str]:
    """Tell which are missing beyond it: still on their way."""
    for node, session, upto, highest in db.execute(
        f"SELECT s.node, s.session, s.upto, max(k.seq) FROM archive.sessions s JOIN ({_KEYS}) k"  # noqa: S608 — text above
        " ON k.node = s.node AND k.session = s.session WHERE k.seq > s.upto GROUP BY 1, 2, 3"
    ).fetchall():
        for first, last in _missing(db, node, session, upto + 1, highest):
            yield f"{node_name(db, node)} session {session}: {first}..{last}"


def _missing(db: sqlite3.Connection, node: int, session: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of seqs within first..last that are neither there nor pruned."""
    expected = first
    for begin, end in db.execute(
        f"SELECT seq, seq FROM ({_KEYS}) WHERE node = ?1 AND session = ?2 AND seq BETWEEN ?3 AND ?4"  # noqa: S608 — text above
        " UNION ALL SELECT first, last FROM archive.pruned WHERE node = ?1 AND session = ?2 ORDER BY 1",
        (node, session, first, last),
    ):
        if begin > expected:
            yield expected, min(begin - 1, last)
        expected = max(expected, end + 1)
    if expected <= last:
        yield expected, last


_ENVELOPE = ("sender", "type", "session", "seq", "sent_at", "correlation_id")


def envelopes(db: sqlite3.Connection) -> Iterator[str]:
    """Tell which messages' bytes say something else than their columns."""
    for id_, payload, *columns in db.execute(
        "SELECT m.id, m.payload, n.name, m.type, m.session, m.seq, m.sent_at, m.correlation_id"
        " FROM archive.messages m JOIN archive.nodes n ON n.id = m.node"
    ):
        try:
            envelope = orjson.loads(payload)
        except (orjson.JSONDecodeError, TypeError):
            envelope = None
        if type(envelope) is not dict:
            yield f"message {id_} of {columns[0]} is no JSON object"
            continue
        said = [envelope.get(name) or None for name in _ENVELOPE]
        if said != columns:
            differ = [name for name, one, other in zip(_ENVELOPE, said, columns, strict=True) if one != other]
            yield f"message {id_} of {columns[0]} says another {', '.join(differ)} than its row"
