r"""The workload file: which pages a program asked for, in order, small and content-addressed.

::

    {"capacity":…,"format":"mqtt-hub-workload/1",…,"requests":…}\n       one line of JSON, keys sorted
    zlib( varint(zig-zag(page[0])), varint(zig-zag(page[1] - page[0])), … )

Pages are numbered by first appearance: 0, then 0 or 1, and so on. So a file has one spelling, no key of
the original trace is in it, and renaming the pages of a trace changes nothing. The id is the SHA-256 of the
header line and the uncompressed numbers: machines whose zlib differ still agree on it.
"""

from __future__ import annotations

import hashlib
import re
import sys
import zlib
from array import array
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from trainers.workloads.errors import WorkloadError

__all__ = [
    "CAPACITY_PERCENT",
    "FILE_BYTES_MAX",
    "REQUESTS_MAX",
    "Workload",
    "default_capacity",
    "halves",
    "read",
    "renumber",
    "save",
    "workload",
    "write",
]

FORMAT = "mqtt-hub-workload/1"
REQUESTS_MAX = 1 << 24
FILE_BYTES_MAX = 64 << 20
HEADER_BYTES_MAX = 4096
ORIGIN_CHARS_MAX = 1000
VARINT_BYTES_MAX = 4  # zig-zag of a difference below 2^24
CAPACITY_PERCENT = 10  # of the pages, where nobody says otherwise
PARTS = ("train", "hidden", "whole")

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FIELDS: dict[str, type] = {
    "capacity": int,
    "format": str,
    "kind": str,
    "name": str,
    "origin": str,
    "pages": int,
    "part": str,
    "requests": int,
}


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """A trace of page requests. Equal to another where the ids are equal."""

    id: str  # SHA-256, hexadecimal
    kind: str
    name: str
    part: str  # train, hidden or whole
    capacity: int  # pages of cache it is meant to be run with
    requests: array[int]  # page numbers 0..pages-1 by first appearance; never written to
    pages: int  # different pages
    origin: str  # where it comes from, for people

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workload) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def words(self) -> bytes:
        """Return the requests as little-endian u32."""
        if sys.byteorder == "little":
            return self.requests.tobytes()
        swapped = array("I", self.requests)
        swapped.byteswap()
        return swapped.tobytes()


def workload(  # the one way to make a workload
    name: str,
    keys: Iterable[Hashable],
    *,
    kind: str = "page_replacement",
    part: str = "whole",
    capacity: int | None = None,
    origin: str = "",
) -> Workload:
    """Make a workload of any keys in the order of their requests.

    Raises `WorkloadError` where there is none, there are more than ``REQUESTS_MAX``, or a field is outside
    its bounds.
    """
    requests, pages = renumber(keys)
    if not requests:
        raise WorkloadError(f"{name}: no requests", hint="a workload needs at least one")
    if capacity is None:
        capacity = default_capacity(pages)
    fields = {"capacity": capacity, "kind": kind, "name": name, "origin": origin, "part": part}
    _check(name, fields)
    made = Workload("", kind, name, part, capacity, requests, pages, origin)
    return _identified(made, _encode(requests))


