"""The Standard Workload Format of parallel job logs (Feitelson's archive), read as jobs of one burst.

::

    ; comment
    1  7200  60  3600  16  …      18 numbers: job, submitted, waited, ran, processors, …, user (12th), …

A unit is a second: a tick of the machine is 100 s then, and a switch 20 s. Every job computes on one CPU for as
long as it ran; its processors are ignored, and so is how long it had to wait there. Jobs that never ran are left
out. The source is the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trainers.workloads.errors import WorkloadError
from trainers.workloads.jobs import Job

__all__ = ["jobs_of"]

FIELDS = 18
SUBMITTED, RAN, USER = 1, 3, 11
SECONDS_MAX = 1 << 30


def jobs_of(log: Iterable[str]) -> Iterator[Job]:
    """Yield the jobs of a log. Raises `WorkloadError` with the line that is none of the format's."""
    for number, line in enumerate(log, 1):
        text = line.partition(";")[0]
        if not text.strip():
            continue
        try:
            values = [int(float(field)) for field in text.split()]
        except (ValueError, OverflowError):
            values = []
        if len(values) != FIELDS:
            raise WorkloadError(
                f"line {number}: not {FIELDS} numbers: {text.strip()[:60]!r}", hint="this is no SWF log"
            )
        if not 0 <= values[SUBMITTED] <= SECONDS_MAX or values[RAN] > SECONDS_MAX:
            raise WorkloadError(f"line {number}: submitted {values[SUBMITTED]}, ran {values[RAN]} seconds")
        if values[RAN] > 0:
            yield Job(values[SUBMITTED], values[USER], ((0, values[RAN]),))
