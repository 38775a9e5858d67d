"""Just enough SVG for charts: rectangles, lines and words on a white sheet, numbers with two digits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["Panel", "Sheet"]

INK, FILL, PALE, MARK = "#222222", "#3b6ea5", "#dddddd", "#c0392b"
MARGIN = 56
TITLE_Y = 16


class Sheet:
    """A drawing, ``width`` x ``height`` pixels, origin at the top left."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._shapes: list[str] = []
        self.rect(0, 0, width, height, "#ffffff")

    def rect(self, x: float, y: float, width: float, height: float, fill: str = FILL, opacity: float = 1) -> None:
        """Fill a rectangle."""
        faint = "" if opacity == 1 else f' fill-opacity="{opacity:.2f}"'
        self._shapes.append(
            f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{fill}"{faint}/>'
        )

    def line(self, points: Iterable[tuple[float, float]], stroke: str = INK) -> None:
        """Connect points."""
        places = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
        self._shapes.append(f'<polyline points="{places}" fill="none" stroke="{stroke}"/>')

    def text(self, x: float, y: float, words: str, *, anchor: str = "start", size: int = 11) -> None:
        """Write words; ``anchor`` start, middle or end of them stands at x."""
        self._shapes.append(
            f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}" font-family="sans-serif" font-size="{size}"'
            f' fill="{INK}">{escape(words)}</text>'
        )

    def panel(self, x: float, y: float, width: float, height: float, title: str) -> Panel:
        """Return a chart's place with its title and frame; the outer measures are given."""
        self.text(x + MARGIN, y + TITLE_Y, title, size=13)
        return Panel(self, x + MARGIN, y + 24, width - MARGIN - 12, height - 64)

    def svg(self) -> str:
        """Return the file."""
        head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}"'
        return "\n".join([f'{head} viewBox="0 0 {self.width} {self.height}">', *self._shapes, "</svg>", ""])


class Panel:
    """One chart: bars, a curve or a grid between an axis of x and one of y."""

    def __init__(self, sheet: Sheet, x: float, y: float, width: float, height: float) -> None:
        self._sheet, self._x, self._y, self._width, self._height = sheet, x, y, width, height
        sheet.line([(x, y), (x, y + height), (x + width, y + height)])

    def axes(self, low_x: str, high_x: str, high_y: str, name: str) -> None:
        """Write what the ends of the axes are, and what x is."""
        bottom = self._y + self._height + 14
        self._sheet.text(self._x, bottom, low_x)
        self._sheet.text(self._x + self._width, bottom, high_x, anchor="end")
        self._sheet.text(self._x + self._width / 2, bottom + 14, name, anchor="middle")
        self._sheet.text(self._x - 4, self._y + 10, high_y, anchor="end")
        self._sheet.text(self._x - 4, self._y + self._height, "0", anchor="end")

    def bars(self, counts: Sequence[int], labels: Sequence[str] = ()) -> None:
        """Draw one bar each, the highest as high as the panel."""
        step, most = self._width / max(1, len(counts)), max([1, *counts])
        for place, amount in enumerate(counts):
            high = self._height * amount / most
            self._sheet.rect(self._x + place * step, self._y + self._height - high, step * 0.9, high)
        for place, label in enumerate(labels):
            self._sheet.text(
                self._x + (place + 0.45) * step, self._y + self._height + 14, label, anchor="middle", size=8
            )

    def curve(self, points: Iterable[tuple[float, float]], mark: float | None = None) -> None:
        """Draw a line through points in shares of the panel, y upwards, and a mark at an x."""
        if mark is not None:
            self._sheet.rect(self._x + mark * self._width, self._y, 1, self._height, MARK)
        places = [(self._x + x * self._width, self._y + (1 - y) * self._height) for x, y in points]
        self._sheet.line(places, FILL)

    def grid(self, cells: Sequence[Sequence[int]]) -> None:
        """Draw rows of cells, the first at the bottom, darker where there is more."""
        most = max([1, *(amount for row in cells for amount in row)])
        high, wide = self._height / len(cells), self._width / len(cells[0])
        for row, amounts in enumerate(cells):
            for column, amount in enumerate(amounts):
                if amount:
                    x, y = self._x + column * wide, self._y + self._height - (row + 1) * high
                    self._sheet.rect(x, y, wide, high, opacity=0.15 + 0.85 * amount / most)
