"""I/O scheduling as a kind: one file of requests says with its capacity which device they are for.

::

    capacity 1      a disk with one arm; rotation and seek are in the feature ``cost``
    capacity 2..16  a solid-state drive with as many channels (4 where nobody says)
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence

from trainers.arenas.io_scheduling.device import CHANNELS_MAX, CLASSES
from trainers.arenas.io_scheduling.form import FORM, SECTORS, STREAMS_MAX
from trainers.arenas.io_scheduling.score import search_value, starved, value
from trainers.arenas.kind import Capacity, Counter, Kind, Shown
from trainers.workloads.codecs import Column, Columns
from trainers.workloads.errors import WorkloadError

__all__ = ["BASELINES", "BOUND", "COLUMNS", "KIND"]

BASELINES = (
    "fcfs",
    "sstf",
    "scan",
    "c-look",
    "sptf",
    "asptf",
    "deadline",
    "bfq-lite",
    "read-first",
    "kyber-lite",
    "hrrn",
)
BOUND = "bound"
CHANNELS = 4  # where nobody says
PROBE_REQUESTS = 300
PROBE_MARGIN = 0.15
PROBES_MAX = 16
FINALISTS = 25
CLIMB_DAYS = (0, 1)
DAY_REACH_PARTS = 16  # of the workload's length: as far streams are moved against each other, at most
DAY_PERCENTS = (85, 115, 100, 100, 90, 110)  # of its times, a day
FUEL_PER_REQUEST = 40_000  # 64 visible requests are scored for one that is served

COLUMNS = (
    Column("time", "µs", "when it came, from any zero; never before the row above", delta=True),
    Column("sector", "sectors", "where it begins", delta=True),
    Column("sectors", "sectors", "its length", low=1, high=(1 << 16) - 1),
    Column("stream", "streams", "who asked: processes by number", high=STREAMS_MAX - 1, identity=True),
    Column("write", "", "0 a read, 1 a write", high=1),
)


def _streams(words: Sequence[int]) -> int:
    """Return how many streams there are: the highest number and one."""
    width = len(COLUMNS)
    for row, (before, time) in enumerate(zip(words[::width], words[width::width], strict=False), start=1):
        if time < before:
            raise WorkloadError(f"row {row}: its time {time} µs lies before that of the row above, {before}")
    for row, (sector, sectors) in enumerate(zip(words[1::width], words[2::width], strict=True)):
        if sector + sectors > SECTORS:
            raise WorkloadError(f"row {row}: sector {sector} and {sectors} more are beyond the device's {SECTORS}")
    return max(words[3::width]) + 1


def _work_bytes(rows: int, streams: int) -> int:
    """Return what arena.c needs: 32 bytes a stream, 8 a request; or baselines.c: 16 a request."""
    return 32 * streams + 16 * rows


def _another_day(words: Sequence[int], day: int) -> list[int]:
    """Return the same requests with every stream moved against the others, and all of it lighter or heavier.

    Bursts stay what they are within a stream, and a day's course stays what it is to a sixteenth; which bursts meet
    is another chance's. What is moved beyond the end comes first.
    """
    rng, width, percent = random.Random(day), len(COLUMNS), DAY_PERCENTS[day % len(DAY_PERCENTS)]
    start, span = words[0], words[-width] - words[0] + 1
    reach = max(1, span // DAY_REACH_PARTS)
    moved = [rng.randrange(reach) for _ in range(max(words[3::width]) + 1)]
    came = zip(words[::width], words[3::width], strict=True)
    times = array("Q", ((time - start + moved[stream]) % span * percent // 100 for time, stream in came))
    found: list[int] = []  # a time may be beyond 32 bits: whoever makes a workload of it says so
    for row in sorted(range(len(times)), key=times.__getitem__):
        found.append(times[row])
        found += words[row * width + 1 : (row + 1) * width]
    return found


KIND = Kind(
    name="io_scheduling",
    package=__package__,
    form=FORM,
    specializations=("storage",),
    codec=Columns(COLUMNS, size_of=_streams),
    rows="requests",
    size="streams",
    capacity=Capacity(1, CHANNELS_MAX, "channels", lambda _streams: CHANNELS),
    counters=(
        Counter("requests", "requests", "that were served: all"),
        Counter("channels", "channels", "of the device; 1: a disk"),
        Counter("latency_sum", "µs", "from a request's time to the end of its service, all together"),
        Counter("latency_p99", "µs", "that all but a hundredth of the requests do not exceed"),
        Counter("wait_max", "µs", "the longest wait for the start of a service"),
        Counter("elapsed", "µs", "from the first request's time to the end of the last service"),
        Counter("busy", "µs", "that channels served, all together"),
        *(Counter(f"{name}_count", "requests", "of that class; small: up to 16 KiB") for name in CLASSES),
        *(Counter(f"{name}_slowdown", "1024ths", "latency over service on an idle device, sum") for name in CLASSES),
    ),
    metric="j_millionths",
    value=value,
    limit=starved,
    shown=Shown("j", lambda millionths, _requests: millionths / 1_000_000),
    baselines=BASELINES,
    baseline="c-look",
    bound=BOUND,
    native=(BOUND,),
    work_bytes=_work_bytes,
    fuel_per_step=FUEL_PER_REQUEST,
    climb_share=1,
    climb_slices=1,
    probe_rows=PROBE_REQUESTS,
    probe_margin=PROBE_MARGIN,
    probes_max=PROBES_MAX,
    search_value=search_value,
    redraw=_another_day,
    climb_days=CLIMB_DAYS,
    choice_days=tuple(range(len(DAY_PERCENTS))),
    finalists=FINALISTS,
    slack_percents=25,
)
