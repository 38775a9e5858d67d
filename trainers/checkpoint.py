"""Where a search goes on after its node was killed: one SQLite file in the node's home, ``search.db``.

::

    end of a round ──▶ save: trainer, studies that changed, what they newly know, letters ──commit──▶ letters are sent
                                                                                          └▶ sent(): none is left
    the next start ──▶ trainer() ─ the same node, seed and way to search? ──▶ resume(study) … ──▶ letters()

Nothing is told that is not in a committed checkpoint, so a search that is killed and resumed comes to the same as
one that ran through (docs/decisions/0027-a-killed-search-goes-on.md). What an island knows grows to a hundred
thousand rows and is kept row by row, the rest of a study is replaced. Opened and mended as the outbox is.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from mqtt_hub.protocol.errors import ProtocolError
from trainers.letters import Letter
from trainers.outbox_file import OutboxDamagedError, Transaction, connect, explained, set_aside
from trainers.policy import PolicyError
from trainers.search.island import Ancestor
from trainers.search.memory import Known
from trainers.study import Study

__all__ = ["Checkpoint", "UnreadableError", "digest"]

FORMAT = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS states (name TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS known (
    study TEXT NOT NULL, what TEXT NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (study, what, place)
) WITHOUT ROWID;
"""
_UNREADABLE = (PolicyError, ProtocolError, KeyError, TypeError, ValueError, IndexError)  # another version's, or damaged


class UnreadableError(Exception):
    """What was saved of a study cannot be read by this version: the study begins anew."""


class Checkpoint:
    """The search of one node, as it was at the end of a round; ``identity`` says which search that is."""

    def __init__(self, path: Path, identity: Mapping[str, Any], log: logging.Logger) -> None:
        """Open the file; one that is damaged, or of another search, is begun anew. Raises `OutboxError`."""
        self._path, self._log = path, log
        self._identity = orjson.dumps({"format": FORMAT, **identity}, option=orjson.OPT_SORT_KEYS)
        self._saved: dict[str, tuple[int, int, int, int]] = {}  # by workload id: what `_stands` said
        try:
            self._db = connect(path, _SCHEMA)
        except OutboxDamagedError:
            log.warning("the checkpoint was damaged, it lies at %s: the search begins anew", set_aside(path))
            self._db = connect(path, _SCHEMA)
        if self._read("identity") != self._identity:
            if self._read("identity") is not None:
                log.info("the checkpoint in %s is of another search: this one begins anew", path)
            self.forget()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def forget(self) -> None:
        """Empty the file: the search begins anew."""
        self._saved.clear()
        with Transaction(self._db, self._path):
            self._db.execute("DELETE FROM states")
            self._db.execute("DELETE FROM known")
            self._write("identity", self._identity)

    def save(self, trainer: Mapping[str, Any], studies: Iterable[Study], letters: Iterable[Letter]) -> None:
        """Commit where the search stands and what it is about to tell; raises `OutboxError`, then nothing is kept."""
        stands = {study.workload.id: (study, _stands(study)) for study in studies}
        with Transaction(self._db, self._path):
            for name, (study, stand) in stands.items():
                before = self._saved.get(name, (-1, -1, 0, 0))
                if stand != before:
                    island = study.island
                    if name not in self._saved:  # begun anew
                        self._db.execute("DELETE FROM known WHERE study = ?", (name,))
                    self._write(f"study/{name}", orjson.dumps(study.state()))
                    rows = [(key, orjson.dumps(ancestor)) for key, ancestor in island.known.since(before[2])]
                    self._add(name, "known", island.known, rows)
                    digests = [(str(key), b"null") for key, _none in island.behaviours.since(before[3])]
                    self._add(name, "behaviours", island.behaviours, digests)
            self._write("trainer", orjson.dumps(trainer))
            self._write("letters", orjson.dumps([letter.state() for letter in letters]))
        self._saved.update({name: stand for name, (_study, stand) in stands.items()})

    def sent(self) -> None:
        """Note that the letters are in the outbox; raises `OutboxError`."""
        with Transaction(self._db, self._path):
            self._write("letters", b"[]")

    def trainer(self) -> dict[str, Any] | None:
        """Return what was saved of the trainer; None where the search begins."""
        told = self._read("trainer")
        return None if told is None else orjson.loads(told)

    def letters(self) -> list[Letter]:
        """Return what was to be told when the node ended: it may have been sent or not."""
        try:
            return [Letter.resumed(told) for told in orjson.loads(self._read("letters") or b"[]")]
        except _UNREADABLE:
            self._log.warning("what was to be told when the search ended cannot be read")
            return []

    def resume(self, study: Study) -> bool:
        """Put a study that has just begun where it stood; False where nothing is known of it.

        Raises `UnreadableError` where this version cannot read what was saved; the study is of no use then.
        """
        name = study.workload.id
        told = self._read(f"study/{name}")
        if told is None:
            return False
        try:
            study.resume(orjson.loads(told))
            known = [(key, _ancestor(value)) for key, value in self._rows(name, "known")]
            study.island.known.resume(self._added(name, "known"), known)
            behaviours = [(int(key), None) for key, _value in self._rows(name, "behaviours")]
            study.island.behaviours.resume(self._added(name, "behaviours"), behaviours)
        except _UNREADABLE as error:
            raise UnreadableError(str(error)) from error
        self._saved[name] = _stands(study)
        return True

    def _read(self, name: str) -> bytes | None:
        row = self._db.execute("SELECT state FROM states WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def _write(self, name: str, state: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO states VALUES (?, ?)", (name, state))

    def _add(self, study: str, what: str, memory: Known[Any, Any], rows: list[tuple[str, bytes]]) -> None:
        first = memory.added - len(rows)
        self._db.executemany(
            "INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?)",
            [(study, what, first + place, name, value) for place, (name, value) in enumerate(rows)],
        )
        forgotten = (study, what, memory.added - len(memory))
        self._db.execute("DELETE FROM known WHERE study = ? AND what = ? AND place < ?", forgotten)

    def _rows(self, study: str, what: str) -> list[tuple[str, bytes]]:
        return self._db.execute(
            "SELECT name, value FROM known WHERE study = ? AND what = ? ORDER BY place", (study, what)
        ).fetchall()

    def _added(self, study: str, what: str) -> int:
        (last,) = self._db.execute(
            "SELECT coalesce(max(place) + 1, 0) FROM known WHERE study = ? AND what = ?", (study, what)
        ).fetchone()
        return int(last)


def digest(path: Path) -> str:
    """Return the SHA-256 of all that the further search of a home's studies depends on; raises `OutboxError`."""
    told = hashlib.sha256()
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            for row in db.execute("SELECT name, state FROM states WHERE name LIKE 'study/%' ORDER BY name"):
                told.update(repr(row).encode())
            for row in db.execute("SELECT * FROM known ORDER BY study, what, place"):
                told.update(repr(row).encode())
    except sqlite3.Error as error:
        raise explained(path, error) from error
    return told.hexdigest()


def _stands(study: Study) -> tuple[int, int, int, int]:
    """Return what tells whether a study has changed since: evaluations, what it heard, what it knows."""
    island = study.island
    return island.evaluations, study.heard, island.known.added, island.behaviours.added


def _ancestor(value: bytes) -> Ancestor:
    told = orjson.loads(value)
    return Ancestor(told["origin"], tuple(told["parents"]), told["score"])
