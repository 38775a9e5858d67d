"""Look at a workload: how large it is, and what is in its columns.

A request for a page has a reuse distance, the number of different pages asked for since its page was last asked
for: a cache under LRU hits exactly the requests whose distance is below its capacity. Other rows have columns of
numbers, of which least, middle and greatest are told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from trainers.arenas.registry import kind_of
from trainers.workloads.codecs import Columns
from trainers.workloads.format import Workload

__all__ = ["MEASURED_MAX", "class_name", "describe", "render", "reuse_distances"]

MEASURED_MAX = 1_000_000  # requests whose reuse distance is computed
BAR_CHARS = 40


def reuse_distances(requests: list[int]) -> list[int | None]:
    """Return each request's reuse distance, None for a page's first use; O(n log n)."""
    count = len(requests)
    tree = [0] * (count + 1)  # a Fenwick tree over time: 1 where a page was last used

    def add(at: int, value: int) -> None:
        at += 1
        while at <= count:
            tree[at] += value
            at += at & -at

    def before(at: int) -> int:
        total = 0
        while at:
            total += tree[at]
            at -= at & -at
        return total

    last: dict[int, int] = {}
    distances: list[int | None] = []
    for now, page in enumerate(requests):
        used = last.get(page)
        if used is None:
            distances.append(None)
        else:
            distances.append(len(last) - before(used + 1))
            add(used, -1)
        add(now, 1)
        last[page] = now
    return distances


def describe(workload: Workload) -> dict[str, Any]:
    """Return what ``workload show --json`` prints: the facts, and what the rows are like.

    Pages: ``first_uses``, and ``reuse``, requests by class of reuse distance, of the first ``MEASURED_MAX``.
    Columns: ``columns``, by name (unit, min, median, max).
    """
    kind = kind_of(workload.kind)
    facts = {key: getattr(workload, key) for key in ("id", "kind", "name", "part", "origin", "capacity")}
    facts |= {kind.rows: workload.rows, kind.size: workload.size}
    if isinstance(kind.codec, Columns):
        return facts | {"columns": _columns(kind.codec, workload)}
    distances = reuse_distances(workload.words[:MEASURED_MAX].tolist())
    classes = Counter(distance.bit_length() for distance in distances if distance is not None)
    reuse = {class_name(bits): classes[bits] for bits in range(max(classes, default=-1) + 1)}
    return facts | {"first_uses": distances.count(None), "reuse": reuse}


def _columns(codec: Columns, workload: Workload) -> dict[str, dict[str, Any]]:
    found = {}
    for place, column in enumerate(codec.columns):
        values = sorted(workload.words[place :: codec.width])
        middle = values[len(values) // 2]
        found[column.name] = {"unit": column.unit, "min": values[0], "median": middle, "max": values[-1]}
    return found


def class_name(bits: int) -> str:
    """Name the class of the numbers with that many bits."""
    low, high = (1 << bits) // 2, (1 << bits) - 1
    return str(high) if low >= high else f"{low}-{high}"


def render(description: Mapping[str, Any]) -> str:
    """Return a description as text for people: facts, then a bar a class of reuse distance, or a line a column."""
    kind = kind_of(description["kind"])
    facts = [
        ("workload", f"{description['name']}, part {description['part']}, for {kind.name}"),
        ("id", description["id"]),
        ("origin", description["origin"] or "not said"),
        (kind.rows, f"{description[kind.rows]}, {description[kind.size]} {kind.size}"),
        ("capacity", f"{description['capacity']} {kind.capacity.unit}"),
    ]
    lines = [f"{name:<10} {text}" for name, text in facts]
    return "\n".join([*lines, "", *(_column_lines if "columns" in description else _reuse_lines)(description)])


def _reuse_lines(description: Mapping[str, Any]) -> list[str]:
    most = max([description["first_uses"], *description["reuse"].values()])
    lines = ["requests by reuse distance (LRU hits those below its capacity)"]
    for name, count in [*description["reuse"].items(), ("first use", description["first_uses"])]:
        bar = "█" * round(BAR_CHARS * count / most)
        lines.append(f"{name:>15} {count:>9} {bar}".rstrip())
    return lines


def _column_lines(description: Mapping[str, Any]) -> list[str]:
    lines = [f"{'column':<16}{'min':>12}{'median':>12}{'max':>12}"]
    for name, told in description["columns"].items():
        lines.append(f"{name:<16}{told['min']:>12}{told['median']:>12}{told['max']:>12} {told['unit']}".rstrip())
    return lines
