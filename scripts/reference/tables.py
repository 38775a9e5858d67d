"""docs/schema.md: the tables and views of a new archive, with what `mqtt-hub browse` says of each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlite_utils import Database

from mqtt_hub.archive.schema import MIGRATIONS, open_archive
from mqtt_hub.browse.tables import TABLES

__all__ = ["migrations_markdown", "schema_markdown"]


def schema_markdown() -> str:
    """Return every table, then every view, with columns, types, keys and meanings."""
    with tempfile.TemporaryDirectory() as place:
        db = open_archive(Path(place) / "archive.db")
        try:
            views = set(db.view_names())
            lines = ["## Tables"]
            lines += [line for name in TABLES if name not in views for line in _relation(db, name, is_view=False)]
            lines += ["", "## Views"]
            lines += [line for name in TABLES if name in views for line in _relation(db, name, is_view=True)]
            return "\n".join(lines)
        finally:
            db.close()


def migrations_markdown() -> str:
    """Return the history of the schema, one line a migration."""
    steps = MIGRATIONS.pending(Database(memory=True))
    lines = ["| migration | what it brought |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{step.name}` | {_first_line(step.fn.__doc__)} |" for step in steps)])


def _relation(db: Database, name: str, *, is_view: bool) -> Iterator[str]:
    told = TABLES[name]
    yield from ("", f"### {name}", "", told.description, "")
    refers = {} if is_view else {key.column: key for key in db.table(name).foreign_keys}
    yield from ("| column | type | meaning |", "|---|---|---|")
    for _at, column, type_, not_null, _default, key in db.execute(f"PRAGMA table_info([{name}])").fetchall():
        notes = [
            *(["key"] if key else []),
            *(["never empty"] if not_null and not key else []),
            *([f"→ `{refers[column].other_table}.{refers[column].other_column}`"] if column in refers else []),
        ]
        meaning = told.columns[column].replace("|", "\\|")
        if column in told.units:
            notes.append(told.units[column])
        more = f" ({', '.join(notes)})" if notes else ""
        yield f"| `{column}` | {type_.lower() or 'any'} | {meaning}{more} |"
    if indexes := [] if is_view else db.table(name).indexes:
        said = [f"`{', '.join(index.columns)}`{' (unique)' if index.unique else ''}" for index in indexes]
        yield from ("", f"Indexes: {'; '.join(said)}.")


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0]
