"""What a component kind declares to the language: functions, features with units, actions.

One `Form` is a set of functions that together make a component. The language knows nothing of pages or
tasks; it reads this table::

    Form ── functions ──▶ Function ── features ──▶ Feature (name, unit, low..high, offset)
      └──── actions ────▶ Action (head, tail, keep, evict: how each becomes the integer the arena decodes)

The arena's side of the bargain (the ABI): arena and candidate import one memory, ``env.memory``. Before each
call the arena has written the function's features as little-endian i64 at ``Form.features_at + 8 * slot``.
The candidate exports every function of the form as ``() -> i64`` and reads only the slots it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Action", "Feature", "Form", "Function", "Growth", "Unit"]


class Unit(StrEnum):
    """What a feature measures; search compares and adds only like with like."""

    TIME = "time"  # requests, ticks, microseconds: as the feature's meaning says
    COUNT = "count"
    SIZE = "size"  # pages, sectors, bytes
    RATE = "rate"  # parts of 1024
    INDEX = "index"  # names a queue or a CPU: compared, never added
    FREE = "free"  # the component's own register or mark, and seeded chance


@dataclass(frozen=True, slots=True)
class Feature:
    """An integer that the arena shows to a function; always within ``low..high``."""

    name: str
    unit: Unit
    low: int
    high: int
    meaning: str
    slot: int


@dataclass(frozen=True, slots=True)
class Action:
    """A helper such as ``head(queue, mark)``.

    It becomes ``code << 16 | queue << 8 | mark`` with each argument clamped to its bounds, in the order of
    ``arguments`` (name, low, high, shift).
    """

    name: str
    code: int
    arguments: tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a form: what it sees and what it may return.

    ``actions`` empty means it returns a plain integer; the arena clamps it to ``low..high``.
    """

    name: str
    features: tuple[Feature, ...]
    actions: tuple[str, ...]
    default: str  # its source where a component does not give it
    meaning: str
    low: int = 0
    high: int = 0
    unit: Unit = Unit.FREE  # of the integer it returns
    # Features that show what it returned before: while no function that matters reads one of them, it is idle.
    # Empty: what it returns has an effect by itself.
    writes: tuple[str, ...] = ()

    def feature(self, name: str) -> Feature | None:
        """Return the feature of that name, or None."""
        return next((feature for feature in self.features if feature.name == name), None)


@dataclass(frozen=True, slots=True)
class Growth:
    """How search departs from its defaults in a form; each is measured for one kind at a time (search/README.md)."""

    time_bits: tuple[int, int] | None = None  # constants beside times are 2**low to 2**high; None: up to 2**12, or 0
    scores: bool = False  # leads and ratios (`trainers.search.scores`) are among the changes of what is a score
    tests: tuple[str, ...] = ()  # distinctions worth making in a score, as source over its features
    tune_share: float = 0.0  # of what would be mutations: they move constants a little and nothing else
    polish_share: float = 0.0  # of all steps: they move constants too, those of the best of `polish_tournament` members
    polish_tournament: int = 12
    parsimony: float = 0.0005  # of the gap, a node of a program


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A set of functions that together make a component of ``kind``; one instance a form, equal to itself alone."""

    kind: str
    name: str
    functions: Mapping[str, Function]  # in canonical order
    actions: Mapping[str, Action]
    features_at: int  # byte address of slot 0 in the shared memory
    own_marks: tuple[str, ...] = ()  # action arguments that the arena only hands back, as features of that name
    growth: Growth = Growth()
