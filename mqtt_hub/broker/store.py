"""What has changed since the last commit, and who waits for the next one: group commit by state, not by log.

::

    put, delete ──▶ pending: table → key → row ──▶ one batch in the thread ──▶ on disk
    after_commit(call) ──▶ waiting ─────────────────────────────────────────▶ call()

While one batch is being written the next gathers. A row that is written and deleted before its batch begins never
reaches the disk, so a message that its reader takes over at once costs nothing. What is pending is bounded by the
state that it mirrors, also while the disk refuses: then nothing is acknowledged, and publishers are held back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from mqtt_hub.broker.counters import Counters
from mqtt_hub.broker.state_file import TABLES, Key, Row, StateFile
from mqtt_hub.protocol.errors import ArchiveError

__all__ = ["Store"]

_LOG = logging.getLogger("mqtt_hub.broker")
_RETRY_S_MIN, _RETRY_S_MAX = 0.1, 2.0


class Store:
    """The loop's side of a `StateFile`; make it within a running event loop."""

    def __init__(self, file: StateFile, counters: Counters, *, clock: Callable[[], float] = time.time) -> None:
        self.changes = 0  # grows with every change: whoever sees it grow has to wait for the next commit
        self.clock = clock
        self.failing = False
        self._file, self._counters = file, counters
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "broker-state")
        self._pending: dict[str, dict[Key, Row | None]] = {name: {} for name in TABLES}
        self._waiting: list[Callable[[], None]] = []
        self._due = False
        self._writing: asyncio.Task[None] | None = None
        self._last_id = 0
        self._fresh_above = 0  # rows with greater ids have never been in a batch

    @property
    def pending_rows(self) -> int:
        """How many rows the next batch will write or delete."""
        return sum(len(rows) for rows in self._pending.values())

    def load(self, table: str) -> list[Row]:
        """Return all rows of a table, before the first change; raises `ArchiveError`."""
        rows = self._file.rows(table)
        if rows and TABLES[table].key == ("id",):
            self._last_id = self._fresh_above = max(self._last_id, rows[-1][0])
        return rows

    def new_id(self) -> int:
        """Return an id that no row has."""
        self._last_id += 1
        return self._last_id

    def put(self, table: str, key: Key, *others: object) -> None:
        """Write a row, or replace it."""
        self.changes += 1
        self._pending[table][key] = (*key, *others)
        self._schedule()

    def delete(self, table: str, key: Key) -> None:
        """Delete a row."""
        self.changes += 1
        pending = self._pending[table]
        if key in pending and TABLES[table].key == ("id",) and key[0] > self._fresh_above:
            del pending[key]
        else:
            pending[key] = None
        self._schedule()

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call ``call`` once all changes up to now are on disk."""
        self._waiting.append(call)
        self._schedule()

    async def close(self, within_s: float) -> None:
        """Write what is pending, if the disk takes it in time, and close the file."""
        self._cut()
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=within_s)
        if self._writing is not None:
            _LOG.error("the broker's state could not be written: %d rows are lost", self.pending_rows)
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        self._thread.shutdown()
        self._file.close()

    def _schedule(self) -> None:
        if not self._due and self._writing is None:
            self._due = True
            self._loop.call_soon(self._cut)

    def _cut(self) -> None:
        self._due = False
        if self._writing is None and (self._waiting or self.pending_rows):
            self._writing = self._loop.create_task(self._write())

    async def _write(self) -> None:
        """Write batch after batch until nothing is pending and nobody waits."""
        while self._waiting or self.pending_rows:
            batch = {name: rows for name, rows in self._pending.items() if rows}
            waiting, self._waiting = self._waiting, []
            for name in batch:
                self._pending[name] = {}
            self._fresh_above = self._last_id
            if batch:
                await self._commit(batch)
            for call in waiting:
                try:
                    call()
                except Exception:  # noqa: BLE001 — a fault of one connection must not hold up the others
                    _LOG.exception("after a commit")
        self._writing = None

    async def _commit(self, batch: dict[str, dict[Key, Row | None]]) -> None:
        delay_s = _RETRY_S_MIN
        while True:
            try:
                await self._loop.run_in_executor(self._thread, self._file.commit, batch)
            except ArchiveError as error:
                self._counters.store_failures += 1
                if not self.failing:
                    _LOG.error("what must survive a restart is not acknowledged: %s", error)
                self.failing = True
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, _RETRY_S_MAX)
                continue
            if self.failing:
                _LOG.info("the broker's state can be written again")
            self.failing = False
            self._counters.store_commits += 1
            return
