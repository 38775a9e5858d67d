"""Traces made elsewhere, read as workloads.

::

    oracle-general   libCacheSim's 24-byte records <IQIq: clock, object, size, next access
    keys             text, one key a line; a key is any string of bytes
    csv              one column of a table: by --column, by a known name in the header, or by position
    perf-sched, swf, blkparse, perf-block, vscsi   of other kinds: sources.TEXT_TRACES, BINARY_TRACES

Sizes are ignored: every object is one page. As in libCacheSim, a record of size 0 is no request. Importers
read at most ``IMPORT_BYTES_MAX`` bytes and ``ROWS_MAX`` requests.
"""

from __future__ import annotations

import csv
import io
import re
import struct
from collections.abc import Hashable, Iterator
from pathlib import Path

from trainers.workloads.codecs import ROWS_MAX
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import Workload, workload
from trainers.workloads.sources import BINARY_TRACES, TEXT_TRACES, TextTrace

__all__ = ["FORMATS", "IMPORT_BYTES_MAX", "import_workload"]

FORMATS = ("oracle-general", "keys", "csv", *TEXT_TRACES, *BINARY_TRACES)
IMPORT_BYTES_MAX = 1 << 30
LINE_BYTES_MAX = 4096
KEY_COLUMNS = ("obj_id", "obj-id", "object_id", "object", "obj", "key", "page", "id", "block", "lba", "address")
SIZE_COLUMNS = ("obj_size", "obj-size", "object_size", "size", "length")

_RECORD = struct.Struct("<IQIq")
_SIZE_MAX = (1 << 31) - 1
_NEXT_MIN = -2  # -1: never again, -2: not known
_MAGIC = {b"\x28\xb5\x2f\xfd": "zstd -d", b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz"}


def import_workload(
    path: Path,
    format: str,  # noqa: A002 — the option's name
    *,
    column: str | None = None,
    name: str | None = None,
    capacity: int | None = None,
) -> Workload:
    """Read a trace. ``column`` (csv only) is a header's name or a number from 1.

    Raises `WorkloadError` with the line or byte offset where the trace is not what ``format`` says.
    """
    if format not in FORMATS:
        raise WorkloadError(f"there is no trace format {format!r}", hint=f"known: {', '.join(FORMATS)}")
    if column is not None and format != "csv":
        raise WorkloadError(f"a column means nothing in the format {format}", hint="only csv has columns")
    data = _load(path)
    if format in TEXT_TRACES or format in BINARY_TRACES:
        return _trace(path, data, format, name, capacity)
    keys: Iterator[Hashable]
    if format == "csv":
        keys = _csv_keys(path, data, column)
    elif format == "keys":
        keys = (line for _number, line in _lines(path, data))
    else:
        keys = _oracle_general(path, data)
    origin = f"imported from {_printable(path.name)} as {format}"
    return workload(name or _name(path), keys, capacity=capacity, origin=origin)


def _trace(path: Path, data: bytes, format_: str, name: str | None, capacity: int | None) -> Workload:
    """Read a trace of another kind, of lines of text or of bytes."""
    declared = TEXT_TRACES.get(format_) or BINARY_TRACES[format_]
    origin = f"imported from {_printable(path.name)} as {format_}; a unit is {declared.unit}"
    try:
        rows = declared.rows(_text(data)) if isinstance(declared, TextTrace) else declared.rows(data)
        return workload(name or _name(path), rows, kind=declared.kind, capacity=capacity, origin=origin)
    except WorkloadError as error:
        raise WorkloadError(f"{path}: {error.facts}", hint=error.hint) from error


def _text(data: bytes) -> Iterator[str]:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors="surrogateescape")
    return iter(lambda: text.readline(LINE_BYTES_MAX), "")


def _load(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(IMPORT_BYTES_MAX + 1)
    except OSError as error:
        raise WorkloadError(f"{path}: {error.strerror or error}") from error
    if len(data) > IMPORT_BYTES_MAX:
        raise WorkloadError(f"{path}: more than {IMPORT_BYTES_MAX} bytes", hint="cut the trace: a part of it will do")
    if not data:
        raise WorkloadError(f"{path}: the file is empty")
    for magic, command in _MAGIC.items():
        if data.startswith(magic):
            raise WorkloadError(f"{path}: byte 0: the file is compressed", hint=f"unpack it first: {command}")
    return data


def _name(path: Path) -> str:
    """Make a workload's name of a file's: `My Trace.csv` becomes `my-trace`."""
    return re.sub(r"[^a-z0-9._-]+", "-", path.name.split(".")[0].lower()).strip("-._")[:64] or "imported"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)[:200]


