"""Which kinds can be recorded here, and which traces of text can be imported: one table each.

::

    record --kind K -- COMMAND        RECORDERS[K] ─▶ Recording
    import FILE --format F            TEXT_TRACES[F]: lines ─▶ rows of its kind   (formats with keys: importers.py)
                                      BINARY_TRACES[F]: bytes ─▶ rows of its kind
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from trainers.workloads import block_traces, perf_sched, record_cpu, record_io, record_pages, requests, swf
from trainers.workloads.jobs import rows_of
from trainers.workloads.requests import Event, Row
from trainers.workloads.tracers import Recording

__all__ = ["BINARY_TRACES", "RECORDERS", "TEXT_TRACES", "BinaryTrace", "Recorder", "TextTrace"]


class Recorder(Protocol):
    """Runs a command to its end and returns what it asked for; ``origin`` None: made of the command."""

    def __call__(
        self, command: Sequence[str], *, name: str | None, origin: str | None, capacity: int | None, part: str
    ) -> Recording:
        """Run the command."""


@dataclass(frozen=True, slots=True)
class TextTrace:
    """A format of text: ``rows`` makes of its lines what the kind's codec collects."""

    kind: str
    rows: Callable[[Iterable[str]], Iterable[Any]]
    unit: str  # what a unit of time is, for the workload's origin


@dataclass(frozen=True, slots=True)
class BinaryTrace:
    """A format of bytes: ``rows`` makes of them what the kind's codec collects."""

    kind: str
    rows: Callable[[bytes], Iterable[Any]]
    unit: str


def _requests(events: Iterable[Event]) -> list[Row]:
    """Return the requests of the device with most of them."""
    known = list(events)
    return requests.rows_of(known, requests.busiest(known))


RECORDERS: Mapping[str, Recorder] = MappingProxyType(
    {"page_replacement": record_pages.record, "cpu_scheduling": record_cpu.record, "io_scheduling": record_io.record}
)
TEXT_TRACES: Mapping[str, TextTrace] = MappingProxyType(
    {
        "perf-sched": TextTrace("cpu_scheduling", lambda lines: rows_of(perf_sched.jobs_of(lines)), "1 us"),
        "blkparse": TextTrace("io_scheduling", lambda lines: _requests(block_traces.blkparse(lines)), "1 us"),
        "perf-block": TextTrace("io_scheduling", lambda lines: _requests(block_traces.perf_script(lines)), "1 us"),
        "swf": TextTrace("cpu_scheduling", lambda lines: rows_of(swf.jobs_of(lines)), "1 s"),
    }
)
BINARY_TRACES: Mapping[str, BinaryTrace] = MappingProxyType(
    {"vscsi": BinaryTrace("io_scheduling", lambda data: _requests(block_traces.vscsi(data)), "1 us")}
)
