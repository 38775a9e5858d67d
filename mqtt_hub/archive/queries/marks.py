"""Question marks for as many values as there are: the one part of a statement that depends on what is asked."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["marks"]


def marks(values: Sequence[object]) -> str:
    """Return what stands in ``IN (…)`` for these values; where there is none, what nothing is equal to."""
    return ", ".join("?" * len(values)) or "NULL"
