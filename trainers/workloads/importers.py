"""Traces made elsewhere, read as workloads.

::

    oracle-general   libCacheSim's 24-byte records <IQIq: clock, object, size, next access
    keys             text, one key a line; a key is any string of bytes
    csv              one column of a table: by --column, by a known name in the header, or by position;
                     of a kind whose rows have columns: these columns, by the header
    perf-sched, swf, blkparse, perf-block, vscsi   of other kinds: sources.TEXT_TRACES, BINARY_TRACES

Sizes are ignored: every object is one page. As in libCacheSim, a record of size 0 is no request. Importers
read at most ``IMPORT_BYTES_MAX`` bytes and ``ROWS_MAX`` requests.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from trainers.arenas.registry import DEFAULT, kind_of
from trainers.workloads.codecs import ROWS_MAX, Columns
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import Workload, workload
from trainers.workloads.sources import BINARY_TRACES, TEXT_TRACES, TextTrace
from trainers.workloads.text_traces import LINE_BYTES_MAX, csv_keys, csv_table, lines

__all__ = ["FORMATS", "IMPORT_BYTES_MAX", "import_workload"]

FORMATS = ("oracle-general", "keys", "csv", *TEXT_TRACES, *BINARY_TRACES)
IMPORT_BYTES_MAX = 1 << 30

_RECORD = struct.Struct("<IQIq")
_SIZE_MAX = (1 << 31) - 1
_NEXT_MIN = -2  # -1: never again, -2: not known
_MAGIC = {b"\x28\xb5\x2f\xfd": "zstd -d", b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz"}


Watch: TypeAlias = Callable[[str, Iterable[Any], int], Iterable[Any]]  # (label, rows, about how many) -> rows


def _unwatched(_label: str, rows: Iterable[Any], _about: int) -> Iterable[Any]:
    return rows


def import_workload(
    path: Path,
    format: str,  # noqa: A002 — the option's name
    *,
    kind: str | None = None,
    column: str | None = None,
    name: str | None = None,
    capacity: int | None = None,
    watch: Watch = _unwatched,
) -> Workload:
    """Read a trace. ``column`` (csv only) is a header's name or a number from 1; ``kind`` None: the format's own.

    A csv of a kind with columns has them in its header. ``watch(label, rows, about how many)`` sees rows pass.

    Raises `WorkloadError` with the line or byte offset where the trace is not what ``format`` says.
    """
    if format not in FORMATS:
        raise WorkloadError(f"there is no trace format {format!r}", hint=f"known: {', '.join(FORMATS)}")
    if column is not None and format != "csv":
        raise WorkloadError(f"a column means nothing in the format {format}", hint="only csv has columns")
    data = _load(path)
    if format in TEXT_TRACES or format in BINARY_TRACES:
        return _trace(path, data, format, name, capacity)
    wanted = kind_of(kind or DEFAULT)
    if isinstance(wanted.codec, Columns):
        if format != "csv" or column is not None:
            raise WorkloadError(
                f"{wanted.name} has rows of several columns, of which {format} says one",
                hint=f"a csv whose header has {', '.join(wanted.codec.header['columns'])}",
            )
        table = watch("reading", csv_table(path, data, wanted.codec), data.count(b"\n"))
        origin = f"imported from {_printable(path.name)} as csv"
        return workload(name or _name(path), table, kind=wanted.name, capacity=capacity, origin=origin)
    keys: Iterator[Hashable]
    if format == "csv":
        keys = csv_keys(path, data, column)
    elif format == "keys":
        keys = (line for _number, line in lines(path, data))
    else:
        keys = _oracle_general(path, data)
    origin = f"imported from {_printable(path.name)} as {format}"
    about = len(data) // _RECORD.size if format == "oracle-general" else data.count(b"\n")
    rows = watch("reading", keys, about)
    return workload(name or _name(path), rows, kind=wanted.name, capacity=capacity, origin=origin)


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
