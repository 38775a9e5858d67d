"""How fast something grows, and how sure that is.

A straight line through the points by least squares. Memory at one moment is much like memory ten seconds before, so
the points are fewer than they look: they count as n (1 - r) / (1 + r), r being the residuals' correlation with their
neighbours (Santer et al. 2000, J. Geophys. Res. 105, section 4). Where that leaves none, as with memory that goes up by
single steps, the steps are what is independent: a random walk with drift. The bound is that of 95 % confidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Trend", "trend"]

POINTS_MIN = 6
_Z = 1.959964
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Trend:
    """``slope`` a unit of x, and its ``bound``: with 95 % confidence the slope is within ±bound of it."""

    slope: float
    bound: float

    def against(self, limit: float) -> str:
        """Return flat, grows, or unclear: what is surely below the limit, surely above it, or neither."""
        if self.slope + self.bound <= limit:
            return "flat"
        return "grows" if self.slope - self.bound > limit else "unclear"


def trend(xs: Sequence[float], ys: Sequence[float]) -> Trend:
    """Return the slope of ys over xs; its bound is infinite for less than `POINTS_MIN` points."""
    count = len(xs)
    if count < POINTS_MIN:
        return Trend(0.0, math.inf)
    mean_x, mean_y = sum(xs) / count, sum(ys) / count
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    errors = [y - mean_y - slope * (x - mean_x) for x, y in zip(xs, ys, strict=True)]
    square = sum(error * error for error in errors)
    if square <= count * (_ROUNDING * max(map(abs, ys))) ** 2:  # on the line, but for what floats cannot say
        return Trend(slope, 0.0)
    neighbours = max(0.0, sum(a * b for a, b in pairwise(errors)) / square)
    freedom = count * (1 - neighbours) / (1 + neighbours) - 2
    if freedom < 1:
        return _drift(xs, ys)
    return Trend(slope, _student(freedom) * math.sqrt(square / freedom / spread))


def _drift(xs: Sequence[float], ys: Sequence[float]) -> Trend:
    """Return the drift of a random walk: from end to end, as unsure as so many steps of their spread."""
    steps = [after - before for before, after in pairwise(ys)]
    mean = sum(steps) / len(steps)
    freedom = len(steps) - 1
    spread = math.sqrt(sum((step - mean) ** 2 for step in steps) / freedom)
    length = xs[-1] - xs[0]
    return Trend((ys[-1] - ys[0]) / length, _student(freedom) * spread * math.sqrt(len(steps)) / length)


def _student(freedom: float) -> float:
    """Return the 97.5 % point of Student's t (Abramowitz and Stegun 26.7.5, two terms)."""
    return _Z + (_Z**3 + _Z) / (4 * freedom) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)
