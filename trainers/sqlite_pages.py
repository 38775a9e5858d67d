"""What can still be read of a damaged SQLite file: its records, page by page, whatever leads to them.

::

    FILE ── pages ──┐                           page 0x0d  leaf of a table         rowid, record
    FILE-wal ───────┴─▶ the newest of each ──▶  page 0x0a  leaf of an index        record (WITHOUT ROWID: the row)
                        that was committed      page 0x02  inner page of an index  record as well

SQLite reads a tree from its root, so that a damaged inner page hides all that is below it. Here every page is read by
itself; nothing that comes out is certain to be true, and whoever asks has to check it. The format is that of
sqlite.org/fileformat2.html (sections 1.6, 2 and 4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["Record", "Value", "pages", "records"]

RECORD_BYTES_MAX = 1 << 20
DEFAULT_PAGE_BYTES = 4096
_WAL_HEADER, _FRAME_HEADER = struct.Struct(">8I"), struct.Struct(">6I")
_WAL_MAGIC = 0x377F0682  # or one more: the byte order of the checksums
_INNER_INDEX, _LEAF_INDEX, _LEAF_TABLE = 0x02, 0x0A, 0x0D
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}

Value = int | float | str | bytes | None


class Record(NamedTuple):
    """One row as it was found; ``rowid`` is 0 where the tree has none."""

    rowid: int
    values: list[Value]


def pages(path: Path) -> dict[int, memoryview]:
    """Return the pages of a file by number, with what its WAL has committed since; raises `OSError`."""
    data = memoryview(path.read_bytes())
    beside = path.with_name(path.name + "-wal")
    log = memoryview(beside.read_bytes()) if beside.exists() else memoryview(b"")
    size = _page_bytes(data, log)
    found = {at // size + 1: data[at : at + size] for at in range(0, len(data) - size + 1, size)}
    return found | _committed(log, size)


def records(found: Mapping[int, memoryview]) -> Iterator[Record | None]:
    """Yield every record of every page, None for each that cannot be read."""
    for number, page in found.items():
        start = 100 if number == 1 else 0
        kind = page[start]
        if kind not in (_INNER_INDEX, _LEAF_INDEX, _LEAF_TABLE):
            continue
        (count,) = struct.unpack_from(">H", page, start + 3)
        first = start + (12 if kind == _INNER_INDEX else 8)
        for place in range(first, min(first + 2 * count, len(page) - 1), 2):
            try:
                yield _record(found, page, struct.unpack_from(">H", page, place)[0], kind)
            except (ValueError, IndexError, KeyError, struct.error):
                yield None


def _page_bytes(data: memoryview, log: memoryview) -> int:
    """Return the size of a page as the file says, or its WAL, or what SQLite takes unless told otherwise."""
    says = []
    if len(data) >= 18:
        (size,) = struct.unpack_from(">H", data, 16)
        says.append(65536 if size == 1 else size)
    if len(log) >= _WAL_HEADER.size:
        says.append(_WAL_HEADER.unpack_from(log)[2])
    good = [size for size in says if 512 <= size <= 65536 and not size & (size - 1)]
    return good[0] if good else DEFAULT_PAGE_BYTES


def _committed(log: memoryview, size: int) -> dict[int, memoryview]:
    """Return the pages of all transactions of a WAL that were committed; older rounds have another salt."""
    if len(log) < _WAL_HEADER.size or _WAL_HEADER.unpack_from(log)[0] & ~1 != _WAL_MAGIC:
        return {}
    salt = _WAL_HEADER.unpack_from(log)[4:6]
    committed: dict[int, memoryview] = {}
    open_: dict[int, memoryview] = {}
    step = _FRAME_HEADER.size + size
    for at in range(_WAL_HEADER.size, len(log) - step + 1, step):
        number, pages_after, *rest = _FRAME_HEADER.unpack_from(log, at)
        if tuple(rest[:2]) != salt:
            break
        open_[number] = log[at + _FRAME_HEADER.size : at + step]
        if pages_after:
            committed |= open_
            open_ = {}
    return committed


def _record(found: Mapping[int, memoryview], page: memoryview, at: int, kind: int) -> Record:
    if kind == _INNER_INDEX:
        at += 4  # the page below
    length, at = _varint(page, at)
    rowid = 0
    if kind == _LEAF_TABLE:
        rowid, at = _varint(page, at)
    if length > RECORD_BYTES_MAX:
        raise ValueError("longer than any record of ours")
    return Record(rowid, _values(_payload(found, page, at, length, kind)))


def _payload(found: Mapping[int, memoryview], page: memoryview, at: int, length: int, kind: int) -> bytes:
    """Return a cell's payload with what overflows to other pages."""
    size = len(page)
    local_max = size - 35 if kind == _LEAF_TABLE else (size - 12) * 64 // 255 - 23
    if length <= local_max:
        return bytes(page[at : at + length])
    least = (size - 12) * 32 // 255 - 23
    here = least + (length - least) % (size - 4)
    if here > local_max:
        here = least
    parts = [bytes(page[at : at + here])]
    (following,) = struct.unpack_from(">I", page, at + here)
    left = length - here
    while left > 0:
        part = found[following][4 : 4 + left]
        (following,) = struct.unpack_from(">I", found[following])
        parts.append(bytes(part))
        left -= len(part)
    return b"".join(parts)


def _values(payload: bytes) -> list[Value]:
    head, at = _varint(payload, 0)
    types = []
    while at < head:
        type_, at = _varint(payload, at)
        types.append(type_)
    values = []
    at = head
    for type_ in types:
        value, at = _value(payload, at, type_)
        values.append(value)
    return values


def _value(payload: bytes, at: int, type_: int) -> tuple[Value, int]:
    if type_ in (0, 8, 9):
        return (None if type_ == 0 else type_ - 8), at
    if type_ == 7:
        return struct.unpack_from(">d", payload, at)[0], at + 8
    length = _INTEGER_BYTES[type_] if type_ < 10 else (type_ - 12) // 2
    part = payload[at : at + length]
    if length < 0 or len(part) != length:
        raise ValueError("cut short")
    if type_ < 10:
        return int.from_bytes(part, "big", signed=True), at + length
    return (part.decode() if type_ % 2 else part), at + length


def _varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(8):
        byte = data[at + place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    return value << 8 | data[at + 8], at + 9
