"""The textbook's policies that are programs in a kind's form: ``classics/*.policy``, where search starts."""

from __future__ import annotations

from functools import cache

from trainers.arenas.registry import kind_of
from trainers.policy.parse import parse
from trainers.policy.tree import Component

__all__ = ["classics"]


@cache
def classics(kind: str) -> dict[str, Component]:
    """Return the programs of a kind by name."""
    declared = kind_of(kind)
    found = sorted((declared.folder / "classics").glob("*.policy"))
    return {path.stem: parse(path.read_text("utf-8"), declared.form) for path in found}
