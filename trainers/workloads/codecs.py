r"""How the rows of a workload are written in its file: page numbers, or columns of integers.

::

    Pages    mqtt-hub-workload/1   one column; pages numbered by first appearance, so no key of a trace is in it
    Columns  mqtt-hub-workload/2   the first column of all rows, then the second …; bounds and meaning declared

Both write varints (seven bits a byte, lowest first, as short as can be): of the zig-zag of the difference to
the row before, or of the number itself. So a workload has one spelling.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from trainers.workloads.errors import WorkloadError

__all__ = ["ROWS_MAX", "Codec", "Column", "Columns", "Pages"]

ROWS_MAX = 1 << 24
U32_MAX = (1 << 32) - 1


class Codec(Protocol):
    """What a kind must say of its rows; `Pages` and `Columns` are the two that there are."""

    @property
    def format(self) -> str:
        """What the header says: the name of the format."""

    @property
    def width(self) -> int:
        """Columns a row, u32 each."""

    @property
    def keys(self) -> tuple[str, str]:
        """What the header calls the number of rows, and the size."""

    @property
    def names(self) -> tuple[int, ...]:
        """The places in a row that hold names."""

    @property
    def header(self) -> Mapping[str, Any]:
        """What else the header holds."""

    @property
    def row_bytes_max(self) -> int:
        """Bytes that one row may take, uncompressed."""

    def collect(self, name: str, rows: Iterable[Any]) -> array[int]:
        """Return the words of rows as whoever makes a workload has them."""

    def part(self, words: Sequence[int], start: int, stop: int) -> array[int]:
        """Return rows ``start..stop`` as a workload of their own."""

    def measure(self, words: Sequence[int]) -> int:
        """Return the size: distinct pages, tasks, …; raises `WorkloadError` where rows make no sense."""

    def encode(self, words: Sequence[int]) -> bytes:
        """Return the varints."""

    def decode(self, where: str, encoded: bytes, rows: int) -> array[int]:
        """Return the words; raises `WorkloadError` with the byte where they are not what they should be."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Requests for pages: 0, then 0 or 1, and so on. A row as it is made is any hashable key."""

    format: str = "mqtt-hub-workload/1"
    width: int = 1
    names: tuple[int, ...] = (0,)
    keys: tuple[str, str] = ("requests", "pages")
    header: Mapping[str, Any] = field(default_factory=dict)
    row_bytes_max: int = 4  # zig-zag of a difference below 2^24

    def collect(self, name: str, rows: Iterable[Hashable]) -> array[int]:
        """Number keys by first appearance."""
        numbers: dict[Hashable, int] = {}
        words = array("I")
        for key in _bounded(name, rows, ROWS_MAX):
            words.append(numbers.setdefault(key, len(numbers)))
        return words

    def part(self, words: Sequence[int], start: int, stop: int) -> array[int]:
        """Number the pages of the part anew."""
        return self.collect("", words[start:stop])

    def measure(self, words: Sequence[int]) -> int:
        """Return how many pages there are."""
        return max(words) + 1

    def encode(self, words: Sequence[int]) -> bytes:
        """Return the differences, zig-zag."""
        return _encode(_zigzag(words))

    def decode(self, where: str, encoded: bytes, rows: int) -> array[int]:
        """Read the varints and hold them to the numbering by first appearance."""
        words = array("I")
        page, newest = 0, -1
        for at, value in _decode(where, encoded, self.row_bytes_max):
            page += value >> 1 ^ -(value & 1)
            if page > newest:
                newest += 1
            if not 0 <= page <= newest:
                raise WorkloadError(f"{where}: uncompressed byte {at}: page {page} is not numbered by first appearance")
            words.append(page)
        if len(words) != rows:
            raise WorkloadError(f"{where}: the header says {rows} requests, there are {len(words)}")
        return words


@dataclass(frozen=True, slots=True)
class Column:
    """One u32 of a row, always within ``low..high``; ``delta`` writes the difference to the row before."""

    name: str
    unit: str  # for people: µs, sectors
    meaning: str
    low: int = 0
    high: int = U32_MAX
    delta: bool = False
    identity: bool = False  # only a name: dealt out anew it changes no result


