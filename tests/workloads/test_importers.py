"""Traces made elsewhere: what is read, and which line or byte is at fault where it cannot be."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.workloads import importers
from trainers.workloads.errors import WorkloadError
from trainers.workloads.importers import FORMATS, import_workload


def numbers(data: bytes, name: str, tmp_path: Path, **options: str) -> list[int]:
    path = tmp_path / "trace"
    path.write_bytes(data)
    return list(import_workload(path, name, **options).words)  # type: ignore[arg-type] # one mapping of strings


def record(key: int, size: int = 1, later: int = -1) -> bytes:
    return struct.pack("<IQIq", 0, key, size, later)


def test_oracle_general_reads_the_objects_in_order(tmp_path: Path) -> None:
    data = record(1 << 63) + record(7, later=4) + record(1 << 63, later=-2) + record(7)
    assert numbers(data, "oracle-general", tmp_path) == [0, 1, 0, 1]


def test_a_record_of_size_zero_is_no_request(tmp_path: Path) -> None:
    assert numbers(record(1) + record(2, size=0) + record(3), "oracle-general", tmp_path) == [0, 1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (record(1) + record(2)[:10], r"byte 24: the last record has 10 of 24 bytes"),
        (record(1) + struct.pack("<IQiq", 0, 1, -5, -1), r"byte 36: negative size -5"),
        (record(1) + record(1) + record(1, later=-99), r"byte 64: next access -99"),
        (record(1, size=0), "no requests"),
        (b"short", "byte 0: the last record has 5 of 24"),
    ],
)
def test_broken_oracle_general_names_the_byte(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match=message):
        numbers(data, "oracle-general", tmp_path)


def test_random_bytes_are_no_oracle_general(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="byte"):
        numbers(random.Random(1).randbytes(24 * 100), "oracle-general", tmp_path)


def test_keys_are_any_strings(tmp_path: Path) -> None:
    assert numbers("a\nZüge\r\n42\na\n\xff\n".encode() + b"\xff\xfe", "keys", tmp_path) == [0, 1, 2, 0, 3, 4]
    assert numbers(b"x\ny\nx\n\n\n", "keys", tmp_path) == [0, 1, 0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\n\nb\n", "line 2: an empty line"),
        (b"a\nb\0c\n", "line 2: a NUL byte"),
        (b"a\n" + b"x" * 5000, "line 2: 5000 bytes; the limit is 4096"),
        (b"\n\n", "no requests"),
    ],
)
def test_broken_keys_name_the_line(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match=message):
        numbers(data, "keys", tmp_path)


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("time,obj_id,size\n1,a,10\n2,b,10\n3,a,10\n", None, [0, 1, 0]),
        ("page;when\n5;x\n6;y\n5;z\n", None, [0, 1, 0]),
        ("1,a,10\n2,b,10\n3,a,10\n", None, [0, 1, 0]),
        ("a\nb\na\n", None, [0, 1, 0]),
        ("key\na\nb\na\n", None, [0, 1, 0]),
        ("when,what\n1,a\n2,b\n3,a\n", "what", [0, 1, 0]),
        ("when,what\n1,a\n2,b\n3,a\n", "2", [0, 1, 0]),
        ("9,1\n9,2\n8,1\n", "1", [0, 0, 1]),
        ('id,note\n"a,b",1\n"a,b",2\n', None, [0, 0]),
        ("time\tlba\tsize\n1\t8\t4096\n2\t8\t0\n3\t9\t512\n", None, [0, 1]),
    ],
)
def test_csv_columns(text: str, column: str | None, expected: list[int], tmp_path: Path) -> None:
    options = {} if column is None else {"column": column}
    assert numbers(text.encode(), "csv", tmp_path, **options) == expected


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("1,2\n3,4\n", None, "line 1: which of 2 columns holds the key"),
        ("when,where,what\n1,2,3\n", None, "line 1: which of 3 columns"),
        ("a,b\n1,2\n", "c", "line 1: there is no column 'c'"),
        ("a,b\n1,2\n", "3", "line 1: there is no column '3'"),
        ("id,size\n1,5\n2,-5\n", None, "line 3: size '-5'"),
        ("id,size\n1,5\n2\n", None, "line 3: 1 columns; line 1 has 2"),
        ("id,size\n1,5\n,5\n", None, "line 3: no key in column 1"),
        ('id,x\n"1,5\n', None, "line 2: unexpected end of data"),
        ("id,size\n", None, "no requests"),
        (" \n\n", None, "no requests"),
    ],
)
def test_broken_csv_names_the_line(text: str, column: str | None, message: str, tmp_path: Path) -> None:
    options = {} if column is None else {"column": column}
    with pytest.raises(WorkloadError, match=message):
        numbers(text.encode(), "csv", tmp_path, **options)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "the file is empty"), (b"\x28\xb5\x2f\xfdrest", "zstd -d"), (b"\x1f\x8brest", "gunzip")],
)
def test_empty_and_packed_files_are_refused(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match=message):
        numbers(data, name, tmp_path)


def test_a_trace_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importers, "IMPORT_BYTES_MAX", 24)
    assert numbers(record(1), "oracle-general", tmp_path) == [0]
    with pytest.raises(WorkloadError, match="more than 24 bytes"):
        numbers(record(1) + b"x", "oracle-general", tmp_path)


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="no trace format 'pcap'"):
        import_workload(tmp_path / "x", "pcap")
    with pytest.raises(WorkloadError, match="No such file"):
        import_workload(tmp_path / "x", "keys")
    with pytest.raises(WorkloadError, match="only csv has columns"):
        import_workload(tmp_path / "x", "keys", column="1")


def test_name_and_origin_come_from_the_file_s_name_alone(tmp_path: Path) -> None:
    path = tmp_path / "Web Cache (May).csv"
    path.write_text("id\n1\n2\n")
    made = import_workload(path, "csv")
    assert made.name == "web-cache-may"
    assert made.origin == "imported from Web Cache (May).csv as csv"
    assert str(tmp_path) not in made.origin


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(FORMATS), st.binary(min_size=1, max_size=200))
def test_no_bytes_give_a_traceback(tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes) -> None:
    try:
        assert numbers(data, name, tmp_path_factory.getbasetemp())
    except WorkloadError as error:
        assert error.facts
