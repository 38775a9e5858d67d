"""What sharing adds, where that was measured; and what was observed, which is something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from mqtt_hub.dashboard.wording import words
from mqtt_hub.report.figures.sheet import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    ROW_IN,
    ROWS_MAX,
    SOFT,
    WIDTH_IN,
    Drawing,
    label,
    sheet,
)

__all__ = ["draw_effects", "draw_observed"]


def draw_effects(experiment: Mapping[str, Any]) -> Drawing | None:
    """Return each arm's effect with both intervals; None where the experiment has none."""
    if not experiment["effects"]:
        return None
    effects = experiment["effects"][:ROWS_MAX]
    figure, axes = sheet(1.6 + ROW_IN * len(effects))
    for at, effect in enumerate(effects):
        outer, inner = effect["workloads"], effect["seeds"]
        sure = inner["low"] > 0 or inner["high"] < 0
        axes.plot([outer["low"], outer["high"]], [at, at], color=GREY, linewidth=1.4, zorder=1)
        axes.plot([inner["low"], inner["high"]], [at, at], color=BLUE, linewidth=5, solid_capstyle="butt", zorder=2)
        axes.scatter(
            [effect["mean"]], [at], s=44, marker="D", facecolors=INK if sure else "white", edgecolors=INK, zorder=3
        )
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(range(len(effects)), [label(f"{effect['setting']}: {effect['arm']}") for effect in effects])
    axes.set_ylim(len(effects) - 0.5, -0.5)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(
        "added share of the gap closed on hidden parts, against no sharing\n"
        "thick: 95 % over seeds; thin: over workloads too; filled: zero lies outside of the thick one"
    )
    return Drawing(
        "impact",
        "Sharing experiment: what each way of sharing adds",
        f"Effects of {len(effects)} arms with intervals, {experiment['seeds']} seeds,"
        f" {len(experiment['workloads'])} workloads, {experiment['nodes']} nodes.",
        figure,
    )


def draw_observed(rows: Sequence[Mapping[str, Any]]) -> Drawing | None:
    """Return accepted submissions and what they improved, by authorship; None where none was accepted."""
    if not any(row[name]["accepted"] for row in rows for name in ("one", "several")):
        return None
    figure = Figure(figsize=(WIDTH_IN, 1.5 + ROW_IN * 1.6 * len(rows)))
    panels = figure.subplots(1, 2, sharey=True)
    measures: tuple[tuple[str, str, Callable[[float], str]], ...] = (
        ("accepted", "accepted submissions", lambda value: f"{value:.0f}"),
        ("credit", "validated improvement, in gaps closed", lambda value: f"{value:.2f}"),
    )
    for axes, (measure, title, shown) in zip(panels, measures, strict=True):
        for name, told, shift, colour, hatch in (
            ("one", "one author", -0.19, BLUE, ""), ("several", "several authors", 0.19, ORANGE, "////"),
        ):  # fmt: skip
            values = [row[name][measure] for row in rows]
            bars = axes.barh(
                [at + shift for at in range(len(rows))], values, 0.34, color=colour, hatch=hatch, edgecolor="white",
                linewidth=0, label=told,
            )  # fmt: skip
            axes.bar_label(bars, labels=[shown(value) for value in values], padding=3, fontsize=8, color=SOFT)
        axes.set_title(title)
        axes.margins(x=0.15)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(rows)), [label(words(row["kind"])) for row in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2, title="observed, not an effect of sharing")
    return Drawing(
        "observed",
        "Observed, not an effect: accepted submissions of one author and of several",
        "Accepted submissions and validated improvement, of one author and of several, by kind.",
        figure,
    )
