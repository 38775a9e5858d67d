"""Traces of text: lines, one column of a table as keys, or the columns of a kind.

::

    lines ─┬─▶ keys: a line is a key
           └─▶ csv: commas, semicolons or tabs ─┬─▶ csv_keys: one column
                                                └─▶ csv_table: the columns that a kind has
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from trainers.workloads.codecs import Columns
from trainers.workloads.errors import WorkloadError

__all__ = ["KEY_COLUMNS", "LINE_BYTES_MAX", "csv_keys", "csv_table", "lines"]

LINE_BYTES_MAX = 4096
KEY_COLUMNS = ("obj_id", "obj-id", "object_id", "object", "obj", "key", "page", "id", "block", "lba", "address")
SIZE_COLUMNS = ("obj_size", "obj-size", "object_size", "size", "length")


def lines(path: Path, data: bytes) -> Iterator[tuple[int, bytes]]:
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
    text = (line.decode("utf-8", "surrogateescape") + "\n" for _number, line in lines(path, data))
    first = data[: data.find(b"\n") + 1 or len(data)].decode("utf-8", "surrogateescape")
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        for row in rows:
            yield rows.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise WorkloadError(f"{path}: line {rows.line_num}: {error}") from error


def csv_keys(path: Path, data: bytes, column: str | None) -> Iterator[str]:
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


def csv_table(path: Path, data: bytes, codec: Columns) -> Iterator[list[int]]:
    """Yield rows of a kind with columns: the header names them all, in any order, beside others."""
    rows = _csv_rows(path, data)
    _number, first = next(rows, (0, []))
    names = [cell.lower() for cell in first]
    wanted = [column.name for column in codec.columns]
    lacking = [name for name in wanted if name not in names]
    if lacking:
        raise WorkloadError(
            f"{path}: line 1: there is no column {', '.join(lacking)}", hint=f"the header has {', '.join(wanted)}"
        )
    places = [names.index(name) for name in wanted]
    for number, row in rows:
        if len(row) != len(names):
            raise WorkloadError(f"{path}: line {number}: {len(row)} columns; line 1 has {len(names)}")
        cells = [row[place] for place in places]
        wrong = next((cell for cell in cells if not (cell.isascii() and cell.isdecimal())), None)
        if wrong is not None:
            raise WorkloadError(f"{path}: line {number}: {wrong[:40]!r} is no whole number")
        yield [int(cell) for cell in cells]


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
