"""Record when the threads of a command compute and sleep, through perf.

::

    perf sched record -- COMMAND ─▶ data ─▶ perf sched script ─▶ perf_sched.jobs_of ─▶ rows

perf sees the whole machine; only the command and what it forked are kept. The data is a temporary file, removed in
any case.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import workload
from trainers.workloads.jobs import rows_of
from trainers.workloads.perf_sched import UNIT_NS, jobs_of
from trainers.workloads.tracers import Recording, name_of, origin_of, printed_by_perf, tracer

__all__ = ["record"]

LINE_CHARS_MAX = 4096  # of the script; names have at most 15
PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")


def record(
    command: Sequence[str],
    *,
    name: str | None = None,
    origin: str | None = None,
    capacity: int | None = None,
    part: str = "whole",
) -> Recording:
    """Run ``command`` to its end under `perf sched record` and return its threads' bursts.

    Raises `WorkloadError` where perf or the command is missing, perf may not look, or nothing was recorded.
    """
    perf = tracer("perf", command, "cpu_scheduling")
    name = name or name_of(command)
    origin = origin_of(command, remark=f"; a unit is {UNIT_NS} ns") if origin is None else origin
    with tempfile.TemporaryDirectory(prefix="workload-") as folder:
        data = Path(folder) / "sched.data"
        status = subprocess.run([perf, "sched", "record", "-o", str(data), "--", *command], check=False).returncode
        if not data.exists() or not data.stat().st_size:
            raise WorkloadError(f"perf recorded nothing (exit status {status})", hint=_permission())
        with printed_by_perf(perf, data, subcommand=("sched", "script"), chars_max=LINE_CHARS_MAX) as script:
            rows = rows_of(jobs_of(script))
            lost = script.lost()
    made = workload(name, rows, kind="cpu_scheduling", part=part, capacity=capacity, origin=origin)
    return Recording(made, status, lost)


def _permission() -> str:
    try:
        level = PARANOID.read_text().strip()
    except OSError:
        level = "not readable"
    return f"may this user trace the scheduler? kernel.perf_event_paranoid is {level}, -1 allows it to everybody"
