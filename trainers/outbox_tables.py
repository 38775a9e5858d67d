"""The outbox's tables, and the rows that go into them.

::

    sessions   session, last_seq, granted                   one row a start; the seq counts on here
    parcels    session, seq, recipient, payload, crc32      what has no receipt yet
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

from trainers.outbox_file import Parcel, Transaction, connect, explained
from trainers.salvage import Salvaged

__all__ = ["SCHEMA", "insert", "with_checksums", "write_anew"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    session INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, granted INTEGER NOT NULL DEFAULT FALSE
);
CREATE TABLE IF NOT EXISTS parcels (
    session INTEGER NOT NULL, seq INTEGER NOT NULL, recipient TEXT NOT NULL, payload BLOB NOT NULL,
    crc32 INTEGER NOT NULL, PRIMARY KEY (session, seq)
) WITHOUT ROWID;
"""


def insert(db: sqlite3.Connection, parcels: Iterable[Parcel]) -> None:
    """Put parcels in, each with the checksum by which it is known again in a damaged file."""
    db.executemany(
        "INSERT INTO parcels VALUES (?, ?, ?, ?, ?)",
        [(parcel.session, parcel.seq, parcel.recipient, parcel.payload, crc32(parcel.payload)) for parcel in parcels],
    )


def with_checksums(db: sqlite3.Connection) -> None:
    """Give the parcels of an earlier version's outbox their checksums."""
    if any(name == "crc32" for _number, name, *_rest in db.execute("PRAGMA table_info(parcels)")):
        return
    db.create_function("crc32", 1, crc32, deterministic=True)
    db.executescript(
        "BEGIN IMMEDIATE; ALTER TABLE parcels ADD COLUMN crc32 INTEGER NOT NULL DEFAULT 0;"
        " UPDATE parcels SET crc32 = crc32(payload); COMMIT;"
    )


def write_anew(found: Salvaged, path: Path) -> None:
    """Make an outbox of what was salvaged; it gets its name when it is whole. Raises `OutboxError`."""
    draft = path.with_name(path.name + ".new")
    for suffix in ("", "-wal", "-shm"):  # of a start that was killed here
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)
    last: dict[int, int] = {}
    for session, seq in found.parcels:
        last[session] = max(seq, last.get(session, 0))
    db = connect(draft, SCHEMA)
    try:
        with Transaction(db, draft):
            insert(db, found.parcels.values())
            db.executemany(
                "INSERT INTO sessions VALUES (?, ?, ?)",
                [(session, seq, session not in found.never_granted) for session, seq in last.items()],
            )
    finally:
        db.close()  # and with it its WAL
    try:
        draft.rename(path)
    except OSError as error:
        raise explained(path, error) from error