def _oracle_general(path: Path, data: bytes) -> Iterator[int]:
    whole = len(data) - len(data) % _RECORD.size
    if whole // _RECORD.size > ROWS_MAX:
        raise WorkloadError(
            f"{path}: {whole // _RECORD.size} records; the limit is {ROWS_MAX}",
            hint=f"cut the trace: head -c {ROWS_MAX * _RECORD.size}",
        )
    hint = "records are 24 bytes: u32 clock, u64 object, u32 size, i64 next access, little-endian"
    for number, (_clock, key, size, next_access) in enumerate(_RECORD.iter_unpack(memoryview(data)[:whole])):
        if size > _SIZE_MAX:
            at = number * _RECORD.size
            raise WorkloadError(f"{path}: byte {at + 12}: negative size {size - (1 << 32)}", hint=hint)
        if next_access < _NEXT_MIN:
            at = number * _RECORD.size
            raise WorkloadError(f"{path}: byte {at + 16}: next access {next_access} is no request", hint=hint)
        if size:
            yield key
    if whole != len(data):
        raise WorkloadError(f"{path}: byte {whole}: the last record has {len(data) - whole} of 24 bytes", hint=hint)


def _lines(path: Path, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that hold something, numbered from 1; an empty line may only be followed by empty ones."""
    empty = 0
    for number, raw in enumerate(io.BytesIO(data), 1):
        line = raw.strip()
        if not line:
            empty = empty or number
            continue
        if empty:
            raise WorkloadError(f"{path}: line {empty}: an empty line")
        if len(line) > LINE_BYTES_MAX:
            raise WorkloadError(f"{path}: line {number}: {len(line)} bytes; the limit is {LINE_BYTES_MAX}")
        if b"\0" in line:
            raise WorkloadError(f"{path}: line {number}: a NUL byte", hint="this is no text; oracle-general is binary")
        yield number, line


def _csv_rows(path: Path, data: bytes) -> Iterator[tuple[int, list[str]]]:
    text = (line.decode("utf-8", "surrogateescape") + "\n" for _number, line in _lines(path, data))
    first = data[: data.find(b"\n") + 1 or len(data)].decode("utf-8", "surrogateescape")
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        for row in rows:
            yield rows.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise WorkloadError(f"{path}: line {rows.line_num}: {error}") from error


def _csv_keys(path: Path, data: bytes, column: str | None) -> Iterator[str]:
    """Yield the key column's cells.

    Which column: the one asked for; else the first whose header is among ``KEY_COLUMNS``; else the only one;
    else, of three or more without a header, the second (time, object, size, as in libCacheSim's examples).
    """
    rows = _csv_rows(path, data)
    _number, first = next(rows, (0, []))
    if not first:
        return
    names = [cell.lower() for cell in first]
    key = _key_column(path, names, column)
    size = next((names.index(name) for name in SIZE_COLUMNS if name in names), None)
    if not _is_header(names):
        yield first[key]
    width = len(first)
    for number, row in rows:
        if len(row) != width:
            raise WorkloadError(f"{path}: line {number}: {len(row)} columns; line 1 has {width}")
        if size is not None and not row[size].isdecimal():
            raise WorkloadError(f"{path}: line {number}: size {row[size][:40]!r} is no count of bytes")
        if not row[key]:
            raise WorkloadError(f"{path}: line {number}: no key in column {key + 1}")
        if size is None or int(row[size]):
            yield row[key]


def _key_column(path: Path, names: list[str], column: str | None) -> int:
    if column is not None:
        if column.isdecimal() and 1 <= int(column) <= len(names):
            return int(column) - 1
        if not column.isdecimal() and column.lower() in names:
            return names.index(column.lower())
        raise WorkloadError(f"{path}: line 1: there is no column {column!r}", hint=f"there are {len(names)} columns")
    known = next((names.index(name) for name in KEY_COLUMNS if name in names), None)
    if known is not None:
        return known
    if len(names) == 1:
        return 0
    if len(names) >= 3 and not _is_header(names):
        return 1
    raise WorkloadError(
        f"{path}: line 1: which of {len(names)} columns holds the key?", hint="say it: --column NAME or NUMBER"
    )


def _is_header(names: list[str]) -> bool:
    """Tell whether the first row names columns: by a known name, or by words only, where a trace has numbers."""
    known = any(name in KEY_COLUMNS or name in SIZE_COLUMNS for name in names)
    return known or (
        len(names) > 1 and not any(re.fullmatch(r"[-+.0-9a-fx]*[0-9][-+.0-9a-fx]*", name) for name in names)
    )
