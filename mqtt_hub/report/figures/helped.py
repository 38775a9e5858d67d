"""Who gave what to whom, as matrices of givers by takers; and the programs that went furthest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mqtt_hub.dashboard.wording import words
from mqtt_hub.report.figures.sheet import BLUE, INK, ROW_IN, SOFT, WIDTH_IN, Drawing, label, sheet

__all__ = ["draw_helped", "draw_items"]

BARS_MAX = 16
SIDE_IN_MAX = 3.7  # of a matrix: two stand side by side
NUMBERS_MAX = 12  # nodes up to which a cell has room for two numbers


def draw_helped(kind: Mapping[str, Any]) -> Drawing | None:
    """Return two matrices, requests answered and programs built on; None where nobody helped."""
    if not kind["nodes"]:
        return None
    nodes = [label(node) for node in kind["nodes"]]
    side = max(1.5, min(SIDE_IN_MAX, 0.3 * len(nodes) + 0.5))
    figure = Figure(figsize=(WIDTH_IN, side + 1.7))
    panels = figure.subplots(1, 2)
    matrices = kind["matrices"]
    _matrix(panels[0], nodes, matrices["answers"], "requests answered", matrices["programs"])
    _matrix(panels[1], nodes, matrices["built_on"], "programs with another's work")
    panels[0].set_ylabel("gave")
    return Drawing(
        f"helped-{kind['kind']}",
        f"{words(kind['kind'])}: who helped whom",
        f"{kind['answers']} requests answered, {kind['with_program']} of them with a better program;"
        f" {kind['adopted']} programs with the work of another node in them. Rows gave, columns took.",
        figure,
    )


def _matrix(
    axes: Axes, nodes: Sequence[str], cells: Sequence[Sequence[int]], title: str, of_them: Sequence[Sequence[int]] = ()
) -> None:
    top = max((value for row in cells for value in row), default=0)
    # As paths, not as an image of pixels: the drawing is sharp at every size.
    axes.pcolormesh(cells, cmap="Blues", vmin=0, vmax=max(1, top) * 1.25, edgecolors="white", linewidth=2)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    roomy = len(nodes) <= NUMBERS_MAX
    for at, row in enumerate(cells):
        for along, value in enumerate(row):
            if value:
                text = f"{value:,}" + (f"\n({of_them[at][along]:,})" if of_them and roomy else "")
                axes.text(
                    along + 0.5, at + 0.5, text, ha="center", va="center", fontsize=8 if roomy else 5.5,
                    color="white" if value > 0.65 * top else INK, linespacing=1.1,
                )  # fmt: skip
    places = [at + 0.5 for at in range(len(nodes))]
    crowded = len(nodes) > 4
    axes.set_xticks(places, nodes, rotation=60 if crowded else 0, ha="right" if crowded else "center")
    axes.set_yticks(places, nodes)
    axes.tick_params(length=0, labelsize=8 if roomy else 6.5)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("took")
    axes.set_title(title + ("\n(with a better program)" if of_them and roomy else ""))


def draw_items(rows: Sequence[Mapping[str, Any]]) -> Drawing | None:
    """Return the programs with the most takers as bars; None where there is none."""
    if not rows:
        return None
    some = rows[:BARS_MAX]
    figure, axes = sheet(1.1 + ROW_IN * len(some))
    places = range(len(some))
    axes.barh(places, [row["uses"] for row in some], 0.62, color=BLUE)
    axes.set_yticks(places, [label(f"{row['component'][:8]} of {row['finder']}") for row in some])
    axes.set_ylim(len(some) - 0.5, -0.5)
    for at, row in zip(places, some, strict=True):
        nodes = f"{row['takers']} node" + ("s" if row["takers"] > 1 else "")
        axes.annotate(
            f"{nodes}, {words(row['kind'])}", (row["uses"], at), xytext=(5, -3), textcoords="offset points",
            fontsize=8, color=SOFT,
        )  # fmt: skip
    axes.margins(x=0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("programs of other nodes that name it as a parent")
    return Drawing(
        "items",
        "Shared programs that others built on",
        f"The {len(some)} programs that most other nodes built on. The table has their gains.",
        figure,
    )
