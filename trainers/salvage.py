"""What of a damaged outbox can still be sent: the messages that are provably whole, under the keys they were given.

::

    damaged file ──▶ records of all pages ──▶ of the shape of a parcel, checksum and key right ──▶ Salvaged.parcels
                                          └─▶ of the shape of a session: was it granted?

The checksum is what makes it safe: a message in which one digit was flipped would be this node's false claim. That a
message is in the archive already does no harm, its key is known there. What was put in under a session that was never
granted was never sent; it gets a new key, as after any start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import orjson

from trainers.outbox_file import Parcel
from trainers.sqlite_pages import Record, pages, records

__all__ = ["Salvaged", "salvage"]


@dataclass(slots=True)
class Salvaged:
    """What was found; ``unreadable`` is about how many messages waited and could not be read."""

    parcels: dict[tuple[int, int], Parcel] = field(default_factory=dict)
    never_granted: set[int] = field(default_factory=set)
    unreadable: int = 0


def salvage(path: Path) -> Salvaged:
    """Read what can be read; nothing of a file that the disk does not give."""
    found = Salvaged()
    last: dict[int, int] = {}
    spoiled = 0
    try:
        all_pages = pages(path)
    except OSError:
        return found
    for record in records(all_pages):
        if record is None:
            spoiled += 1
        elif len(record.values) == 5 and isinstance(record.values[3], bytes):
            parcel = _parcel(record)
            if parcel is None:
                spoiled += 1
            else:
                found.parcels[parcel.session, parcel.seq] = parcel
        elif len(record.values) == 3 and record.values[0] is None and isinstance(record.values[1], int):
            last[record.rowid] = record.values[1]
            if not record.values[2]:
                found.never_granted.add(record.rowid)
    found.unreadable = max(spoiled, _missing(found.parcels, last))
    return found


def _parcel(record: Record) -> Parcel | None:
    """Return the message, if it is what was put in."""
    session, seq, recipient, payload, checksum = record.values
    if not (isinstance(session, int) and isinstance(seq, int) and isinstance(recipient, str)):
        return None
    if not isinstance(payload, bytes) or crc32(payload) != checksum:
        return None
    try:
        envelope = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if (envelope.get("session"), envelope.get("seq")) != (session, seq):
        return None
    return Parcel(session, seq, recipient, payload)


def _missing(parcels: dict[tuple[int, int], Parcel], last: dict[int, int]) -> int:
    """Return how many are missing behind the first found of each session: receipts mostly take from the front."""
    missing = 0
    for session in {session for session, _seq in parcels}:
        seqs = [seq for of, seq in parcels if of == session]
        highest = max(seqs)
        given = last.get(session, 0)
        if highest < given <= highest + len(seqs) + 1_000_000:
            highest = given
        missing += highest - min(seqs) + 1 - len(seqs)
    return missing
