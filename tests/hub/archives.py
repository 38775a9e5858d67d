"""An archive for tests, its writer, and short ways to ask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from mqtt_hub.archive.judge import Quorum
from mqtt_hub.archive.schema import open_archive
from mqtt_hub.archive.storing import Grant
from mqtt_hub.archive.writer import ArchiveWriter, News
from mqtt_hub.intake import Entry

__all__ = ["Archive"]


class Archive:
    """A real archive in a file of its own."""

    def __init__(self, path: Path, *, quorum: int = 1, quorum_new: int = 0) -> None:
        self.path = path
        self.db: Database = open_archive(path)
        self.writer = ArchiveWriter(self.db, path, quorum=Quorum(quorum, quorum_new or quorum))

    def commit(self, *batch: Entry | Grant) -> News:
        return self.writer.commit(batch)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return list(self.db.execute(sql, values).fetchall())

    def one(self, table: str, **where: Any) -> dict[str, Any]:
        condition = " AND ".join(f"{name} = ?" for name in where) or "1"
        (row,) = self.db.query(f"SELECT * FROM {table} WHERE {condition}", list(where.values()))  # noqa: S608 — a test's own names
        return dict(row)

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 — a test's own names
