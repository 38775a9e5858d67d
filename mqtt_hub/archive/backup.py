"""A consistent copy of the archive while the hub writes: one file, checked, there whole or not at all.

::

    archive.db ──(one read transaction)──▶ FILE.new ── checked, flushed ──▶ FILE

All pages are copied in one step: in WAL mode a reader stops nobody, while in several steps SQLite would begin anew
at every commit of the hub.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from mqtt_hub.archive.schema import explain, integrity, open_read_only
from mqtt_hub.protocol.errors import ArchiveError

__all__ = ["backup"]


def backup(path: Path, target: Path) -> int:
    """Copy the archive to a new file, readable by its owner alone; return its size in bytes.

    Raises `ArchiveError` when the target exists, cannot be written, or the copy is not sound.
    """
    if target.exists():
        raise ArchiveError(f"{target} exists", hint="a backup never overwrites: choose another name")
    draft = target.with_name(target.name + ".new")
    try:
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(open_read_only(path).conn) as source, closing(sqlite3.connect(draft)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file that can be carried away
            if (verdict := integrity(copy)) != "ok":
                raise ArchiveError(f"{path}: the copy is damaged: {verdict}", hint="mqtt-hub archive verify")
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(target)
    except sqlite3.Error as error:
        raise explain(error, target) from error
    except OSError as error:
        raise ArchiveError(f"{target}: {error.strerror}", hint="choose a directory with room") from error
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                draft.with_name(draft.name + suffix).unlink(missing_ok=True)
    return target.stat().st_size
