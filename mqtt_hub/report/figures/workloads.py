"""Hidden workloads: where everything stands between the best classic and the bound, and how the best got there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mqtt_hub.dashboard.wording import words
from mqtt_hub.report.figures.sheet import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LINE,
    ORANGE,
    PURPLE,
    RED,
    ROW_IN,
    ROWS_MAX,
    WIDTH_IN,
    Drawing,
    label,
    sheet,
)

__all__ = ["draw_lineages", "draw_wins"]

PANELS_MAX = 9
CLOSED_MIN = -1.0  # what is further behind the best classic is drawn at the edge, with an arrow

_MARKS = (  # entry, words, marker, colour, size, filled
    ("default", "the field's default", "o", GREY, 6, False),
    ("picked", "classic picked on train", "v", ORANGE, 6, True),
    ("seed", "best seed program, in hindsight", "|", PURPLE, 10, True),
    ("best", "best of ours, in hindsight", "o", GREEN, 8, False),
    ("chosen", "chosen on train, ours", "D", BLUE, 5, True),
)


def draw_wins(kind: Mapping[str, Any]) -> Drawing | None:
    """Return the hidden workloads as lines from the best classic to the bound; None where none has a way to it."""
    rows = [row for row in kind["rows"] if row["bound"]["closed"] is not None][:ROWS_MAX]
    if not rows:
        return None
    figure, axes = sheet(1.5 + ROW_IN * len(rows))
    for at, row in enumerate(rows):
        shown = [row[entry]["closed"] for entry, *_ in _MARKS if row[entry]]
        axes.plot([max(CLOSED_MIN, min(shown, default=0)), 1], [at, at], color=LINE, linewidth=1, zorder=1)
    for entry, told, marker, colour, size, filled in _MARKS:
        places = [(at, row[entry]["closed"]) for at, row in enumerate(rows) if row[entry]]
        axes.plot(
            [max(CLOSED_MIN, closed) for _, closed in places], [at for at, _ in places], linestyle="none",
            marker=marker, markersize=size, markerfacecolor=colour if filled else "none", markeredgecolor=colour,
            markeredgewidth=1.6, label=told, zorder=3, clip_on=False,
        )  # fmt: skip
        for at, closed in places:
            if closed < CLOSED_MIN:
                axes.annotate("◂", (CLOSED_MIN, at), xytext=(-9, -3), textcoords="offset points", color=colour)
    axes.axvline(0, color=INK, linewidth=1, zorder=2)
    axes.axvline(1, color=RED, linewidth=1, linestyle=(0, (4, 2)), zorder=2)
    axes.set_yticks(range(len(rows)), [label(row["workload"]) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(max(CLOSED_MIN, axes.get_xlim()[0]) - 0.06, 1.04)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(
        "way from the best classic (0 %) to the proven bound (100 %) on the hidden part; left of 0 % is worse"
    )
    figure.legend(loc="outside upper left", ncols=3)
    return Drawing(
        f"wins-{kind['kind']}",
        f"{words(kind['kind'])}: hidden workloads",
        f"For {len(rows)} hidden workloads, where the default, the picked classic, the best seed and ours stand between"
        " the best classic and the bound. The table beside it has the numbers.",
        figure,
    )


_UNITS = ((86_400, "days"), (3_600, "hours"), (60, "min"), (1, "s"))


def draw_lineages(kind: str, lines: Sequence[Mapping[str, Any]]) -> Drawing | None:
    """Return a panel for each workload with its best so far over time; None where none has a way to the bound."""
    shown = [line for line in lines if any(record["closed"] is not None for record in line["records"])][:PANELS_MAX]
    if not shown:
        return None
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(WIDTH_IN, 0.7 + 1.75 * rows))
    began = min(_moment(line["records"][0]["submitted_at"]) for line in shown)
    lasted = max(_moment(line["records"][-1]["submitted_at"]) for line in shown) - began
    scale, unit = next((scale, unit) for scale, unit in _UNITS if lasted >= 2 * scale or scale == 1)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for at, axes in enumerate(grid.flat):
        if at >= len(shown):
            axes.set_axis_off()
            continue
        records = [record for record in shown[at]["records"] if record["closed"] is not None]
        times = [(_moment(record["submitted_at"]) - began) / scale for record in records]
        heights = [max(CLOSED_MIN, record["closed"]) for record in records]
        axes.step([*times, lasted / scale], [*heights, heights[-1]], where="post", color=BLUE, linewidth=1.4)
        for together, marker, colour in ((False, "o", BLUE), (True, "D", ORANGE)):
            some = [index for index, record in enumerate(records) if (len(record["authors"]) > 1) == together]
            axes.scatter(
                [times[index] for index in some], [heights[index] for index in some], s=26, marker=marker,
                color=colour, edgecolors="white", linewidths=0.6, zorder=3,
                label="of several authors" if together else "of one author",
            )  # fmt: skip
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.axhline(1, color=RED, linewidth=0.8, linestyle=(0, (4, 2)))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.grid(axis="y")
        axes.set_title(label(shown[at]["workload"]))
        if at + columns >= len(shown):  # nothing below it
            axes.set_xlabel(unit)
            axes.tick_params(labelbottom=True)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2)
    return Drawing(
        f"lineage-{kind}",
        f"{words(kind)}: how the best came about",
        f"For {len(shown)} hidden workloads, the accepted components that were better than all before them, over time."
        " 0 % is the best classic, 100 % the bound; what is further below than as far again is drawn at the edge.",
        figure,
    )


def _moment(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
