"""The native baselines and the bound a second time, in plain Python: what ``baselines.c`` is held to."""

from __future__ import annotations

from collections.abc import Sequence

from .reference import SEED, spend

__all__ = ["run"]


def run(name: str, gaps: Sequence[int], _disks: int, cost: int) -> tuple[tuple[int, int], int]:
    """Return (energy, stops) and the digest."""
    energy = stops = 0
    trail = SEED
    for gap in gaps:
        stop = {"always-on": False, "at-once": True, "clairvoyant": gap > cost}[name]
        spent, stopped, trail = spend(gap, 0 if stop else 1 << 32, cost, trail)
        energy, stops = energy + spent, stops + stopped
    return (energy, stops), trail
