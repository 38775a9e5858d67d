"""What all figures share: the drawing itself, its style, letters that can be drawn."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "INK",
    "LINE",
    "ORANGE",
    "PURPLE",
    "RED",
    "ROWS_MAX",
    "ROW_IN",
    "SOFT",
    "STYLE",
    "WIDTH_IN",
    "Drawing",
    "label",
    "sheet",
]

WIDTH_IN = 9.2
ROW_IN = 0.34
ROWS_MAX = 24  # of one drawing; the table has more
LABEL_CHARACTERS_MAX = 28
DPI = 144  # of PNG

INK, SOFT, LINE = "#16202a", "#55626f", "#d9dee4"
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#9aa5b0"
STYLE: Any = {  # matplotlib types its 400 names one by one, and otherwise in each version
    "font.family": "DejaVu Sans", "font.size": 9, "axes.edgecolor": LINE, "axes.labelcolor": SOFT,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10, "axes.titlelocation": "left",
    "axes.titlecolor": INK, "axes.axisbelow": True,
    "text.color": INK, "text.parse_math": False, "xtick.color": SOFT, "ytick.color": INK,
    "xtick.labelcolor": SOFT, "ytick.labelcolor": INK, "grid.color": LINE, "grid.linewidth": 0.7,
    "figure.facecolor": "white", "axes.facecolor": "white", "svg.fonttype": "path", "svg.hashsalt": "mqtt-hub",
    "figure.constrained_layout.use": True, "legend.frameon": False, "legend.fontsize": 8.5,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawing:
    """One figure: a name for files, a title, what it shows in words, and itself."""

    name: str
    title: str
    words: str
    figure: Figure

    def svg(self) -> bytes:
        """Return the drawing as SVG, with nothing in it that changes from one time to the next."""
        return self._saved("svg", metadata={"Date": None, "Creator": None})

    def png(self) -> bytes:
        """Return the drawing as PNG."""
        return self._saved("png", dpi=DPI, metadata={"Software": None})

    def _saved(self, format_: str, **options: Any) -> bytes:
        file = io.BytesIO()
        with mpl.rc_context(STYLE):
            self.figure.savefig(file, format=format_, **options)
        return file.getvalue()


def sheet(height_in: float) -> tuple[Figure, Axes]:
    """Return a figure of the common width with one pair of axes."""
    figure = Figure(figsize=(WIDTH_IN, height_in))
    return figure, figure.subplots()


def label(text: str) -> str:
    """Return a text that can be drawn: one line, not too long, only signs that the font has."""
    known = _signs()
    drawn = "".join(sign if ord(sign) in known else "?" for sign in text[: LABEL_CHARACTERS_MAX + 1])
    return drawn if len(drawn) <= LABEL_CHARACTERS_MAX else drawn[: LABEL_CHARACTERS_MAX - 1] + "…"


@cache
def _signs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())
