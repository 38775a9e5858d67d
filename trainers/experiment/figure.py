"""The experiment as a picture: an arm a row, what it adds with its intervals, a panel a setting.

::

    late: page_replacement, 7 workloads, 10 seeds
    programs       ────┠───■───┨─────      dark: 95 % over seeds, for these workloads
    patterns    ──┠─■──┨───                pale: over workloads too
                    0
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from trainers.workloads.svg import FILL, INK, MARK, PALE, Sheet

__all__ = ["figure"]

Result: TypeAlias = Mapping[str, Any]  # as `text.as_json` made it

WIDTH, ROW, HEAD, FOOT = 860, 22, 34, 34
NAMES, NUMBERS = 150, 170  # pixels beside the scale
STEP = 0.1  # between two marks of the scale, in shares of the gap


def figure(results: Sequence[Result]) -> str:
    """Return the picture as SVG; one scale for all panels, so that settings can be compared."""
    panels = [panel for result in results for panel in _panels(result)]
    ends = [effect[key][end] for _title, rows in panels for _name, effect in rows
            for key in ("seeds", "workloads") for end in ("low", "high")]  # fmt: skip
    low = math.floor(min([0.0, *ends]) / STEP) * STEP
    high = math.ceil(max([STEP, *ends]) / STEP) * STEP
    sheet = Sheet(WIDTH, 8 + sum(HEAD + ROW * len(rows) + FOOT for _title, rows in panels) + 20)
    y = 8.0
    for title, rows in panels:
        _panel(sheet, y, title, rows, low, high)
        y += HEAD + ROW * len(rows) + FOOT
    legend = "Added to the share of the gap closed on hidden parts. Dark: 95 % over seeds; pale: over workloads too."
    sheet.text(16, y + 8, legend)
    return sheet.svg()


def _panels(result: Result) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    about = f"{result['kind']}, {len(result['workloads'])} workloads, {result['seeds']} seeds"
    about += f", {result['nodes']} nodes of {result['evaluations']} evaluations"
    for setting, effects in result["effects"].items():
        gifts = result["gifts"].get(setting, {})
        rows = list(effects.items()) + [(f"gifts of {node}", worth) for node, worth in gifts.items()]
        yield f"{setting}: {about}", rows


def _panel(sheet: Sheet, y: float, title: str, rows: Sequence[tuple[str, Any]], low: float, high: float) -> None:
    def at(value: float) -> float:
        return NAMES + (value - low) / (high - low) * (WIDTH - NAMES - NUMBERS)

    top, bottom = y + HEAD, y + HEAD + ROW * len(rows)
    sheet.text(16, y + 18, title, size=13)
    for mark in range(round(low / STEP), round(high / STEP) + 1):
        x = at(mark * STEP)
        sheet.line([(x, top), (x, bottom)], INK if mark == 0 else PALE)
        sheet.text(x, bottom + 14, "0" if mark == 0 else f"{mark * STEP:+.1f}", anchor="middle", size=9)
    for place, (name, effect) in enumerate(rows):
        middle = top + ROW * (place + 0.5)
        sheet.text(NAMES - 10, middle + 4, name, anchor="end")
        inner, outer = effect["seeds"], effect["workloads"]
        sheet.line([(at(outer["low"]), middle), (at(outer["high"]), middle)], FILL)
        sheet.rect(at(inner["low"]), middle - 4, max(1.0, at(inner["high"]) - at(inner["low"])), 8, opacity=0.55)
        sheet.rect(at(effect["mean"]) - 1.5, middle - 7, 3, 14, MARK)
        words = f"{effect['mean']:+.3f} [{inner['low']:+.3f} {inner['high']:+.3f}]"
        sheet.text(WIDTH - NUMBERS + 12, middle + 4, words)
