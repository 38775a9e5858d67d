"""The archive opened, with the newest schema (migrations/) or a clear word why not.

::

    nodes ──┬─ sessions     one row a start of a node: how far it is committed
            ├─ pruned       the keys of what `archive prune` has taken out, as ranges
            ├─ messages     every accepted message, as it was sent
            └─ rejected     every other one: raw bytes and the reason
    what accepted messages say, for people to read:
    best_patterns   code   components ── component_authors ── lineage   discoveries
    submissions ── test_results ── hidden_scores   collaborations ── collaboration_answers
    trust_events ── trust   operator_decisions
    what the dashboard asks all the time, kept up by the batch (telemetry.py):
    totals   traffic   activities   progress   imports   workloads
    views: patterns, leaderboard, who_helped_whom, lineage_of_accepted, traffic_by_minute, standings, offences
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sqlite_utils import Database

from mqtt_hub.archive.migrations import MIGRATIONS
from mqtt_hub.protocol.errors import ArchiveError

__all__ = ["MIGRATIONS", "READER_CACHE_KIB", "integrity", "one_moment", "open_archive", "open_read_only"]

BUSY_TIMEOUT_MS = 5_000
# A reader's pages die with its connection, and the system keeps the file's in its own cache. SQLite's 2 MiB would only
# fill with the indexes of a growing archive, and let whoever looks at it grow with them.
READER_CACHE_KIB = 256
_STEPS_A_CHECK = 50_000  # of SQLite's machine, about a millisecond


def open_archive(path: Path) -> Database:
    """Open (or make) the archive for writing, brought to the newest schema.

    Raises `ArchiveError` when it is locked, damaged, not writable or from a newer version.
    """
    try:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, check_same_thread=False)
        db = Database(connection)
        db.execute("PRAGMA journal_mode=WAL")
        # FULL: an acknowledged message survives a power cut too; in batches it costs little (docs/archive.md).
        db.execute("PRAGMA synchronous=FULL")
        _refuse_newer(db, path)
        MIGRATIONS.apply(db)
    except sqlite3.Error as error:
        raise explain(error, path) from error
    # From here on transactions are begun and ended by the writer alone.
    connection.isolation_level = None
    return db


def open_read_only(path: Path) -> Database:
    """Open the archive for reading beside a running hub; raises `ArchiveError`."""
    if not path.exists():
        raise ArchiveError(f"{path}: no archive there", hint="mqtt-hub init makes one, --home says where")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_MS / 1000)
        db = Database(connection)
        db.execute(f"PRAGMA cache_size=-{READER_CACHE_KIB}")
        _refuse_newer(db, path)
        if missing := sorted(_names() - {migration.name for migration in MIGRATIONS.applied(db)}):
            raise ArchiveError(
                f"{path}: written by an older version ({missing[0]} is missing)",
                hint="mqtt-hub serve brings it up to date",
            )
    except sqlite3.Error as error:
        raise explain(error, path) from error
    return db


def one_moment(db: Database, *, seconds_max: float) -> None:
    """Make all that is asked from now on of one moment, and give up when SQLite has been busy for so long.

    Then `sqlite3.OperationalError` says "interrupted".
    """
    until_s = time.monotonic() + seconds_max
    db.conn.set_progress_handler(lambda: time.monotonic() > until_s, _STEPS_A_CHECK)
    db.conn.isolation_level = None
    db.conn.execute("BEGIN")


def integrity(connection: sqlite3.Connection) -> str:
    """Return SQLite's own verdict on the file: ``ok`` or the first fault."""
    return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])


def explain(error: sqlite3.Error, path: Path) -> ArchiveError:
    """Return SQLite's error as one that says what to do."""
    text = str(error)
    hints = {
        "locked": "another program holds it: is a second hub running on this home?",
        "readonly": "the file or its directory is not writable by this user",
        "unable to open": "the directory is missing or not writable by this user",
        "full": "the disk is full: nothing is acknowledged until there is room",
        "not a database": "this is no SQLite file: restore a backup or choose another home",
        "malformed": "the file is damaged: restore a backup",
    }
    hint = next((hint for word, hint in hints.items() if word in text), "")
    return ArchiveError(f"{path}: {text}", hint=hint)


def _refuse_newer(db: Database, path: Path) -> None:
    unknown = sorted({migration.name for migration in MIGRATIONS.applied(db)} - _names())
    if unknown:
        raise ArchiveError(
            f"{path}: written by a newer version (it knows {unknown[-1]})",
            hint="update mqtt-hub, or use another home",
        )


def _names() -> set[str]:
    return {migration.name for migration in MIGRATIONS._migrations}  # noqa: SLF001 — its only list of all names
