"""Requests to a block device: how events of a trace become rows of a workload, and how fast they come.

::

    Event (ns, device, process, sector …) ──rows_of──▶ rows of one device ──pace──▶ the same at another load
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from trainers.arenas.io_scheduling.form import SECTORS, STREAMS_MAX

__all__ = ["Event", "Row", "busiest", "pace", "rows_of"]

Row: TypeAlias = tuple[int, int, int, int, int]  # time in µs, sector, sectors, stream, write

SECTORS_MAX = (1 << 16) - 1  # of one request; a longer one is cut into several
_POSITIONING_US = 9000  # of a disk under C-LOOK, as a rule
_BETWEEN_US = 50  # turnaround of a drive, as a rule


@dataclass(frozen=True, slots=True)
class Event:
    """One request as a trace has it; ``time`` in ns from any zero."""

    time_ns: int
    device: str
    stream: int  # the process
    sector: int
    sectors: int
    write: bool


def busiest(events: Iterable[Event]) -> str:
    """Return the device with most events, an empty string where there is none."""
    return next((device for device, _count in Counter(event.device for event in events).most_common(1)), "")


def rows_of(events: Iterable[Event], device: str) -> list[Row]:
    """Return one device's events as rows, in order of time: µs from the first, streams by first appearance.

    After ``STREAMS_MAX`` processes numbers are used again. A request longer than a row can say is cut.
    """
    ours = sorted((event for event in events if event.device == device), key=lambda event: event.time_ns)
    streams: dict[int, int] = {}
    rows: list[Row] = []
    for event in ours:
        stream = streams.setdefault(event.stream, len(streams) % STREAMS_MAX)
        time = (event.time_ns - ours[0].time_ns) // 1000
        for sector, sectors in _cut(event.sector, event.sectors):
            if sector + sectors <= SECTORS and time < SECTORS:
                rows.append((time, sector, sectors, stream, int(event.write)))
    return rows


def pace(rows: Sequence[Row], channels: int, load_percent: int) -> list[Row]:
    """Stretch or squeeze the times so that the device is busy for that share of them, typically."""
    if channels == 1:
        work = sum(_POSITIONING_US + 4 * sectors for _, _, sectors, _, _ in rows)
    else:
        work = sum(_BETWEEN_US + (300 if write else 90) + sectors for _, _, sectors, _, write in rows)
    first, span = rows[0][0], max(1, rows[-1][0] - rows[0][0])
    wanted = work * 100 // (channels * load_percent)
    return [((time - first) * wanted // span, *rest) for time, *rest in rows]  # type: ignore[misc]


def _cut(sector: int, sectors: int) -> Sequence[tuple[int, int]]:
    starts = range(sector, sector + sectors, SECTORS_MAX)
    return [(start, min(SECTORS_MAX, sector + sectors - start)) for start in starts]
