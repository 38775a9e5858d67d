"""The workload file: what is written is read, and nothing but a workload is read as one."""

from __future__ import annotations

import zlib
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.workloads import codecs
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import FILE_BYTES_MAX, Workload, halves, read, save, workload, write

KEYS = st.lists(st.one_of(st.integers(), st.text(max_size=5)), min_size=1, max_size=200)
EXAMPLE = workload("example", [5, 6, 5, 7, 8, 5, 9, 6] * 20, origin="made up")


@settings(deadline=None, max_examples=100)
@given(KEYS, st.sampled_from(["train", "hidden", "whole"]), st.integers(1, 1 << 24))
def test_what_is_written_is_read(keys: list[int | str], part: str, capacity: int) -> None:
    made = workload("any", keys, part=part, capacity=capacity, origin="späte Züge")
    again = read(write(made))
    assert (again, again.words, again.size) == (made, made.words, made.size)
    assert (again.kind, again.name, again.part, again.capacity, again.origin) == (
        "page_replacement",
        "any",
        part,
        capacity,
        "späte Züge",
    )


@settings(deadline=None, max_examples=100)
@given(KEYS)
def test_numbering_by_first_appearance_keeps_which_requests_are_equal(keys: list[int | str]) -> None:
    requests = workload("any", keys).words
    assert len(requests) == len(keys)
    assert len(set(requests)) == len(set(keys)) == len(set(zip(keys, requests, strict=True)))
    assert list(dict.fromkeys(requests)) == list(range(len(set(keys))))


def test_the_id_is_of_the_content_not_of_the_compression() -> None:
    header, packed = write(EXAMPLE).split(b"\n", 1)
    other = header + b"\n" + zlib.compress(zlib.decompress(packed), 0)
    assert other != write(EXAMPLE)
    assert read(other).id == EXAMPLE.id


@pytest.mark.parametrize(
    "other",
    [
        workload("other", EXAMPLE.words, origin="made up"),
        workload("example", EXAMPLE.words, origin="made up", part="train"),
        workload("example", EXAMPLE.words, origin="made up", capacity=3),
        workload("example", EXAMPLE.words),
        workload("example", EXAMPLE.words[:-1], origin="made up"),
    ],
)
def test_any_difference_gives_another_id(other: Workload) -> None:
    assert other.id != EXAMPLE.id
    assert other != EXAMPLE


def test_every_truncation_is_refused() -> None:
    data = write(EXAMPLE)
    for size in range(len(data)):
        with pytest.raises(WorkloadError):
            read(data[:size])


def test_a_flipped_bit_never_changes_the_requests_under_the_same_id_nor_gives_a_traceback() -> None:
    data = write(EXAMPLE)
    for at in range(len(data)):
        for bit in range(8):
            broken = bytearray(data)
            broken[at] ^= 1 << bit
            try:
                again = read(bytes(broken))
            except WorkloadError:
                continue
            assert again.id != EXAMPLE.id or again.words == EXAMPLE.words


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(WorkloadError):
        read(junk)


def packed(numbers: bytes, **changes: object) -> bytes:
    header = orjson.loads(write(EXAMPLE).split(b"\n", 1)[0]) | changes
    return bytes(orjson.dumps(header)) + b"\n" + zlib.compress(numbers)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (packed(b"\0" * (100 << 20), requests=10, pages=1), "more data than 10 requests can take"),
        (packed(b"\x04", requests=1, pages=3), "page 2 is not numbered by first appearance"),
        (packed(b"\x01", requests=1, pages=1), "page -1 is not numbered"),
        (packed(b"\x80\x00", requests=1, pages=1), "longer than it need be"),
        (packed(b"\x80\x80\x80\x80\x01", requests=2, pages=1), "a number of more than 4 bytes"),
        (packed(b"\0\0", requests=3, pages=1), "the header says 3 requests, there are 2"),
        (packed(b"\0\x80", requests=1, pages=1), "the last number is cut short"),
        (packed(b"\0", requests=1, pages=2), "the header says 2 pages, there are 1"),
        (packed(b"", requests=0, pages=0), "0 requests"),
        (packed(b"\0", requests=1 << 25, pages=1), "33554432 requests"),
        (packed(b"\0", requests=True, pages=1), "'requests' is missing or no int"),
        (packed(b"\0", requests=1, pages=1, capacity=0), "capacity 0"),
        (packed(b"\0", requests=1, pages=1, capacity=-5), "capacity -5"),
        (packed(b"\0", requests=1, pages=1, name="../etc"), "is not possible"),
        (packed(b"\0", requests=1, pages=1, part="secret"), "none of train, hidden, whole"),
        (packed(b"\0", requests=1, pages=1, origin="a\nb"), "printable"),
        (packed(b"\0", requests=1, pages=1, origin="x" * 1001), "at most 1000"),
        (packed(b"\0", requests=1, pages=1, format="mqtt-hub-workload/2"), "does not say"),
        (packed(b"\0", requests=1, pages=1) + b"more", "data after the end"),
        (b"x" * 5000, "no header line"),
        (b"[]\n", "does not say"),
        (b"", "byte 0"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, message: str) -> None:
    with pytest.raises(WorkloadError, match=message):
        read(data)


def test_a_file_over_the_limit_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(FILE_BYTES_MAX + 10)
    with pytest.raises(WorkloadError, match=f"{FILE_BYTES_MAX + 1} bytes; the limit"):
        read(path)


def test_more_requests_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "ROWS_MAX", 10)
    assert len(workload("ten", range(10)).words) == 10
    with pytest.raises(WorkloadError, match="more than 10 requests"):
        workload("eleven", range(11))


def test_no_request_is_no_workload() -> None:
    with pytest.raises(WorkloadError, match="no requests"):
        workload("empty", [])


def test_halves_start_cold_with_their_own_numbers() -> None:
    whole = workload("whole", [1, 2, 3, 4, 3, 5, 3, 1, 6])
    train, hidden = halves(whole)
    assert (list(train.words), list(hidden.words)) == ([0, 1, 2, 3], [0, 1, 0, 2, 3])
    assert (train.part, hidden.part, train.capacity) == ("train", "hidden", 1)
    with pytest.raises(WorkloadError, match="cannot be split"):
        halves(workload("one", [1]))


def test_a_chosen_capacity_stays_in_both_halves() -> None:
    assert [part.capacity for part in halves(workload("whole", range(100), capacity=33))] == [33, 33]
    assert [part.capacity for part in halves(workload("whole", range(100)))] == [5, 5]


def test_a_place_that_cannot_be_written_or_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="No such file"):
        save(EXAMPLE, tmp_path / "missing" / "file")
    with pytest.raises(WorkloadError, match="Is a directory"):
        read(tmp_path)
