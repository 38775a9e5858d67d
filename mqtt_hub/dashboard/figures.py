"""Where things stand in a figure: numbers in, positions in percent out. The templates draw them as SVG.

::

    value ──▶ gauge: 0 % the worst baseline … 100 % the proven bound
    steps ──▶ race:  polylines in a box of 1000 by 1000, axes with round numbers
    spans ──▶ lanes: from and to in percent of the time shown

Percent, because an SVG so placed fits every width and its letters keep their size. Pure; tested to the number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = [
    "Axis",
    "Gauge",
    "Mark",
    "arcs",
    "arrival_marks",
    "gauge",
    "lane_marks",
    "lane_spans",
    "later",
    "number_axis",
    "on_ring",
    "race_lines",
    "ring",
    "sparkline",
    "time_axis",
]

BOX = 1000
RANKS_MAX = 3  # rows of labels above or below a gauge
LABEL_PERCENT = 19.0  # labels closer than this go into different rows


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on a gauge: a baseline, a program of the textbook, the chosen or the best component."""

    name: str
    value: float
    percent: float
    row: int = -1  # of its label; -1: none


@dataclass(frozen=True, slots=True)
class Gauge:
    """One hidden workload; the bar runs from the best baseline to the best component."""

    above: tuple[Mark, ...]  # baselines
    seeds: tuple[Mark, ...]  # the textbook as programs
    below: tuple[Mark, ...]  # ours
    bar: tuple[float, float]
    closed: float | None  # share of the way from best baseline to bound; below 0 a loss; None: no way left


@dataclass(frozen=True, slots=True)
class Axis:
    """Ticks (percent, label) of one axis."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def percent(self, value: float) -> float:
        """Return where a value stands."""
        return 100 * (value - self.low) / (self.high - self.low) if self.high > self.low else 50.0


def gauge(row: dict[str, Any]) -> Gauge:
    """Return the places of one row of `findings.limits` (or of a component's score) between worst and bound."""
    baselines, programs = dict(row["baselines"]), dict(row["programs"])
    ours = {"best": row["value"]} | ({"chosen": row["chosen"]["value"]} if row.get("chosen") else {})
    worst = max([*baselines.values(), *ours.values(), row["bound"]])
    span = worst - row["bound"]

    def place(value: float) -> float:
        # A program may be worse than the worst, and rounding a little better than the bound.
        return min(100.0, max(0.0, 100 * (worst - value) / span)) if span else 100.0

    best_name = min(baselines, key=lambda name: (baselines[name], name), default="")
    shown = {best_name, max(baselines, key=lambda name: (baselines[name], name), default=""), row.get("picked", "")}
    above = [Mark(name, value, place(value)) for name, value in sorted(baselines.items(), key=_by_value)]
    below = [Mark(name, value, place(value)) for name, value in ours.items()]
    seeds = tuple(Mark(name, value, place(value)) for name, value in sorted(programs.items(), key=_by_value))
    start = place(baselines[best_name]) if best_name else 0.0
    way = baselines[best_name] - row["bound"] if best_name else 0.0
    return Gauge(
        above=_in_rows(above, shown - {""}),
        seeds=seeds,
        below=_in_rows(below, set(ours)),
        bar=(start, place(row["value"])),
        closed=(baselines[best_name] - row["value"]) / way if way > 0 else None,
    )


def _by_value(pair: tuple[str, float]) -> tuple[float, str]:
    return pair[1], pair[0]


def _in_rows(marks: list[Mark], labelled: set[str]) -> tuple[Mark, ...]:
    """Give the labelled marks rows so that no two labels of a row are closer than `LABEL_PERCENT`."""
    ends: list[float] = []
    placed = []
    for mark in sorted(marks, key=lambda mark: mark.percent):
        row = -1
        if mark.name in labelled:
            row = next((i for i, end in enumerate(ends) if mark.percent - end >= LABEL_PERCENT), len(ends))
            if row == len(ends):
                ends.append(0.0)
            ends[row] = mark.percent
        placed.append(Mark(mark.name, mark.value, mark.percent, min(row, RANKS_MAX - 1)))
    return tuple(placed)


def number_axis(low: float, high: float, *, ticks: int = 5) -> Axis:
    """Return an axis over round numbers that holds low and high (Heckbert, Nice Numbers for Graph Labels, 1990)."""
    if high - low <= abs(low) * 1e-6:  # nothing to see in that; and floats would run out of digits
        high = low + max(1.0, abs(low) * 1e-6)
    step = _nice((high - low) / max(1, ticks - 1))
    first, last = math.floor(low / step) * step, math.ceil(high / step) * step
    count = round((last - first) / step)
    digits = max(0, -math.floor(math.log10(step)))
    ticks_at = [(100 * index / count, f"{first + step * index:,.{digits}f}") for index in range(count + 1)]
    return Axis(first, last, tuple(ticks_at))


def _nice(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor for factor in (1, 2, 5, 10) if factor * power >= step * 0.999) * power


_TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)


def time_axis(low: str, high: str, *, ticks: int = 6) -> Axis:
    """Return an axis of UTC times (ISO 8601) in seconds since the epoch, ticks at round times."""
    first, last = _seconds(low), max(_seconds(high), _seconds(low) + 1)
    wanted = (last - first) / ticks
    step = next((step for step in _TIME_STEPS_S if step >= wanted), 86_400 * math.ceil(wanted / 86_400))
    form = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86_400 else "%d %b"
    axis = Axis(first, last, ())
    at = math.ceil(first / step) * step
    places = []
    while at <= last:
        places.append((axis.percent(at), datetime.fromtimestamp(at, UTC).strftime(form)))
        at += step
    return Axis(first, last, tuple(places))


