"""Which kinds can be recorded here, and which traces of text can be imported: one table each.

::

    record --kind K -- COMMAND        RECORDERS[K] ─▶ Recording
    import FILE --format F            TEXT_TRACES[F]: lines ─▶ rows of its kind   (formats with keys: importers.py)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from trainers.workloads import perf_sched, record_cpu, recorder, swf
from trainers.workloads.jobs import rows_of
from trainers.workloads.recorder import Recording

__all__ = ["RECORDERS", "TEXT_TRACES", "Recorder", "TextTrace"]


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


RECORDERS: Mapping[str, Recorder] = MappingProxyType(
    {"page_replacement": recorder.record, "cpu_scheduling": record_cpu.record}
)
TEXT_TRACES: Mapping[str, TextTrace] = MappingProxyType(
    {
        "perf-sched": TextTrace("cpu_scheduling", lambda lines: rows_of(perf_sched.jobs_of(lines)), "1 us"),
        "swf": TextTrace("cpu_scheduling", lambda lines: rows_of(swf.jobs_of(lines)), "1 s"),
    }
)