def _no_size(_words: Sequence[int]) -> int:
    return 1


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows of several integers. A row as it is made is a sequence of them, in the order of the columns.

    ``size_of`` returns the size, and raises `WorkloadError` for rows that make no sense together.
    """

    columns: tuple[Column, ...]
    size_of: Callable[[Sequence[int]], int] = _no_size
    format: str = "mqtt-hub-workload/2"
    keys: tuple[str, str] = ("rows", "size")

    @property
    def width(self) -> int:
        """Columns a row."""
        return len(self.columns)

    @property
    def names(self) -> tuple[int, ...]:
        """The places of the columns that are only names."""
        return tuple(place for place, column in enumerate(self.columns) if column.identity)

    @property
    def header(self) -> Mapping[str, Any]:
        """The columns' names: a file says what is in it."""
        return {"columns": [column.name for column in self.columns]}

    @property
    def row_bytes_max(self) -> int:
        """The zig-zag of the difference of two u32 has 33 bits: five bytes."""
        return 5 * self.width

    def collect(self, name: str, rows: Iterable[Sequence[int]]) -> array[int]:
        """Lay the rows one after the other."""
        words = array("I")
        for number, row in enumerate(_bounded(name, rows, ROWS_MAX // self.width)):
            if len(row) != self.width:
                raise WorkloadError(f"{name}: row {number}: {len(row)} columns instead of {self.width}")
            for column, value in zip(self.columns, row, strict=True):
                _check(f"{name}: row {number}", column, value)
            words.extend(row)
        return words

    def part(self, words: Sequence[int], start: int, stop: int) -> array[int]:
        """Return the rows as they are: the arena takes times relative to the first row."""
        return array("I", words[start * self.width : stop * self.width])

    def measure(self, words: Sequence[int]) -> int:
        """Return the size."""
        return self.size_of(words)

    def encode(self, words: Sequence[int]) -> bytes:
        """Return column after column."""
        columns = (
            _zigzag(words[place :: self.width]) if column.delta else words[place :: self.width]
            for place, column in enumerate(self.columns)
        )
        return b"".join(map(_encode, columns))

    def decode(self, where: str, encoded: bytes, rows: int) -> array[int]:
        """Read the varints and hold each to its column's bounds."""
        words = array("I", bytes(4 * rows * self.width))
        numbers = _decode(where, encoded, 5)
        for place, column in enumerate(self.columns):
            value = 0
            for row in range(rows):
                at, number = next(numbers, (-1, 0))
                if at < 0:
                    raise WorkloadError(f"{where}: the header says {rows} rows, {column.name} has {row}")
                value = value + (number >> 1 ^ -(number & 1)) if column.delta else number
                _check(f"{where}: row {row}", column, value)
                words[row * self.width + place] = value
        if next(numbers, None) is not None:
            raise WorkloadError(f"{where}: more numbers than {rows} rows take")
        return words


def _bounded(name: str, rows: Iterable[Any], rows_max: int) -> Iterator[Any]:
    for number, row in enumerate(rows):
        if number == rows_max:
            raise WorkloadError(
                f"{name}: more than {rows_max} requests or rows", hint="cut the trace: a part of it will do"
            )
        yield row


def _check(where: str, column: Column, value: int) -> None:
    if not column.low <= value <= column.high:
        raise WorkloadError(f"{where}: {column.name} {value} is not within {column.low}..{column.high} {column.unit}")


def _zigzag(words: Sequence[int]) -> Iterator[int]:
    before = 0
    for word in words:
        delta = word - before
        before = word
        yield delta << 1 if delta >= 0 else ~(delta << 1)


def _encode(numbers: Iterable[int]) -> bytes:
    encoded = bytearray()
    for number in numbers:
        value = number
        while value > 0x7F:
            encoded.append(value & 0x7F | 0x80)
            value >>= 7
        encoded.append(value)
    return bytes(encoded)


def _decode(where: str, encoded: bytes, bytes_max: int) -> Iterator[tuple[int, int]]:
    """Yield (byte at which it ends, number); the only spelling of a number is its shortest."""
    value = shift = 0
    for at, byte in enumerate(encoded):
        value |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > 7 * (bytes_max - 1):
                raise WorkloadError(f"{where}: uncompressed byte {at}: a number of more than {bytes_max} bytes")
            continue
        if shift and not byte:
            raise WorkloadError(f"{where}: uncompressed byte {at}: a number is longer than it need be")
        yield at, value
        value = shift = 0
    if shift:
        raise WorkloadError(f"{where}: the last number is cut short")
