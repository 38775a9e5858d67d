"""Is the file sound: pages and indexes, schema, references."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from mqtt_hub.archive.verify.report import FAULTS_A_CHECK_MAX

__all__ = ["file", "references", "schema"]


def file(db: sqlite3.Connection) -> Iterator[str]:
    """Tell what SQLite's own check of pages and indexes finds."""
    for (line,) in db.execute(f"PRAGMA archive.integrity_check({FAULTS_A_CHECK_MAX})"):
        if line != "ok":
            yield str(line)


def schema(db: sqlite3.Connection) -> Iterator[str]:
    """Compare with the scratch database, in which the migrations have just run."""
    there = {(type_, name): sql for type_, name, sql in db.execute("SELECT type, name, sql FROM archive.sqlite_master")}
    for type_, name, sql in db.execute("SELECT type, name, sql FROM main.sqlite_master ORDER BY name"):
        if (type_, name) not in there:
            yield f"{type_} {name} is missing"
        elif there[type_, name] != sql:
            yield f"{type_} {name} is not as the migrations make it"
    for type_, name in sorted(there):
        if type_ == "trigger":
            yield f"trigger {name} is nobody's"


def references(db: sqlite3.Connection) -> Iterator[str]:
    """Tell which rows point at a node, message, component or request that is not there."""
    for table, row, parent, _constraint in db.execute("PRAGMA archive.foreign_key_check"):
        yield f"{table} row {row}: its {parent} row is not there"
    yield from (
        f"lineage of {component[:12]}: its node is not there"
        for (component,) in db.execute(
            "SELECT component FROM archive.lineage WHERE node NOT IN (SELECT id FROM archive.nodes)"
        )
    )
