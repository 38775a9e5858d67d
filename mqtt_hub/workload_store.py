"""The hub's workloads: files by digest, sent to nodes in chunks.

A workload file opens with one line of JSON (kind, name, part, …; docs/workloads.md); to the hub the rest is
opaque. Train parts go to everybody, hidden parts to validators only.
"""

from __future__ import annotations

import base64
import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import orjson

from mqtt_hub.protocol.bodies import CHUNK_CHARACTERS_MAX, WorkloadChunk, WorkloadEntry
from mqtt_hub.protocol.errors import ConfigurationError, ProtocolError
from mqtt_hub.protocol.schema import checker
from mqtt_hub.protocol.table import MessageType

__all__ = ["StoredWorkload", "WorkloadStore"]

FILE_BYTES_MAX = 64 * 1024 * 1024
HEADER_BYTES_MAX = 64 * 1024
CHUNK_BYTES = CHUNK_CHARACTERS_MAX // 4 * 3

_log = logging.getLogger("mqtt_hub.workloads")


@dataclass(frozen=True, slots=True)
class StoredWorkload:
    """One workload file and its line in the list."""

    entry: WorkloadEntry
    path: Path

    @property
    def type(self) -> MessageType:
        """The message type its chunks travel as."""
        return MessageType.WORKLOAD_HIDDEN if self.entry.part == "hidden" else MessageType.WORKLOAD

    @property
    def chunk_count(self) -> int:
        """How many pieces the file has."""
        return -(-self.entry.size_bytes // CHUNK_BYTES)

    def chunks(self, first: int = 0) -> Iterator[WorkloadChunk]:
        """Yield the pieces of `CHUNK_BYTES` from the ``first`` on, read as they are asked for; raises `OSError`."""
        entry = self.entry
        count = self.chunk_count
        with self.path.open("rb") as file:
            file.seek(first * CHUNK_BYTES)
            for index in range(first, count):
                piece = base64.b64encode(file.read(CHUNK_BYTES)).decode()
                yield WorkloadChunk(entry.id, entry.kind, entry.name, entry.part, entry.size_bytes, index, count, piece)


class WorkloadStore:
    """The directory of workload files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stored: dict[str, StoredWorkload] = {}
        self._left_out: dict[str, tuple[int, int]] = {}  # name -> (size, time of change) of what was no workload
        self._news: deque[StoredWorkload] = deque()
        self.refresh()
        self._news.clear()  # what lies there when the hub starts is no news: HELLO asks for it

    def add(self, data: bytes) -> StoredWorkload:
        """Keep one workload file; raises `ConfigurationError` when it is none. Adding it again changes nothing."""
        entry = self.entry_of(data)
        path = self._directory / f"{entry.id}.workload"
        stored = StoredWorkload(entry, path)
        if not path.exists():
            draft = path.with_suffix(".new")
            draft.write_bytes(data)
            draft.replace(path)
        self._stored[entry.id] = stored
        return stored

    def entry_of(self, data: bytes) -> WorkloadEntry:
        """Return what `add` would list a file as; raises `ConfigurationError` when it is no workload."""
        return _entry(data, sha256(data).hexdigest(), "workload")

    def refresh(self) -> None:
        """Take up files that another process has added; one that is no workload, or not whole yet, is left out."""
        for path in sorted(self._directory.glob("*.workload")):
            if path.stem not in self._stored:
                try:
                    self._take(path)
                except (OSError, ConfigurationError) as error:
                    _log.warning("%s: left out: %s", path.name, error)

    def entries(self) -> list[WorkloadEntry]:
        """Return the list of workloads, by name, train before hidden."""
        listed = [stored.entry for stored in self._stored.values()]
        return sorted(listed, key=lambda entry: (entry.kind, entry.name, entry.part != "train"))

    def take_news(self) -> list[StoredWorkload]:
        """Return what `refresh` has found since the last call; another thread may be at `refresh`."""
        news = []
        while self._news:
            news.append(self._news.popleft())
        return news

    def for_role(self, role: str, kinds: tuple[str, ...]) -> list[StoredWorkload]:
        """Return what a node of that role may have: hidden parts are for validators only."""
        return [
            stored
            for stored in self._stored.values()
            if stored.entry.kind in kinds and (stored.entry.part == "train" or role == "validator")
        ]

    def _take(self, path: Path) -> None:
        state = path.stat()
        as_it_is = (state.st_size, state.st_mtime_ns)
        if self._left_out.get(path.name) == as_it_is:
            return  # told once; looked at again when it has changed
        self._left_out[path.name] = as_it_is
        data = path.read_bytes()
        digest = sha256(data).hexdigest()
        if digest != path.stem:
            raise ConfigurationError(
                f"{path.name}: not the bytes of its digest",
                hint="mqtt-hub workload add puts a file here under its right name",
            )
        self._stored[digest] = StoredWorkload(_entry(data, digest, path.name), path)
        self._news.append(self._stored[digest])


def _entry(data: bytes, digest: str, name: str) -> WorkloadEntry:
    if len(data) > FILE_BYTES_MAX:
        raise ConfigurationError(f"{name}: {len(data)} bytes, at most {FILE_BYTES_MAX}")
    line, newline, _rest = data[:HEADER_BYTES_MAX].partition(b"\n")
    try:
        header = orjson.loads(line)
        fields = {key: header[key] for key in ("kind", "name", "part")}
        entry: WorkloadEntry = checker(WorkloadEntry)(fields | {"id": digest, "size_bytes": len(data)}, name)
    except (orjson.JSONDecodeError, KeyError, TypeError, ProtocolError) as error:
        raise ConfigurationError(
            f"{name}: no workload file", hint="kernel-trainer workload import or record makes one"
        ) from error
    if not newline:
        raise ConfigurationError(f"{name}: no workload file: its header does not end")
    return entry
