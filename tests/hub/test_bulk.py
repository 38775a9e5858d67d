"""Rows inserted many at a time are those that single statements would have inserted, in the same order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from mqtt_hub.archive.bulk import insert_rows


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, key INTEGER UNIQUE, text TEXT)")
    yield connection
    connection.close()


@pytest.mark.parametrize("count", [0, 1, 3, 4, 16, 17, 1023, 1024, 1025, 3000])
def test_every_row_arrives_in_order(connection: sqlite3.Connection, count: int) -> None:
    rows = [(number, -number, str(number)) for number in range(1, count + 1)]
    assert insert_rows(connection, "INSERT INTO t (id, key, text)", rows) == count
    assert connection.execute("SELECT * FROM t ORDER BY id").fetchall() == rows


def test_rows_that_are_there_already_are_not_counted(connection: sqlite3.Connection) -> None:
    into = "INSERT OR IGNORE INTO t (id, key, text)"
    assert insert_rows(connection, into, [(1, 1, "a"), (2, 1, "b"), (3, 3, "c")]) == 2
    assert insert_rows(connection, into, [(4, 3, "d"), (5, 5, "e")]) == 1
    assert connection.execute("SELECT text FROM t ORDER BY id").fetchall() == [("a",), ("c",), ("e",)]


def test_rows_too_wide_for_one_statement_take_several(connection: sqlite3.Connection) -> None:
    columns = [f"c{number}" for number in range(200)]
    connection.execute(f"CREATE TABLE wide ({', '.join(columns)})")
    rows = [tuple(range(number, number + 200)) for number in range(600)]
    assert insert_rows(connection, f"INSERT INTO wide ({', '.join(columns)})", rows) == 600
    assert connection.execute("SELECT * FROM wide ORDER BY rowid").fetchall() == rows
