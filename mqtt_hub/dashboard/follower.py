"""Reads what was archived last and tells it to the viewers: one reader for all of them.

::

    every TICK_S: newest id ──▶ moved? ──▶ who spoke to whom, and the newest few messages ──▶ fan-out

Nobody looks: after a minute it only notes where the archive is. Much at once: sums of the newest
`CATCH_UP_MESSAGES_MAX`, and how many were passed over.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from sqlite_utils import Database

from mqtt_hub.archive.queries import browsing
from mqtt_hub.archive.schema import explain, open_read_only
from mqtt_hub.dashboard.fan_out import FanOut
from mqtt_hub.protocol.errors import ArchiveError

__all__ = ["Follower"]

TICK_S = 0.25
RETRY_S = 1.0
IDLE_S = 60.0  # after the last viewer went: one that comes back finds the ring filled
CATCH_UP_MESSAGES_MAX = 20_000


class Follower:
    """Follows the archive in a thread of its own."""

    def __init__(self, path: Path, fan_out: FanOut) -> None:
        self._path, self._fan_out = path, fan_out
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._at: int | None = None  # the newest message told of
        self._looked_at_s = 0.0
        self._well = True

    def start(self) -> None:
        """Begin with what is archived from now on."""
        with suppress(ArchiveError, sqlite3.Error), closing(open_read_only(self._path).conn) as connection:
            self._at = browsing.newest_message(Database(connection))
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with closing(open_read_only(self._path).conn) as connection:
                    self._follow(Database(connection))
            except (ArchiveError, sqlite3.Error) as error:
                told = error if isinstance(error, ArchiveError) else explain(error, self._path)
                self._tell_health(str(told))
                self._stop.wait(RETRY_S)

    def _follow(self, db: Database) -> None:
        while not self._stop.wait(TICK_S):
            newest = browsing.newest_message(db)
            self._tell_health("")
            if self._at is None or newest < self._at:  # just started, or another archive lies there now
                self._at = newest
            if newest > self._at:
                self._step(db, self._at, newest)
                self._at = newest

    def _step(self, db: Database, at: int, newest: int) -> None:
        now_s = time.monotonic()
        if self._fan_out.viewers:
            self._looked_at_s = now_s
        elif now_s - self._looked_at_s > IDLE_S:
            return
        after = max(at, newest - CATCH_UP_MESSAGES_MAX)
        groups = browsing.traffic_since(db, after, newest)
        told = {"after": at, "upto": newest, "passed_over": after - at, "groups": groups}
        self._fan_out.publish("traffic", told, after=at, upto=newest)

    def _tell_health(self, fault: str) -> None:
        if self._well == bool(fault):
            self._well = not fault
            self._fan_out.publish("archive", {"fault": fault}, standing=True)
