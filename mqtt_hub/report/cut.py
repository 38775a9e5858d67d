"""Bounds that all parts of a report share: a report stays small however large the archive is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

__all__ = ["AUTHORS_MAX", "KINDS_MAX", "NAME_CHARACTERS_MAX", "ROWS_MAX", "clip", "cut"]

KINDS_MAX = 12
ROWS_MAX = 50  # of each table
AUTHORS_MAX = 8  # named of one program
TEXT_CHARACTERS_MAX = 300
NAME_CHARACTERS_MAX = 64

T = TypeVar("T")


def cut(rows: Sequence[T], made: Callable[[T], Any] = lambda row: row, *, limit: int = ROWS_MAX) -> dict[str, Any]:
    """Return the first ``rows``, each as it was ``made``, and how many ``more`` there are."""
    return {"rows": [made(row) for row in rows[:limit]], "more": max(0, len(rows) - limit)}


def clip(text: str | None, characters_max: int = TEXT_CHARACTERS_MAX) -> str:
    """Return a text of at most so many characters, an ellipsis at its end where something is missing."""
    text = text or ""
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"