def default_capacity(pages: int) -> int:
    """Return the capacity of a workload for which nobody chose one."""
    return max(1, pages * CAPACITY_PERCENT // 100)


def renumber(keys: Iterable[Hashable]) -> tuple[array[int], int]:
    """Number keys by first appearance; return the numbers and how many keys differ."""
    numbers: dict[Hashable, int] = {}
    requests = array("I")
    for key in keys:
        if len(requests) == REQUESTS_MAX:
            raise WorkloadError(f"more than {REQUESTS_MAX} requests", hint="cut the trace: a part of it will do")
        requests.append(numbers.setdefault(key, len(numbers)))
    return requests, len(numbers)


def halves(whole: Workload) -> tuple[Workload, Workload]:
    """Split by time into a train and a hidden part, each starting cold.

    A capacity that somebody chose stays; the default is taken anew from each part's own pages.
    """
    middle = len(whole.requests) // 2
    if middle == 0:
        raise WorkloadError(f"{whole.name}: one request cannot be split")
    chosen = None if whole.capacity == default_capacity(whole.pages) else whole.capacity
    first, second = (
        workload(whole.name, requests, kind=whole.kind, part=part, capacity=chosen, origin=whole.origin)
        for part, requests in (("train", whole.requests[:middle]), ("hidden", whole.requests[middle:]))
    )
    return first, second


def write(workload: Workload) -> bytes:
    """Return the file's content; `read` of it gives an equal workload."""
    return _header(workload) + b"\n" + zlib.compress(_encode(workload.requests), 9)


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
    header = _read_header(where, data[:end])
    _check(where, header)
    encoded = _inflate(where, data, end + 1, header["requests"])
    requests = _decode(where, encoded, header["requests"])
    pages = max(requests) + 1
    if pages != header["pages"]:
        raise WorkloadError(f"{where}: byte 0: the header says {header['pages']} pages, there are {pages}")
    fields = {key: header[key] for key in ("kind", "name", "part", "capacity", "pages", "origin")}
    return _identified(Workload(id="", requests=requests, **fields), encoded)


def _load(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise WorkloadError(f"{path}: {error.strerror or error}") from error


def _header(workload: Workload) -> bytes:
    fields = {key: getattr(workload, key) for key in _FIELDS if key not in ("format", "requests")}
    return orjson.dumps({**fields, "format": FORMAT, "requests": len(workload.requests)}, option=orjson.OPT_SORT_KEYS)


def _identified(made: Workload, encoded: bytes) -> Workload:
    digest = hashlib.sha256(_header(made) + b"\n" + encoded).hexdigest()
    return Workload(digest, made.kind, made.name, made.part, made.capacity, made.requests, made.pages, made.origin)


def _read_header(where: str, line: bytes) -> dict[str, Any]:
    try:
        header = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise WorkloadError(
            f"{where}: byte 0: the header is no JSON", hint="this is no workload file; `workload import` reads traces"
        ) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise WorkloadError(f"{where}: byte 0: the header does not say {FORMAT}")
    for key, kind in _FIELDS.items():
        if type(header.get(key)) is not kind:
            raise WorkloadError(f"{where}: byte 0: header field {key!r} is missing or no {kind.__name__}")
    if not 1 <= header["requests"] <= REQUESTS_MAX:
        raise WorkloadError(f"{where}: byte 0: {header['requests']} requests; 1..{REQUESTS_MAX} are possible")
    return header


def _check(where: str, fields: dict[str, Any]) -> None:
    if not _NAME.fullmatch(fields["name"]):
        raise WorkloadError(
            f"{where}: the name {fields['name'][:80]!r} is not possible",
            hint="up to 64 of a-z 0-9 . _ -, a letter or digit first",
        )
    if not _NAME.fullmatch(fields["kind"]):
        raise WorkloadError(f"{where}: {fields['kind'][:80]!r} is no component kind")
    if fields["part"] not in PARTS:
        raise WorkloadError(f"{where}: the part {fields['part'][:80]!r} is none of {', '.join(PARTS)}")
    if not 1 <= fields["capacity"] <= REQUESTS_MAX:
        raise WorkloadError(f"{where}: capacity {fields['capacity']} is not within 1..{REQUESTS_MAX} pages")
    if len(fields["origin"]) > ORIGIN_CHARS_MAX or not fields["origin"].isprintable():
        raise WorkloadError(f"{where}: the origin must be at most {ORIGIN_CHARS_MAX} printable characters")


def _inflate(where: str, data: bytes, start: int, requests: int) -> bytes:
    """Decompress, but never to more than the header's number of requests can need."""
    bytes_max = requests * VARINT_BYTES_MAX
    stream = zlib.decompressobj()
    try:
        encoded = stream.decompress(memoryview(data)[start:], bytes_max + 1)
    except zlib.error as error:
        raise WorkloadError(f"{where}: byte {start}: the compressed part is damaged ({error})") from error
    if len(encoded) > bytes_max:
        raise WorkloadError(f"{where}: byte {start}: more data than {requests} requests can take")
    if not stream.eof:
        raise WorkloadError(f"{where}: byte {len(data)}: the file is cut short")
    if stream.unused_data:
        raise WorkloadError(f"{where}: byte {len(data) - len(stream.unused_data)}: data after the end")
    return encoded


def _encode(requests: Iterable[int]) -> bytes:
    encoded = bytearray()
    before = 0
    for page in requests:
        delta = page - before
        before = page
        value = delta << 1 if delta >= 0 else ~(delta << 1)
        while value > 0x7F:
            encoded.append(value & 0x7F | 0x80)
            value >>= 7
        encoded.append(value)
    return bytes(encoded)


def _decode(where: str, encoded: bytes, count: int) -> array[int]:
    """Read the varints and hold them to the numbering by first appearance."""
    requests = array("I")
    page = value = shift = 0
    newest = -1
    for at, byte in enumerate(encoded):
        value |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > 7 * (VARINT_BYTES_MAX - 1):
                raise WorkloadError(f"{where}: uncompressed byte {at}: a number of more than {VARINT_BYTES_MAX} bytes")
            continue
        if shift and not byte:
            raise WorkloadError(f"{where}: uncompressed byte {at}: a number is longer than it need be")
        page += value >> 1 ^ -(value & 1)
        value = shift = 0
        if page > newest:
            newest += 1
        if not 0 <= page <= newest:
            raise WorkloadError(f"{where}: uncompressed byte {at}: page {page} is not numbered by first appearance")
        requests.append(page)
    if shift or len(requests) != count:
        raise WorkloadError(f"{where}: the header says {count} requests, there are {len(requests)}")
    return requests
