"""CPU scheduling in the tasks form: who runs next, and for how long.

::

    form.py      what a policy is asked, and what it sees when asked
    machine.h    CPUs, ticks, queue and sleepers ── arena.c (a candidate), baselines.c (oracle, bound)
    reference.py the same machine in plain Python;  baselines.py  every policy of the textbook once more, naively
    counting.py  the counters, and J, the value made of them

A row is one burst of one task: see ``COLUMNS``. docs/cpu-scheduling.md defines all of it to the last tie.
"""

from __future__ import annotations

import random
from array import array
from collections import defaultdict
from collections.abc import Sequence

from trainers.arenas.cpu_scheduling.counting import COUNTERS, starved, value
from trainers.arenas.cpu_scheduling.form import CPUS_MAX, FORM, TICK, WEIGHT_MAX
from trainers.arenas.kind import Capacity, Counter, Kind, Shown
from trainers.workloads.codecs import Column, Columns
from trainers.workloads.errors import WorkloadError

__all__ = ["BASELINES", "BOUND", "COLUMNS", "KIND", "ORACLE", "ROWS_MAX", "SPAN_MAX"]

BASELINES = ("fcfs", "rr", "mlfq", "hrrn", "las", "sjf", "cfs", "eevdf")
ORACLE = "srpt"
BOUND = "bound"
ROWS_MAX = 1 << 20
SPAN_MAX = 1 << 30  # units: all bursts, and the latest arrival with sleeps; with switches the clock stays below 2^31
PROBE_BURSTS = 100
DAYS_PERCENT = (90, 110, 80, 90, 110, 120)  # of the bursts: two days that are climbed, four that are chosen by
FUEL_PER_STEP = 50_000  # 256 tasks are scored for one pick

COLUMNS = (
    Column("time", "units", "when the burst was ready in the trace: a task's first row arrives then", delta=True),
    Column("task", "index", "whose burst it is", 0, ROWS_MAX - 1, delta=True, identity=True),
    Column(
        "source",
        "index",
        "program, stream or user that the task comes from",
        0,
        ROWS_MAX - 1,
        delta=True,
        identity=True,
    ),
    Column("weight", "1/16", "what the task counts for", 1, WEIGHT_MAX),
    Column("sleep", "units", "between the end of the task's burst before and this one's being ready", 0, SPAN_MAX),
    Column("burst", "units", "of computing", 1, SPAN_MAX),
)
WIDTH = len(COLUMNS)
TIME, TASK, SOURCE, _WEIGHT, SLEEP, BURST = range(WIDTH)


def _tasks(words: Sequence[int]) -> int:
    """Return how many numbers the tasks and sources take; raises `WorkloadError` where time runs backwards or out."""
    rows = len(words) // WIDTH
    if rows > ROWS_MAX:
        raise WorkloadError(f"{rows} bursts; the limit is {ROWS_MAX}", hint="cut the trace: a part of it will do")
    times = words[TIME::WIDTH]
    late = next((row for row in range(1, rows) if times[row] < times[row - 1]), None)
    if late is not None:
        raise WorkloadError(f"row {late}: time {times[late]} is before the row above, {times[late - 1]}")
    slept: dict[int, int] = {}  # by task, from the first row on: arrival and sleeps
    for time, task, sleep in zip(times, words[TASK::WIDTH], words[SLEEP::WIDTH], strict=True):
        slept[task] = slept[task] + sleep if task in slept else time - times[0]
    span = max(slept.values()) + sum(words[BURST::WIDTH])
    if span > SPAN_MAX:
        raise WorkloadError(f"bursts, and the longest a task is away, come to {span} units; the limit is {SPAN_MAX}")
    return max(*words[TASK::WIDTH], *words[SOURCE::WIDTH]) + 1


def _steps(words: Sequence[int], width: int) -> int:
    """Return about how often a policy can be asked for a task: two times a burst and two times a tick of work."""
    return 2 * (len(words) // width + sum(words[BURST::width]) // TICK) + 2


def _work_bytes(rows: int, tasks: int) -> int:
    """Return what `prepare` in machine.h lays out: tasks, heap, sources and last rows; next rows and slowdowns."""
    return (56 + 16 + 8 + 4) * tasks + 8 * rows


def _redraw(words: Sequence[int], day: int) -> Sequence[int]:
    """Return the rows with bursts and sleeps dealt anew within their source, bursts a tenth or two longer or shorter.

    A task's first burst, which has no sleep before it, stays among first ones: arrivals are as they were.
    """
    rng, percent = random.Random(day), DAYS_PERCENT[day % len(DAYS_PERCENT)]
    drawn, begun, alike = array("I", words), set[int](), defaultdict[tuple[int, bool], list[int]](list)
    for row in range(0, len(words), WIDTH):
        task = words[row + TASK]
        alike[words[row + SOURCE], task in begun].append(row)
        begun.add(task)
    for rows in alike.values():
        for column in (SLEEP, BURST):
            for row, other in zip(rows, rng.sample(rows, len(rows)), strict=True):
                drawn[row + column] = words[other + column]
    drawn[BURST::WIDTH] = array("I", (max(1, units * percent // 100) for units in drawn[BURST::WIDTH]))
    return drawn


KIND = Kind(
    name="cpu_scheduling",
    package=__package__,
    form=FORM,
    specializations=("process_scheduling",),
    codec=Columns(COLUMNS, _tasks),
    rows="bursts",
    size="tasks",
    capacity=Capacity(1, CPUS_MAX, "CPUs", lambda _tasks: 1),
    counters=tuple(Counter(*counter) for counter in COUNTERS),
    metric="j_millionths",
    value=value,
    limit=starved,
    shown=Shown("j", lambda millionths, _rows: millionths / 1_000_000),
    baselines=BASELINES,
    baseline="rr",
    oracles=(ORACLE,),
    bound=BOUND,
    native=(ORACLE, BOUND),
    work_bytes=_work_bytes,
    steps=_steps,
    fuel_per_step=FUEL_PER_STEP,
    climb_share=1.0,
    climb_slices=1,
    redraw=_redraw,
    climb_days=(0, 1),
    choice_days=(2, 3, 4, 5),
    probe_rows=PROBE_BURSTS,
    slack_percents=25,
)