def race_lines(steps: list[dict[str, Any]], x: Axis, y: Axis, *, along: str) -> dict[str, list[tuple[float, float]]]:
    """Return for each node its best-so-far as a staircase in a `BOX`, up to the right edge; best node first."""
    lines: dict[str, list[tuple[float, float]]] = {}
    final: dict[str, float] = {}
    for step in steps:
        across = _seconds(step["at"]) if along == "at" else float(step["evaluations"])
        here = round(x.percent(across) / 100 * BOX, 1), round((100 - y.percent(step["best"])) / 100 * BOX, 1)
        line = lines.setdefault(step["node"], [])
        if line:
            line.append((here[0], line[-1][1]))
        line.append(here)
        final[step["node"]] = step["best"]
    if along == "at":
        for line in lines.values():
            line.append((float(BOX), line[-1][1]))
    return {node: lines[node] for node in sorted(lines, key=lambda node: (-final[node], node))}


def arrival_marks(
    arrivals: list[dict[str, Any]], steps: list[dict[str, Any]], x: Axis, y: Axis, *, along: str
) -> list[dict[str, Any]]:
    """Return for each arrival of others' knowledge its place, in percent, on the receiving node's line."""
    marks = []
    for arrival in arrivals:
        before = [step for step in steps if step["node"] == arrival["node"] and step["at"] <= arrival["at"]]
        if not before:
            continue
        across = _seconds(arrival["at"]) if along == "at" else float(before[-1]["evaluations"])
        left, top = x.percent(across), 100 - y.percent(before[-1]["best"])
        if left <= 100:
            marks.append(arrival | {"left": round(left, 2), "top": round(top, 2)})
    return marks


def lane_spans(spans: list[dict[str, Any]], low: str, high: str) -> dict[str, list[dict[str, Any]]]:
    """Return for each node its spans with ``start`` and ``width`` in percent of the time shown."""
    axis = Axis(_seconds(low), _seconds(high), ())
    lanes: dict[str, list[dict[str, Any]]] = {}
    for span in spans:
        start = max(0.0, axis.percent(_seconds(span["began_at"])))
        end = 100.0 if span["open"] else min(100.0, axis.percent(_seconds(span["ended_at"])))
        if end >= 0 and start <= 100:
            lanes.setdefault(span["node"], []).append(
                span | {"start": round(start, 3), "width": round(max(0.15, end - start), 3)}
            )
    return lanes


def lane_marks(marks: list[dict[str, Any]], low: str, high: str) -> dict[str, list[dict[str, Any]]]:
    """Return for each node its marks with ``left`` in percent of the time shown."""
    axis = Axis(_seconds(low), _seconds(high), ())
    placed: dict[str, list[dict[str, Any]]] = {}
    for mark in marks:
        placed.setdefault(mark["node"], []).append(mark | {"left": round(axis.percent(_seconds(mark["at"])), 3)})
    return placed


def on_ring(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the nodes with their places on the `ring`, and where their names stand: outside of it."""
    placed = []
    for node, (x, y) in zip(nodes, ring([node["name"] for node in nodes]).values(), strict=True):
        side = x - BOX / 2
        if abs(side) < 120:
            label = ("middle", 0, -28 if y < BOX / 2 else 46)
        else:
            label = ("start", 26, 8) if side > 0 else ("end", -26, 8)
        placed.append(node | {"x": x, "y": y, "anchor": label[0], "dx": label[1], "dy": label[2]})
    return placed


_BEND = {"answer": 0.16, "import": 0.06, "verdict": 0.0}  # edges of different sorts between two nodes stay apart


def arcs(edges: list[dict[str, Any]], nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the edges between these nodes as curves towards the middle, the wider the more often."""
    at = {node["name"]: (node["x"], node["y"]) for node in nodes}
    drawn = []
    for edge in edges:
        if edge["giver"] in at and edge["taker"] in at:
            (ax, ay), (bx, by), bend = at[edge["giver"]], at[edge["taker"]], _BEND[edge["sort"]]
            mx, my = (BOX + ax + bx) / 4 + (by - ay) * bend, (BOX + ay + by) / 4 - (bx - ax) * bend
            path = f"M{ax:g} {ay:g}Q{mx:.1f} {my:.1f} {bx:g} {by:g}"
            drawn.append(edge | {"path": path, "width": round(min(1 + edge["times"] ** 0.5 * 0.9, 12), 1)})
    return drawn


def ring(names: list[str]) -> dict[str, tuple[float, float]]:
    """Return places on a circle in a `BOX`, clockwise from the top in the order given: always the same for the same."""
    radius = 0.40 * BOX
    places = {}
    for index, name in enumerate(names):
        angle = 2 * math.pi * index / len(names) - math.pi / 2
        places[name] = round(BOX / 2 + radius * math.cos(angle), 1), round(BOX / 2 + radius * math.sin(angle), 1)
    return places


def sparkline(counts: list[int]) -> str:
    """Return the points of a line through the counts in a box of 100 by 100, the highest at the top."""
    top = max([*counts, 1])
    last = max(1, len(counts) - 1)
    return " ".join(f"{100 * index / last:.2f},{100 - 96 * count / top:.2f}" for index, count in enumerate(counts))


def later(at: str, seconds: float) -> str:
    """Return a time so many seconds later, in the protocol's form."""
    moment = datetime.fromisoformat(at) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
