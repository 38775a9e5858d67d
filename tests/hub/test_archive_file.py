"""The archive's file: made, migrated once, refused with a hint when it is not what it must be."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from mqtt_hub.archive import schema
from mqtt_hub.archive.judge import Quorum
from mqtt_hub.archive.migrations.knowledge import m0002_knowledge, m0003_views
from mqtt_hub.archive.migrations.messages import m0001_messages
from mqtt_hub.archive.schema import MIGRATIONS, READER_CACHE_KIB, open_archive, open_read_only
from mqtt_hub.archive.writer import ArchiveWriter
from mqtt_hub.protocol.errors import ArchiveError
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import MessageType
from tests.hub.entries import accepted

NOWHERE = Path("/proc/archive.db")  # a directory in which nobody, root neither, can make a file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archive.db"


def test_a_new_archive_has_every_migration_once_and_opening_it_again_adds_none(path: Path) -> None:
    open_archive(path).close()
    db = open_archive(path)
    applied = [migration.name for migration in MIGRATIONS.applied(db)]
    db.close()
    assert applied == sorted(set(applied))
    assert applied[0] == "m0001_messages"


def test_what_is_in_the_archive_survives_opening_it_again(path: Path) -> None:
    db = open_archive(path)
    ArchiveWriter(db, path, quorum=Quorum()).commit([accepted(MessageType.LOG)])
    db.close()
    db = open_archive(path)
    assert db.table("messages").count == 1
    db.close()


def test_patterns_of_an_older_archive_are_still_read_and_the_best_of_each_kind_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = Migrations("mqtt_hub.archive")
    for migration in (m0001_messages, m0002_knowledge, m0003_views):
        older()(migration)
    with monkeypatch.context() as then:
        then.setattr(schema, "MIGRATIONS", older)
        db = open_archive(path)
    share = accepted(MessageType.PATTERN_SHARE)
    db.execute("INSERT INTO nodes (id, name, role) VALUES (1, 'AI_Node_1', 'trainer')")
    db.execute(
        "INSERT INTO messages (node, session, seq, type, received_at, payload)"
        " VALUES (1, 3, 7, 'PATTERN_SHARE', '', ?)",
        (share.payload.decode(),),
    )
    for number in range(1, 101):
        db.execute(
            "INSERT INTO patterns (message, node, kind, function, expression, unit, gain, uses, workload, component)"
            " VALUES (1, 1, 'page_replacement', 'on_hit', ?, 'free', ?, 2, '', '')",
            (f"mark + {number % 70}", number),
        )
    db.conn.commit()
    db.close()
    db = open_archive(path)
    assert db.execute("SELECT count(*), min(gain), max(gain) FROM best_patterns").fetchone() == (64, 37.0, 100.0)
    assert db.execute("SELECT message, node, kind, gain, uses FROM patterns").fetchall() == [
        (1, 1, "page_replacement", 0.01, 2)
    ]
    db.close()


def test_commits_are_flushed_and_readers_never_block_the_writer(path: Path) -> None:
    db = open_archive(path)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


@pytest.mark.parametrize("open_", [open_archive, open_read_only])
def test_a_file_from_a_newer_version_is_refused_with_a_hint_and_left_as_it_is(path: Path, open_: type) -> None:
    open_archive(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('mqtt_hub.archive', 'm9999_from_the_future', '2030-01-01')"
        )
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ArchiveError) as caught:
        open_(path)
    assert "m9999_from_the_future" in caught.value.facts
    assert "update mqtt-hub" in caught.value.hint
    assert caught.value.exit_code == 5
    assert path.read_bytes() == before


def test_an_archive_from_before_submissions_keeps_its_verdicts_and_says_who_told_of_what_first(
    path: Path,
) -> None:
    submission = accepted(MessageType.OS_COMPONENT_SHARE, "AI_Node_1")
    body = submission.message.body
    older = Migrations("mqtt_hub.archive")
    older._migrations = [item for item in MIGRATIONS._migrations if item.name < "m0018"]
    db = Database(sqlite3.connect(path))
    older.apply(db)
    db.execute("INSERT INTO nodes (id, name, role) VALUES (1, 'AI_Node_1', 'trainer'), (2, 'V', 'validator')")
    db.execute(
        "INSERT INTO messages (id, node, session, seq, type, received_at, payload)"
        " VALUES (7, 1, 3, 7, 'OS_COMPONENT_SHARE', '2026', ?)",
        [submission.payload.decode()],
    )
    db.execute(
        "INSERT INTO components (id, message, node, kind, source, target, claims, verdict, digest)"
        " VALUES (?, 7, 1, ?, ?, ?, '[]', 'accepted', 'd')",
        [body.component, body.kind, body.source, body.target],
    )
    db.execute("INSERT INTO test_results (message, node, component, digest) VALUES (7, 2, ?, 'd')", [body.component])
    db.conn.commit()
    db.close()
    with pytest.raises(ArchiveError, match="older version"):
        open_read_only(path)
    db = open_archive(path)
    name = submission_id("AI_Node_1", body)
    assert db.execute("SELECT id, verdict, digest, authors FROM submissions").fetchall() == [
        (name, "accepted", "d", '["AI_Node_1"]')
    ]
    assert db.execute("SELECT submission FROM test_results").fetchall() == [(name,)]
    assert db.execute("SELECT submission FROM components").fetchall() == [(name,)]
    assert db.execute("SELECT component, node FROM discoveries").fetchall() == [(body.component, 1)]
    db.close()


def test_a_locked_file_is_told_with_a_hint(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(schema, "BUSY_TIMEOUT_MS", 20)
    with pytest.raises(ArchiveError, match="locked") as caught:
        open_archive(path)
    assert "second hub" in caught.value.hint
    holder.execute("ROLLBACK")
    holder.close()
    open_archive(path).close()


def test_a_file_that_is_no_database_is_told_with_a_hint(path: Path) -> None:
    path.write_bytes(b"a diary, not a database. " * 400)
    for open_ in (open_archive, open_read_only):
        with pytest.raises(ArchiveError, match="not a database") as caught:
            open_(path)
        assert "no SQLite file" in caught.value.hint


def test_a_damaged_file_is_told_with_a_hint(path: Path) -> None:
    db = open_archive(path)
    writer = ArchiveWriter(db, path, quorum=Quorum())
    for seq in range(1, 60):
        writer.commit([accepted(MessageType.PATTERN_SHARE, seq=seq)])
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="malformed") as caught:
        open_archive(path)
    assert "restore a backup" in caught.value.hint


def test_a_directory_that_cannot_be_written_is_told_with_a_hint(tmp_path: Path) -> None:
    for path in (NOWHERE, tmp_path / "missing" / "archive.db"):
        with pytest.raises(ArchiveError, match="unable to open") as caught:
            open_archive(path)
        assert "not writable" in caught.value.hint


def test_reading_needs_an_archive_and_changes_nothing(path: Path) -> None:
    with pytest.raises(ArchiveError, match="no archive there"):
        open_read_only(path)
    open_archive(path).close()
    db = open_read_only(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM messages")
    db.close()


def test_what_a_reader_holds_of_the_file_does_not_grow_with_it(path: Path) -> None:
    db = open_archive(path)
    db.execute(
        "CREATE TABLE large AS WITH RECURSIVE row(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM row WHERE n < 4000)"
        " SELECT n, zeroblob(4000) AS filling FROM row"
    )
    db.close()
    grown = subprocess.run([sys.executable, "-c", _READ_ALL, str(path)], check=True, capture_output=True, text=True)
    assert int(grown.stdout) < 4 * READER_CACHE_KIB, "KiB, of 16,000 that were read"


_READ_ALL = """
import sys
from pathlib import Path
from mqtt_hub.archive.schema import open_read_only

def held_kib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))

db = open_read_only(Path(sys.argv[1]))
db.execute("SELECT n FROM large LIMIT 1").fetchone()
before = held_kib()
db.execute("SELECT sum(length(hex(substr(filling, 3999)))) FROM large").fetchone()
print(held_kib() - before)
"""
