r"""The workload file: what a program asked for, in order, small and content-addressed.

::

    {"capacity":…,"format":"mqtt-hub-workload/1",…,"requests":…}\n       one line of JSON, keys sorted
    zlib( varint, varint, … )                                            the rows, as the kind's codec writes them

The id is the SHA-256 of the header line and the uncompressed numbers: machines whose zlib differ still agree on
it. `trainers.workloads.codecs` has the two formats there are.
"""

from __future__ import annotations

import hashlib
import re
import sys
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from trainers.arenas.errors import EvaluationError
from trainers.arenas.kind import Kind
from trainers.arenas.registry import DEFAULT, kind_of
from trainers.workloads.codecs import ROWS_MAX
from trainers.workloads.errors import WorkloadError

__all__ = ["FILE_BYTES_MAX", "PARTS", "Workload", "halves", "read", "save", "workload", "write"]

FILE_BYTES_MAX = 64 << 20
HEADER_BYTES_MAX = 4096
ORIGIN_CHARS_MAX = 1000
PARTS = ("train", "hidden", "whole")

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FIELDS: dict[str, type] = {"capacity": int, "format": str, "kind": str, "name": str, "origin": str, "part": str}


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """Rows of one kind, in order of time. Equal to another where the ids are equal."""

    id: str  # SHA-256, hexadecimal
    kind: str
    name: str
    part: str  # train, hidden or whole
    capacity: int  # of the machine it is meant to be run on, in the kind's unit: pages of cache, CPUs
    words: array[int]  # rows x the codec's width, row after row; never written to
    rows: int
    size: int  # as the codec measures it: different pages, tasks
    origin: str  # where it comes from, for people

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workload) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def little_endian(self) -> memoryview:
        """Return the words as the bytes of little-endian u32; where the machine is, nothing is copied."""
        words = self.words
        if sys.byteorder == "big":
            words = array("I", words)
            words.byteswap()
        return memoryview(words).cast("B")


def workload(  # the one way to make a workload
    name: str,
    rows: Iterable[Any],
    *,
    kind: str = DEFAULT,
    part: str = "whole",
    capacity: int | None = None,
    origin: str = "",
) -> Workload:
    """Make a workload of rows as the kind's codec collects them: any keys for pages, tuples for columns.

    Raises `WorkloadError` where there is none, there are too many, or a field is outside its bounds.
    """
    declared = _kind(name, kind)
    return _made(declared, name, declared.codec.collect(name, rows), part, capacity, origin)


