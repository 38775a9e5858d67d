"""Record what a disk is asked for while a command runs, through perf.

::

    perf record -a -e block:block_rq_issue -- COMMAND ─▶ data ─▶ perf script ─▶ perf_script ─▶ rows_of ─▶ pace

The disk is that of the working folder, or the busiest where that folder is on none (an overlay, a memory disk). All of
its requests are taken, whoever made them: much of a program's writing is done by threads of the kernel, later. Run it
where nothing else is going on, and after the cache was emptied if reads shall be seen.

A program waits for its disk, so a fast disk looks idle in its trace. The times are scaled to an offered load at which a
queue forms; the origin of the workload says by how much. The data is a temporary file, removed in any case.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from trainers.arenas.io_scheduling.kind import CHANNELS
from trainers.workloads.block_traces import perf_script
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import workload
from trainers.workloads.requests import Row, busiest, pace, rows_of
from trainers.workloads.tracers import Recording, name_of, origin_of, printed_by_perf, tracer

__all__ = ["DISK_LOAD", "DRIVE_LOAD", "paced", "record"]

LINE_CHARS_MAX = 4096
DRIVE_LOAD, DISK_LOAD = 100, 60  # percent of the device's time


def record(
    command: Sequence[str],
    *,
    name: str | None = None,
    origin: str | None = None,
    capacity: int | None = None,
    part: str = "whole",
) -> Recording:
    """Run ``command`` to its end under `perf record` and return the requests to the disk of this folder.

    ``capacity`` is the device they are for: 1 a disk, more a drive with as many channels. Raises `WorkloadError` where
    perf or the command is missing, perf may not look, or the disk was asked for nothing.
    """
    perf = tracer("perf", command, "io_scheduling")
    with tempfile.TemporaryDirectory(prefix="workload-") as folder:
        data = Path(folder) / "block.data"
        options = ["-q", "-a", "-e", "block:block_rq_issue", "-o", str(data)]
        status = subprocess.run([perf, "record", *options, "--", *command], check=False).returncode
        if not data.exists() or not data.stat().st_size:
            raise WorkloadError(
                f"perf recorded nothing (exit status {status})", hint="block events are for root: try it as root"
            )
        rows, lost = _rows(perf, data)
    if not rows:
        raise WorkloadError(
            "no disk was asked for anything", hint="everything was in memory: empty the cache, or let it write and sync"
        )
    rows, remark = paced(rows, CHANNELS if capacity is None else capacity)
    origin = origin_of(command, remark=remark) if origin is None else origin
    made = workload(name or name_of(command), rows, kind="io_scheduling", part=part, capacity=capacity, origin=origin)
    return Recording(made, status, lost)


def paced(rows: Sequence[Row], channels: int) -> tuple[list[Row], str]:
    """Return the rows at a load that makes a queue, and a remark that says so."""
    load = DISK_LOAD if channels == 1 else DRIVE_LOAD
    scaled = pace(rows, channels, load)
    took, takes = rows[-1][0] - rows[0][0], scaled[-1][0]
    return scaled, f"; {took / 1e6:.1f} s, times scaled to {takes / 1e6:.1f} s: an offered load of {load} %"


def _rows(perf: str, data: Path) -> tuple[list[Row], int]:
    with printed_by_perf(perf, data, subcommand=("script",), chars_max=LINE_CHARS_MAX) as script:
        events = list(perf_script(script))
        lost = script.lost()
    here = os.stat(".").st_dev  # noqa: PTH116 — the number of the device, not a path
    mine = f"{os.major(here)}:{os.minor(here)}"
    return rows_of(events, mine if any(event.device == mine for event in events) else busiest(events)), lost
