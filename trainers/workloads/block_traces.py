"""Block traces made by others, read as rows: pure functions from text or bytes to requests.

::

    blkparse text      8,0  1  1  0.000000000  697  Q  WS 223490 + 8 [jbd2]     what came to the queue, or was issued
    perf script        dd 697 [001] 11577.08: block:block_rq_issue: 8,0 WS 4096 () 223490 + 8 [dd]
    vscsi              records of 32 or 40 bytes of VMware's virtual disks, as in libCacheSim

All yield `Event`; `requests.rows_of` makes rows of them. What moves no data (flushes, discards, barriers) is left out.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator

from trainers.workloads.errors import WorkloadError
from trainers.workloads.requests import Event

__all__ = ["blkparse", "perf_script", "vscsi"]

SECTOR_BYTES = 512

_PERF = re.compile(
    r"\s(\d+)\s+(?:\[\d+\]\s+)?(\d+)\.(\d{6,9}):\s+block:block_rq_issue:"
    r"\s+(\d+),(\d+)\s+(\w+)\s+\d+\s+\([^)]*\)\s+(\d+) \+ (\d+)\s"
)
_BLKPARSE = re.compile(r"\s*(\d+),(\d+)\s+\d+\s+\d+\s+(\d+)\.(\d{9})\s+(\d+)\s+([A-Z]+)\s+(\w+)\s+(\d+) \+ (\d+)\s")
_VSCSI = {1: struct.Struct("<IIIHHQQ"), 2: struct.Struct("<HHIIIQQQ")}
_READS, _WRITES = frozenset((0x08, 0x28, 0x88, 0xA8)), frozenset((0x0A, 0x2A, 0x8A, 0xAA))


def _direction(flags: str) -> bool | None:
    """Return whether the kernel's letters say a write; None where no data is moved."""
    if "D" in flags or not ("R" in flags or "W" in flags):
        return None
    return "W" in flags


def perf_script(lines: Iterable[str]) -> Iterator[Event]:
    """Read what ``perf script`` prints of ``block:block_rq_issue``; other lines are passed by."""
    for line in lines:
        found = _PERF.search(line)
        if found is None:
            continue
        process, seconds, fraction, major, minor, flags, sector, sectors = found.groups()
        write = _direction(flags)
        if write is not None and int(sectors):
            time = int(seconds) * 10**9 + int(fraction.ljust(9, "0"))
            yield Event(time, f"{major}:{minor}", int(process), int(sector), int(sectors), write)


def blkparse(lines: Iterable[str]) -> Iterator[Event]:
    """Read blkparse's text: requests as they were queued (Q), or issued (D) where the trace has no Q."""
    issued: list[Event] = []
    queued = False
    for line in lines:
        found = _BLKPARSE.match(line)
        if found is None:
            continue
        major, minor, seconds, fraction, process, action, flags, sector, sectors = found.groups()
        write = _direction(flags)
        if write is None or not int(sectors) or action not in ("Q", "D"):
            continue
        time = int(seconds) * 10**9 + int(fraction)
        event = Event(time, f"{major}:{minor}", int(process), int(sector), int(sectors), write)
        if action == "Q":
            queued = True
            issued.clear()
            yield event
        elif not queued:
            issued.append(event)
    yield from issued


def vscsi(data: bytes) -> Iterator[Event]:
    """Read VMware's records, version 1 (32 bytes) or 2 (40): SCSI reads and writes, in µs and bytes; no processes."""
    version = next((number for number, at in ((1, 14), (2, 2)) if data[at + 1 : at + 2] == bytes([number])), 0)
    if not version:
        raise WorkloadError("byte 0: no vscsi record of version 1 or 2")
    layout = _VSCSI[version]
    whole = len(data) - len(data) % layout.size
    for fields in layout.iter_unpack(memoryview(data)[:whole]):
        if version == 1:
            _number, length, _segments, command, _version, sector, time = fields
        else:
            command, _version, _number, length, _segments, sector, time, _took = fields
        if command in _READS | _WRITES and length >= SECTOR_BYTES:
            yield Event(time * 1000, "vscsi", 0, sector, length // SECTOR_BYTES, command in _WRITES)
    if whole != len(data):
        raise WorkloadError(f"byte {whole}: the last record has {len(data) - whole} of {layout.size} bytes")