def halves(whole: Workload) -> tuple[Workload, Workload]:
    """Split by time into a train and a hidden part, each starting cold.

    A capacity that somebody chose stays; the default is taken anew from each part's own size.
    """
    kind = kind_of(whole.kind)
    middle = kind.cut(whole.words, whole.rows // 2)
    if not 0 < middle < whole.rows:
        raise WorkloadError(f"{whole.name}: {whole.rows} {kind.rows} cannot be split")
    chosen = None if whole.capacity == kind.capacity.default(whole.size) else whole.capacity
    first, second = (
        _made(kind, whole.name, kind.codec.part(whole.words, start, stop), part, chosen, whole.origin)
        for part, start, stop in (("train", 0, middle), ("hidden", middle, whole.rows))
    )
    return first, second


def write(workload: Workload) -> bytes:
    """Return the file's content; `read` of it gives an equal workload."""
    kind = kind_of(workload.kind)
    return _header(kind, workload) + b"\n" + zlib.compress(kind.codec.encode(workload.words), 9)


def save(workload: Workload, path: Path) -> None:
    """Write a workload file. Raises `WorkloadError` where the place cannot be written to."""
    try:
        path.write_bytes(write(workload))
    except OSError as error:
        raise WorkloadError(f"{path}: {error.strerror or error}") from error


def read(source: Path | bytes) -> Workload:
    """Read a workload file. Raises `WorkloadError` with the byte offset where it is not one."""
    where = str(source) if isinstance(source, Path) else "workload"
    data = _load(source) if isinstance(source, Path) else source
    if len(data) > FILE_BYTES_MAX:
        raise WorkloadError(f"{where}: {len(data)} bytes; the limit is {FILE_BYTES_MAX}")
    end = data.find(b"\n", 0, HEADER_BYTES_MAX)
    if end < 0:
        raise WorkloadError(
            f"{where}: byte 0: no header line", hint="this is no workload file; `workload import` reads traces"
        )
    kind, header = _read_header(where, data[:end])
    rows_key, size_key = kind.codec.keys
    rows = header[rows_key]
    encoded = _inflate(where, data, end + 1, rows, kind)
    words = kind.codec.decode(where, encoded, rows)
    size = kind.codec.measure(words)
    if size != header[size_key]:
        raise WorkloadError(f"{where}: byte 0: the header says {header[size_key]} {kind.size}, there are {size}")
    fields = {key: header[key] for key in ("kind", "name", "part", "capacity", "origin")}
    return _identified(kind, Workload(id="", words=words, rows=rows, size=size, **fields), encoded)


def _kind(where: str, name: str) -> Kind:
    try:
        return kind_of(name)
    except EvaluationError as error:
        raise WorkloadError(f"{where}: {error.facts}", hint=error.hint) from error


def _made(kind: Kind, name: str, words: array[int], part: str, capacity: int | None, origin: str) -> Workload:
    if not words:
        raise WorkloadError(f"{name}: no {kind.rows}", hint="a workload needs at least one")
    size = kind.codec.measure(words)
    if capacity is None:
        capacity = kind.capacity.default(size)
    fields = {"capacity": capacity, "name": name, "origin": origin, "part": part}
    _check(name, kind, fields)
    made = Workload("", kind.name, name, part, capacity, words, len(words) // kind.codec.width, size, origin)
    return _identified(kind, made, kind.codec.encode(words))


def _load(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise WorkloadError(f"{path}: {error.strerror or error}") from error


def _header(kind: Kind, workload: Workload) -> bytes:
    fields = {key: getattr(workload, key) for key in _FIELDS if key != "format"}
    counts = dict(zip(kind.codec.keys, (workload.rows, workload.size), strict=True))
    return orjson.dumps(
        {**fields, **counts, **kind.codec.header, "format": kind.codec.format}, option=orjson.OPT_SORT_KEYS
    )


def _identified(kind: Kind, made: Workload, encoded: bytes) -> Workload:
    return replace(made, id=hashlib.sha256(_header(kind, made) + b"\n" + encoded).hexdigest())


def _read_header(where: str, line: bytes) -> tuple[Kind, dict[str, Any]]:
    try:
        header = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise WorkloadError(
            f"{where}: byte 0: the header is no JSON", hint="this is no workload file; `workload import` reads traces"
        ) from error
    if not isinstance(header, dict) or not str(header.get("format")).startswith("mqtt-hub-workload/"):
        raise WorkloadError(f"{where}: byte 0: the header does not say mqtt-hub-workload/…")
    _typed(where, header, _FIELDS)
    kind = _kind(where, header["kind"])
    if header["format"] != kind.codec.format:
        raise WorkloadError(f"{where}: byte 0: the header does not say {kind.codec.format}, which {kind.name} has")
    _typed(where, header, dict.fromkeys(kind.codec.keys, int))
    for key, value in kind.codec.header.items():
        if header.get(key) != value:
            raise WorkloadError(f"{where}: byte 0: header field {key!r} is not {value}")
    rows, rows_max = header[kind.codec.keys[0]], ROWS_MAX // kind.codec.width
    if not 1 <= rows <= rows_max:
        raise WorkloadError(f"{where}: byte 0: {rows} {kind.rows}; 1..{rows_max} are possible")
    _check(where, kind, header)
    return kind, header


def _typed(where: str, header: dict[str, Any], fields: dict[str, type]) -> None:
    for key, type_ in fields.items():
        if type(header.get(key)) is not type_:
            raise WorkloadError(f"{where}: byte 0: header field {key!r} is missing or no {type_.__name__}")


def _check(where: str, kind: Kind, fields: dict[str, Any]) -> None:
    if not _NAME.fullmatch(fields["name"]):
        raise WorkloadError(
            f"{where}: the name {fields['name'][:80]!r} is not possible",
            hint="up to 64 of a-z 0-9 . _ -, a letter or digit first",
        )
    if fields["part"] not in PARTS:
        raise WorkloadError(f"{where}: the part {fields['part'][:80]!r} is none of {', '.join(PARTS)}")
    has = kind.capacity
    if not has.low <= fields["capacity"] <= has.high:
        raise WorkloadError(f"{where}: capacity {fields['capacity']} is not within {has.low}..{has.high} {has.unit}")
    if len(fields["origin"]) > ORIGIN_CHARS_MAX or not fields["origin"].isprintable():
        raise WorkloadError(f"{where}: the origin must be at most {ORIGIN_CHARS_MAX} printable characters")


def _inflate(where: str, data: bytes, start: int, rows: int, kind: Kind) -> bytes:
    """Decompress, but never to more than the header's number of rows can need."""
    bytes_max = rows * kind.codec.row_bytes_max
    stream = zlib.decompressobj()
    try:
        encoded = stream.decompress(memoryview(data)[start:], bytes_max + 1)
    except zlib.error as error:
        raise WorkloadError(f"{where}: byte {start}: the compressed part is damaged ({error})") from error
    if len(encoded) > bytes_max:
        raise WorkloadError(f"{where}: byte {start}: more data than {rows} {kind.rows} can take")
    if not stream.eof:
        raise WorkloadError(f"{where}: byte {len(data)}: the file is cut short")
    if stream.unused_data:
        raise WorkloadError(f"{where}: byte {len(data) - len(stream.unused_data)}: data after the end")
    return encoded
