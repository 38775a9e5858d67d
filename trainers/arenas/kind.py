"""What a component kind is: one folder under ``trainers/arenas/``, declared by ``KIND`` in its ``kind.py``.

::

    form       what a component is asked, and what it sees              (trainers.policy.kind)
    codec      how rows of a workload are written in a file             (trainers.workloads.codecs)
    counters   the integers that a run comes to, in the order of the arena's ``counter(i)``
    value      one integer made of them, lower is better ── gap closed = (baseline - x) / (baseline - bound)
    baselines  what it is compared with: native in ``baselines.c``, or programs of the form in ``classics/``

Everything else in trainers/ is written against this table: docs/adding-a-kind.md shows how to fill it in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from trainers.policy.kind import Form
from trainers.workloads.codecs import Codec

__all__ = ["Capacity", "Counter", "Kind", "Shown", "Values", "Words"]

Values: TypeAlias = Mapping[str, int]  # counters of one run by name
Words: TypeAlias = Sequence[int]  # rows x width u32, row after row

FUEL_PER_STEP = 4_000  # wasm instructions


@dataclass(frozen=True, slots=True)
class Counter:
    """One integer that a run comes to: exact, and the same on every machine."""

    name: str
    unit: str  # for people: requests, pages, µs
    meaning: str


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the machine has, and how much of it where nobody says: ``default(size)`` of a workload of that size."""

    low: int
    high: int
    unit: str  # for people, in the plural: pages, CPUs
    default: Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as people read it: ``of(value, rows)`` is printed under ``name``."""

    name: str  # miss_ratio
    of: Callable[[int, int], float]


def _first_counter(counters: Values, _reference: Values) -> int:
    return next(iter(counters.values()))


def _one_step_a_row(words: Words, width: int) -> int:
    return len(words) // width


def _anywhere(_words: Words, row: int) -> int:
    return row


@dataclass(frozen=True, eq=False, kw_only=True)
class Kind:
    """A component kind. Functions take ``words`` (rows x ``codec.width`` u32, row after row) and are pure.

    Baselines, oracles and the bound are native where ``native`` names them, in the order of their numbers in
    ``baselines.c``; the others are programs in ``classics/`` by that name.
    """

    name: str
    package: str  # the folder as an importable package: ``__package__``
    form: Form
    specializations: tuple[str, ...]  # of the nodes that search for it
    codec: Codec
    rows: str  # what a row is, for people, in the plural: requests, bursts
    size: str  # what ``Workload.size`` counts, in the plural: pages, tasks
    capacity: Capacity
    counters: tuple[Counter, ...]  # in the order of the arena's counter(i)
    metric: str  # the name of the value
    shown: Shown
    baselines: tuple[str, ...]
    baseline: str  # the field's default, which gap closed starts from
    bound: str  # proven: no component's value is lower
    native: tuple[str, ...]  # of baselines.c, by number
    work_bytes: Callable[[int, int], int]  # (rows, size): the zeroed work area that arena.c and baselines.c need
    oracles: tuple[str, ...] = ()  # know the future, but are no bound: shown, never compared with
    # (counters, the default baseline's on the same rows and capacity): lower is better, an integer on every machine.
    value: Callable[[Values, Values], int] = _first_counter
    # (words, width): how much work these rows are; a candidate has ``fuel_per_step`` for each step.
    steps: Callable[[Words, int], int] = _one_step_a_row
    fuel_per_step: int = FUEL_PER_STEP
    # (words, row): the row nearest to ``row`` where a workload may be cut in two.
    cut: Callable[[Words, int], int] = _anywhere
    # (all words, capacity, words of a few rows): their capacity in proportion, for a probe; None: it is the workload's.
    in_proportion: Callable[[Words, int, Words], int] | None = None
    # The share of the train part's rows that search climbs, from the first; the final choice sees the rest for the
    # first time. 1 where another whole run is what a component is for, and there are other measures to choose by.
    climb_share: float = 2 / 3
    # Cold starts that search climbs; 1 where a slice is too short to show what a long run comes to, as with queues.
    climb_slices: int = 3
    # Percentages of the capacity at which the final choice runs the whole train part too: what is good at one capacity
    # only, such as just where a loop fits, is good at one recording only.
    choice_percents: tuple[int, ...] = ()
    # (words, day): the same load on another day, as it could have come; the same rows for the same number of a day.
    # Where a value hangs on few rows, the best of many on one day is partly lucky: some days are climbed beside the
    # train part, and some the final choice goes by.
    redraw: Callable[[Words, int], Words] | None = None
    climb_days: tuple[int, ...] = ()
    choice_days: tuple[int, ...] = ()
    # So many rows, at a capacity in proportion, tell whether two programs behave alike: search passes by what behaves
    # as something known. 0: they do not.
    probe_rows: int = 0
    # What has on the probe so much less of the gap than the best is not evaluated; None: search does not ask.
    probe_margin: float | None = None
    probes_max: int = 8  # variants that may be passed by, one after the other, before one is evaluated all the same
    finalists: int = 10  # programs that the final choice compares, besides the seeds
    # The value that search climbs and chooses by, where the value itself is clipped or a ratio. None: it.
    search_value: Callable[[Values, Values], int] | None = None
    # How much worse than the textbook a choice may be by the plain value on the train part. More than 0 where that
    # value hangs on a few long waits, which another day has elsewhere.
    slack_percents: int = 0
    # (counters, the default baseline's): why a run is not acceptable whatever its value, such as starving somebody;
    # empty where it is. None: the kind has no such limit.
    limit: Callable[[Values, Values], str] | None = None

    @cached_property
    def folder(self) -> Path:
        """Where arena.wasm, baselines.wasm, classics/ and workloads/ lie."""
        return Path(str(files(self.package)))

    @property
    def runs(self) -> tuple[str, ...]:
        """Everything that `Evaluator.baseline` knows: baselines, oracles and the bound."""
        return (*self.baselines, *self.oracles, self.bound)
