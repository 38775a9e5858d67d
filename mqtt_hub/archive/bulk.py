"""Many rows with few statements.

Python's sqlite3 gives up the interpreter lock for every row, also in `executemany`, and a thread that wants it
back waits while the event loop is at work: up to 5 ms a row. One statement with many rows gives it up once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

__all__ = ["insert_rows"]

_ROWS_A_STATEMENT = (1024, 512, 256, 64, 16, 4, 1)  # few sizes, so that the statements stay prepared
_PARAMETERS_MAX = 32_766  # SQLite's


def insert_rows(connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert rows in their order; return how many were not ignored.

    ``into`` is the statement up to VALUES. Raises sqlite3.Error.
    """
    at = changed = 0
    columns = len(rows[0]) if rows else 0
    while at < len(rows):
        size = next(size for size in _ROWS_A_STATEMENT if size <= len(rows) - at and size * columns <= _PARAMETERS_MAX)
        values = tuple(chain.from_iterable(rows[at : at + size]))
        changed += connection.execute(_statement(into, columns, size), values).rowcount
        at += size
    return changed


@cache
def _statement(into: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{into} VALUES {', '.join([row] * rows)}"
