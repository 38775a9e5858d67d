"""The outbox's file: what is in it, opened, refusing, damaged, set aside; SQLite's errors as ours.

::

    OutboxError               the node's own disk
    ├── OutboxWaitError       takes nothing now: the search waits and says so, nothing is dropped
    │   ├── OutboxFullError     at its bound: the hub is away or cannot write
    │   └── OutboxDiskError     disk full, read-only or locked: goes on when it is mended
    └── OutboxDamagedError    no outbox any more: set aside (never deleted), a new one takes over what can be read
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mqtt_hub.protocol.errors import MqttHubError

__all__ = [
    "OutboxDamagedError",
    "OutboxDiskError",
    "OutboxError",
    "OutboxFullError",
    "OutboxWaitError",
    "Parcel",
    "Transaction",
    "connect",
    "explained",
    "files_set_aside",
    "last_set_aside",
    "set_aside",
]

BUSY_TIMEOUT_S = 5.0
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA}
_CUT_SHORT = {sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}
_DAMAGED_SUFFIX = ".damaged-"


class OutboxError(MqttHubError):
    """The node's own disk refuses: full, read-only, or the file is damaged."""

    exit_code = 6


class OutboxWaitError(OutboxError):
    """Nothing more is taken in for now: the search has to wait."""


class OutboxFullError(OutboxWaitError):
    """So much waits for a receipt that nothing more is taken in."""


class OutboxDiskError(OutboxWaitError):
    """The disk is full, read-only or locked."""


class OutboxDamagedError(OutboxError):
    """The file is no outbox any more: not SQLite, malformed, or without its tables."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message in its final bytes; ``recipient`` is set where the topic ends in one."""

    session: int
    seq: int
    recipient: str
    payload: bytes


def explained(path: Path, error: Exception) -> OutboxError:
    """Return SQLite's error as ours: damage, or a disk that may be mended."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and (code & 0xFF in _DAMAGE or code in _CUT_SHORT):
        return OutboxDamagedError(f"{path}: {error}", hint="the next start sets it aside and begins anew")
    return OutboxDiskError(f"{path}: {error}", hint="the node's home must be writable and have room")


def connect(path: Path, schema: str) -> sqlite3.Connection:
    """Open (or make) the file, checked; raises `OutboxDamagedError` or `OutboxDiskError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise explained(path, error) from error
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA secure_delete=ON")  # what has its receipt must not come back when a file is salvaged
        db.executescript(schema)
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        db.close()
        raise explained(path, error) from error
    if verdict != "ok":
        db.close()
        raise OutboxDamagedError(f"{path}: {verdict}", hint="the next start sets it aside and begins anew")
    return db


def set_aside(path: Path) -> Path:
    """Rename a damaged file, and what SQLite keeps beside it, to the first free name; return that."""
    number = 1
    while (aside := path.with_name(f"{path.name}{_DAMAGED_SUFFIX}{number}")).exists():
        number += 1
    try:
        for suffix in ("-wal", "-shm", ""):  # the file last: until then the next start finds it damaged again
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise OutboxDiskError(f"{path}: is damaged and cannot be set aside: {error.strerror}") from error
    return aside


def files_set_aside(path: Path) -> int:
    """Return how many damaged files there are beside an outbox."""
    beside = path.parent.glob(f"{path.name}{_DAMAGED_SUFFIX}*")
    return sum(not name.name.endswith(("-wal", "-shm")) for name in beside)


def last_set_aside(path: Path) -> Path:
    """Return the name of the damaged file that was set aside last."""
    return path.with_name(f"{path.name}{_DAMAGED_SUFFIX}{max(1, files_set_aside(path))}")


class Transaction:
    """BEGIN IMMEDIATE … COMMIT, or nothing of it, with SQLite's errors as `OutboxError`."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = db, path

    def __enter__(self) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise explained(self._path, error) from error

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self._db.execute("COMMIT")
                return
        except sqlite3.Error as failure:
            error = failure
        with suppress(sqlite3.Error):  # some errors have ended the transaction already
            self._db.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error):
            raise explained(self._path, error) from error
