"""Bounds that all parts of a report share: a report stays small however large the archive is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

__all__ = ["KINDS_MAX", "ROWS_MAX", "clip", "cut"]

KINDS_MAX = 12
ROWS_MAX = 50  # of each table
TEXT_CHARACTERS_MAX = 300

T = TypeVar("T")


def cut(rows: Sequence[T], made: Callable[[T], Any] = lambda row: row, *, limit: int = ROWS_MAX) -> dict[str, Any]:
    """Return the first ``rows``, each as it was ``made``, and how many ``more`` there are."""
    return {"rows": [made(row) for row in rows[:limit]], "more": max(0, len(rows) - limit)}


def clip(text: str | None) -> str:
    """Return a text of at most `TEXT_CHARACTERS_MAX`, an ellipsis at its end where something is missing."""
    text = text or ""
    return text if len(text) <= TEXT_CHARACTERS_MAX else text[: TEXT_CHARACTERS_MAX - 1] + "…"
