"""A node's workloads: chunks that arrive from the hub become files, named and checked by their digest.

::

    chunk ─▶ Unfinished: DIRECTORY/<digest>.pieces ─ last one, digest right ─▶ DIRECTORY/<digest>.workload
                └─ HELLO.partial: where to go on                                  └─ HELLO.have: not sent again
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from mqtt_hub.protocol.bodies import WorkloadChunk, WorkloadEntry
from mqtt_hub.protocol.errors import ConfigurationError
from trainers.pieces import Unfinished
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import FILE_BYTES_MAX, Workload, read

__all__ = ["Library"]

HAVE_MAX = 256  # named in HELLO; what is not named is sent again and ignored


class Library:
    """The workloads of one node, in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._workloads: dict[str, Workload] = {}  # by the file's digest
        self._unusable: set[str] = set()  # digests of what came whole and is no workload to this version
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for path in sorted(directory.glob("*.workload")):
                self._load(path)
            self._unfinished = Unfinished(directory)
        except OSError as error:
            raise self._refused(error) from error

    def have(self) -> tuple[str, ...]:
        """Return the digests of the workloads that need not be sent, at most `HAVE_MAX`."""
        return tuple(sorted(self._workloads.keys() | self._unusable))[:HAVE_MAX]

    def partial(self) -> Mapping[str, int]:
        """Return for each workload whose beginning is here the first chunk that is not."""
        return self._unfinished.first_missing()

    def lacks(self, entries: tuple[WorkloadEntry, ...]) -> bool:
        """Say whether one of the workloads in the hub's list is not here yet."""
        return any(entry.id not in self._workloads and entry.id not in self._unusable for entry in entries)

    def take(self, chunk: WorkloadChunk) -> Workload | None:
        """Take up one chunk; returns the workload when it was the last one missing and the digest is right.

        Raises `WorkloadError`, once, when the file that the hub keeps is no workload to this version, and
        `ConfigurationError` when this node's disk refuses it.
        """
        known = chunk.id in self._workloads or chunk.id in self._unusable
        if known or chunk.size_bytes > FILE_BYTES_MAX or chunk.chunk >= chunk.chunks:
            return None
        try:
            data = self._unfinished.take(chunk)
            if data is None or sha256(data).hexdigest() != chunk.id:
                return None  # unfinished, or damaged on its way: it is asked for again
            self._workloads[chunk.id] = read(data)
            self._keep(chunk.id, data)
        except WorkloadError:
            self._unusable.add(chunk.id)
            raise
        except OSError as error:
            raise self._refused(error) from error
        return self._workloads[chunk.id]

    def of(self, kind: str, part: str) -> list[Workload]:
        """Return the complete workloads of a kind and part, by name."""
        wanted = [item for item in self._workloads.values() if item.kind == kind and item.part == part]
        return sorted(wanted, key=lambda item: (item.name, item.id))

    def _keep(self, digest: str, data: bytes) -> None:
        path = self._directory / f"{digest}.workload"
        draft = path.with_suffix(".new")
        draft.write_bytes(data)
        draft.replace(path)

    def _load(self, path: Path) -> None:
        data = path.read_bytes()
        if sha256(data).hexdigest() != path.stem:
            path.unlink()  # cut short by a crash or damaged: the hub sends it again
            return
        try:
            self._workloads[path.stem] = read(data)
        except WorkloadError:
            path.unlink()  # another version wrote it: the hub's list says whether it is still wanted

    def _refused(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(
            f"{self._directory}: {error.strerror or error}", hint="the node's home must be writable and have room"
        )
