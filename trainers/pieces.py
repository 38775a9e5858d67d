r"""Workloads that are not whole yet, kept on the disk: a node that is killed goes on where it was.

::

    DIRECTORY/<digest>.pieces     head: size, chunks │ index, length, CRC-32, bytes │ index, … as they came
                                                       └─ a record cut short or damaged ends the file at a restart

Nothing of a piece but its place stays in memory. In all there are at most ``UNFINISHED_MAX`` unfinished workloads of
``UNFINISHED_BYTES_MAX`` together: the one that waited longest for a piece goes first. After ``STALE_S`` without a
piece a restart removes it: its hub no longer has it, or never will.
"""

from __future__ import annotations

import base64
import binascii
import os
import struct
import time
import zlib
from pathlib import Path

from mqtt_hub.protocol.bodies import WorkloadChunk

__all__ = ["STALE_S", "UNFINISHED_BYTES_MAX", "UNFINISHED_MAX", "Unfinished"]

UNFINISHED_MAX = 64  # workloads that may be incomplete at a time; as many as HELLO may name
UNFINISHED_BYTES_MAX = 128 << 20  # of all their pieces
STALE_S = 7 * 24 * 3600.0

_HEAD = struct.Struct("<II")
_PIECE = struct.Struct("<III")


class _Pieces:
    """What is there of one workload file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told = (0, 0)  # size in bytes and chunks, as every piece repeats them
        self.bytes = 0
        self.first_missing = 0
        self._places: dict[int, tuple[int, int]] = {}  # index -> where its bytes begin, how many

    def begin(self, told: tuple[int, int]) -> None:
        """Start a new file."""
        self.path.write_bytes(_HEAD.pack(*told))
        self.told = told

    def resume(self) -> bool:
        """Take up what an earlier start has left; False where there is nothing to go on from."""
        with self.path.open("r+b") as file:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return False
            self.told = _HEAD.unpack(head)
            good = file.tell()
            while len(record := file.read(_PIECE.size)) == _PIECE.size:
                index, length, checksum = _PIECE.unpack(record)
                data = file.read(min(length, self.told[0]))
                if len(data) != length or zlib.crc32(data) != checksum:
                    break
                self._note(index, file.tell() - length, length)
                good = file.tell()
            file.truncate(good)
        return True

    def add(self, index: int, data: bytes) -> None:
        """Write one more piece down; one that is there already changes nothing."""
        if index in self._places:
            return
        with self.path.open("ab") as file:
            file.write(_PIECE.pack(index, len(data), zlib.crc32(data)))
            at = file.tell()
            file.write(data)
        self._note(index, at, len(data))

    def whole(self) -> bytes | None:
        """Return the file that the pieces make up, when all are there."""
        if self.first_missing < self.told[1]:
            return None
        with self.path.open("rb") as file:
            return b"".join(self._read(file.fileno(), index) for index in range(self.told[1]))

    def _read(self, descriptor: int, index: int) -> bytes:
        at, length = self._places[index]
        return os.pread(descriptor, length, at)

    def _note(self, index: int, at: int, length: int) -> None:
        self._places[index] = at, length
        self.bytes += length
        while self.first_missing in self._places:
            self.first_missing += 1


class Unfinished:
    """The unfinished workloads of one node, in ``directory``. Every method raises `OSError` where the disk refuses."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pieces: dict[str, _Pieces] = {}  # by digest, the one that got a piece last at the end
        paths = sorted((path.stat().st_mtime, path) for path in directory.glob("*.pieces"))
        for written_at, path in paths:
            pieces = _Pieces(path)
            if abs(time.time() - written_at) <= STALE_S and pieces.resume():
                self._pieces[path.stem] = pieces
            else:
                path.unlink()
        self._make_room()

    def first_missing(self) -> dict[str, int]:
        """Return for each digest of which the beginning is here the first chunk that is not; from any thread."""
        return {digest: pieces.first_missing for digest, pieces in list(self._pieces.items()) if pieces.first_missing}

    def take(self, chunk: WorkloadChunk) -> bytes | None:
        """Keep one piece; return the whole file when it was the last one missing, and forget its pieces.

        Pieces that contradict what came before begin the workload anew.
        """
        try:
            data = base64.b64decode(chunk.data, validate=True)
        except binascii.Error:
            return None
        pieces = self._pieces.pop(chunk.id, None)
        told = (chunk.size_bytes, chunk.chunks)
        if pieces is None or pieces.told != told:
            pieces = _Pieces(self._directory / f"{chunk.id}.pieces")
            pieces.begin(told)
        self._pieces[chunk.id] = pieces
        pieces.add(chunk.chunk, data)
        whole = pieces.whole()
        if whole is not None or pieces.bytes > chunk.size_bytes:
            self.forget(chunk.id)
        self._make_room()
        return whole

    def forget(self, digest: str) -> None:
        """Remove the pieces of a workload, if there are any."""
        pieces = self._pieces.pop(digest, None)
        if pieces is not None:
            pieces.path.unlink(missing_ok=True)

    def _make_room(self) -> None:
        def held() -> int:
            return sum(pieces.bytes for pieces in self._pieces.values())

        while len(self._pieces) > UNFINISHED_MAX or held() > UNFINISHED_BYTES_MAX:
            self.forget(next(iter(self._pieces)))
