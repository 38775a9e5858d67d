"""A soak's samples as figures, a table and a picture.

::

    samples ──▶ Line (one process that was there all the time) ──▶ table, JSON
       └──────▶ picture: memory of each, archive and messages, over the minutes
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from footprint import Footprint
from trend import Trend, trend

from trainers.workloads.svg import Sheet

__all__ = ["Line", "Sample", "highest", "judge", "lines", "picture", "sample_of", "table"]

WARM_UP_SHARE = 1 / 3  # caches fill, allocators find their size
TELLING_S = 900.0  # a shorter run is all warm-up, whatever its slope
WIDE, HIGH, COLUMNS = 470, 190, 2


@dataclass(frozen=True, slots=True)
class Sample:
    """Everything at one moment; ``depths`` are queues and files by name."""

    at_s: float
    processes: dict[str, Footprint]
    depths: dict[str, int]


@dataclass(frozen=True, slots=True)
class Line:
    """One process over the run; memory in KiB, slopes in KiB/min over the last two thirds."""

    process: str
    verdict: str
    anonymous: Trend
    rss: Trend
    anonymous_warm: int
    anonymous_end: int
    rss_end: int
    descriptors: tuple[int, int]
    threads: tuple[int, int]
    cpu_percent: float


def lines(samples: Sequence[Sample], limit: float, learners: Sequence[str]) -> list[Line]:
    """Return the processes that are the same in all samples after the warm-up, each against the limit (KiB/min).

    ``learners`` search: they remember the programs that they have tried, up to a bound far beyond this run, so that
    their line is shown and not judged.
    """
    warm = _warm(samples)
    names = [
        name
        for name, first in warm[0].processes.items()
        if all(name in sample.processes and sample.processes[name].pid == first.pid for sample in warm)
    ]
    found = [_line(name, warm, limit) for name in names]
    return [replace(line, verdict="learns") if line.process in learners else line for line in found]


def judge(found: Sequence[Line], seconds: float) -> str:
    """Return grows if one grows, unclear if one is or the run was too short, or flat."""
    verdicts = {line.verdict for line in found}
    if seconds < TELLING_S:
        return "unclear"
    return next((verdict for verdict in ("grows", "unclear") if verdict in verdicts), "flat")


def highest(samples: Sequence[Sample]) -> dict[str, int]:
    """Return the highest of each queue and file."""
    names = dict.fromkeys(name for sample in samples for name in sample.depths)
    return {name: max(sample.depths.get(name, 0) for sample in samples) for name in names}


def table(found: Sequence[Line], limit: float) -> list[str]:
    """Return one line a process."""
    head = f"{'process':<24} {'heap at 1/3':>12} {'at the end':>11} {'KiB/min':>16} {'RSS':>9} {'files':>8}"
    rows = [f"{head} {'threads':>8} {'cpu':>6}  at most {limit:g} KiB/min"]
    for line in found:
        slope = f"{line.anonymous.slope:+.2f} ± {line.anonymous.bound:.2f}"
        rows.append(
            f"{line.process:<24} {line.anonymous_warm / 1024:>8.1f} MiB {line.anonymous_end / 1024:>7.1f} MiB"
            f" {slope:>16} {line.rss_end / 1024:>5.1f} MiB {_span(line.descriptors):>8} {_span(line.threads):>8}"
            f" {line.cpu_percent:>4.1f} %  {line.verdict}"
        )
    return rows


def picture(samples: Sequence[Sample], found: Sequence[Line], title: str) -> str:
    """Return the run as SVG: a panel a process, from 0; a red mark where the warm-up ends."""
    charts: list[tuple[str, Callable[[Sample], float]]] = [
        (
            f"{line.process}: {line.anonymous.slope:+.2f} ± {line.anonymous.bound:.2f} KiB/min",
            lambda sample, name=line.process: _heap_mib(sample, name),  # type: ignore[misc]
        )
        for line in found
    ]
    charts.append(("archive", lambda sample: (sample.depths["archive bytes"] + sample.depths["WAL bytes"]) / 2**20))
    charts.append(("outboxes", lambda sample: sample.depths["outbox bytes"] / 2**20))
    rows = -(-len(charts) // COLUMNS)
    sheet = Sheet(WIDE * COLUMNS, 30 + HIGH * rows)
    sheet.text(12, 20, title, size=14)
    for number, (name, value) in enumerate(charts):
        panel = sheet.panel(WIDE * (number % COLUMNS), 30 + HIGH * (number // COLUMNS), WIDE, HIGH, name)
        values = [value(sample) for sample in samples]
        top = 1.15 * max([*values, 1e-6])
        last_s = samples[-1].at_s
        points = [(sample.at_s / last_s, amount / top) for sample, amount in zip(samples, values, strict=True)]
        panel.curve(points, mark=WARM_UP_SHARE)
        panel.axes("0", f"{last_s / 60:.0f} min", f"{top:.3g} MiB", "")
    return sheet.svg()


def sample_of(made: dict[str, Any]) -> Sample:
    """Return a sample that was written down as JSON."""
    processes = {name: Footprint(**values) for name, values in made["processes"].items()}
    return Sample(made["at_s"], processes, made["depths"])


def _warm(samples: Sequence[Sample]) -> Sequence[Sample]:
    return [sample for sample in samples if sample.at_s >= samples[-1].at_s * WARM_UP_SHARE]


def _line(name: str, warm: Sequence[Sample], limit: float) -> Line:
    minutes = [sample.at_s / 60 for sample in warm]
    seen = [sample.processes[name] for sample in warm]
    anonymous = trend(minutes, [at.anonymous for at in seen])
    return Line(
        name,
        anonymous.against(limit),
        anonymous,
        trend(minutes, [at.rss for at in seen]),
        seen[0].anonymous,
        seen[-1].anonymous,
        seen[-1].rss,
        _range([at.descriptors for at in seen]),
        _range([at.threads for at in seen]),
        100 * (seen[-1].cpu_s - seen[0].cpu_s) / max(1e-9, warm[-1].at_s - warm[0].at_s),
    )


def _range(values: Sequence[int]) -> tuple[int, int]:
    return min(values), max(values)


def _span(ends: tuple[int, int]) -> str:
    low, high = ends
    return str(low) if low == high else f"{low}-{high}"


def _heap_mib(sample: Sample, name: str) -> float:
    return sample.processes[name].anonymous / 1024 if name in sample.processes else 0.0
