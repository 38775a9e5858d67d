"""The thread that the archive's connection belongs to: asked once, or again and again until the disk takes it.

::

    do ──────▶ thread ──▶ result, or ArchiveError
    persist ─▶ thread ──▶ result    the disk refuses ─▶ `trouble` says why ─▶ again after 0.1 … RETRY_S_MAX
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from mqtt_hub.archive.schema import explain
from mqtt_hub.protocol.errors import ArchiveError

__all__ = ["ArchiveThread", "GivenUpError"]

RETRY_S_MAX = 2.0

_log = logging.getLogger("mqtt_hub.hub")
T = TypeVar("T")


class GivenUpError(Exception):
    """It shall end and could not commit: what is not acknowledged comes again."""


class ArchiveThread:
    """Runs calls one after another; ``changed`` is called when `trouble` comes or goes."""

    def __init__(self, path: Path, changed: Callable[[], None]) -> None:
        self._path, self._changed = path, changed
        self._executor = ThreadPoolExecutor(1, "archive")
        self._ending = False
        self.trouble = ""  # why nothing can be committed

    async def do(self, call: Callable[..., T], *arguments: Any) -> T:
        """Run a call; raises `ArchiveError` also where it only reads."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, call, *arguments)
        except sqlite3.Error as error:
            raise explain(error, self._path) from error

    async def persist(self, call: Callable[..., T], *arguments: Any) -> T:
        """Run a call until the archive takes it, however long that is; raises `GivenUpError` after `give_up`."""
        delay_s = 0.1
        while True:
            try:
                done = await self.do(call, *arguments)
            except ArchiveError as error:
                if str(error) != self.trouble:
                    _log.error("degraded, nothing is acknowledged: %s", error)
                    self._note(str(error))
                if self._ending:
                    raise GivenUpError from error
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, RETRY_S_MAX)
                continue
            if self.trouble:
                _log.info("the archive takes messages again")
                self._note("")
            return done

    def give_up(self) -> None:
        """From now on what the archive refuses is not tried again."""
        self._ending = True

    def close(self) -> None:
        """Wait for what runs, and end."""
        self._executor.shutdown()

    def _note(self, why: str) -> None:
        self.trouble = why
        if not self._ending:
            self._changed()
