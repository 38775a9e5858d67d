"""What a field may hold: the bounds that annotate it, and the one form in which a breach is told.

::

    capacity: Annotated[int, Whole(1, 2**31)]        body.capacity: expected a whole number from 1 to …, got 0
"""

from __future__ import annotations

from dataclasses import dataclass
from reprlib import Repr

from mqtt_hub.protocol.errors import ProtocolError

__all__ = ["Flat", "Items", "Real", "Text", "Whole", "fail"]


@dataclass(frozen=True, slots=True)
class Text:
    """A string of ``characters_min`` to ``characters_max`` characters, matching ``pattern`` as a whole.

    ``repeats`` says that the same few come again and again: those found right are remembered.
    """

    characters_max: int
    pattern: str = ""
    characters_min: int = 0
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer within ``low..high``; true and false are no integers."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Real:
    """A finite number within ``low..high``."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Items:
    """A list of at most ``items_max`` items."""

    items_max: int


@dataclass(frozen=True, slots=True)
class Flat:
    """An object of at most ``keys_max`` keys, each checked like a name, with values of one bounded type."""

    keys_max: int
    value: Text | Whole | Real


_SHOWN = Repr()  # of what nests a thousand deep, repr() itself would raise
_SHOWN.maxlevel, _SHOWN.maxstring, _SHOWN.maxother, _SHOWN.maxlong = 3, 160, 160, 160


def fail(path: str, expected: str, value: object) -> ProtocolError:
    """Return the error for a field: where, what was expected, what came (shortened: it may be hostile)."""
    shown = _SHOWN.repr(value)
    return ProtocolError(f"{path}: expected {expected}, got {shown if len(shown) <= 60 else shown[:57] + '...'}")
