"""The arena again in plain Python: the truth for differential tests, and the stand-in where wasmtime has no wheel."""

from __future__ import annotations

from collections.abc import Sequence

from trainers.policy.interpret import interpret
from trainers.policy.tree import Component

from .kind import FORM

__all__ = ["run", "spend"]

SEED = 0x9E3779B97F4A7C15
MEAN_SHIFT = 3
_TIMEOUT = FORM.functions["timeout"]


def spend(gap: int, timeout: int, cost: int, trail: int) -> tuple[int, int, int]:
    """Return what a gap costs, whether the disk stopped in it, and the hash of the decisions so far."""
    stopped = int(gap > timeout)
    trail = (trail ^ (1 + stopped)) * SEED & (1 << 64) - 1
    return timeout + cost if stopped else gap, stopped, trail ^ trail >> 32


def run(component: Component, gaps: Sequence[int], _disks: int, cost: int) -> tuple[tuple[int, int], int]:
    """Return (energy, stops) and the digest."""
    timeout = interpret(component)["timeout"]
    energy = stops = last_gap = mean_gap = 0
    trail = SEED
    for gap in gaps:
        asked = min(max(timeout([cost, last_gap, mean_gap]), _TIMEOUT.low), _TIMEOUT.high)
        spent, stopped, trail = spend(gap, asked, cost, trail)
        energy, stops = energy + spent, stops + stopped
        last_gap = gap
        mean_gap += gap - mean_gap >> MEAN_SHIFT
    return (energy, stops), trail
