"""Look at a workload: how large it is, and how far apart the uses of a page lie.

A request's reuse distance is the number of different pages asked for since its page was last asked for: a
cache under LRU hits exactly the requests whose distance is below its capacity.
"""

from __future__ import annotations

from collections import Counter
from typing import TypedDict

from trainers.workloads.format import Workload

__all__ = ["MEASURED_MAX", "Description", "describe", "render", "reuse_distances"]

MEASURED_MAX = 1_000_000  # requests whose reuse distance is computed
BAR_CHARS = 40


class Description(TypedDict):
    """What ``workload show`` prints; ``reuse`` counts requests by class of reuse distance, first uses apart."""

    id: str
    kind: str
    name: str
    part: str
    origin: str
    capacity: int
    requests: int
    pages: int
    first_uses: int
    reuse: dict[str, int]  # "0", "1", "2-3", "4-7", …


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


def describe(workload: Workload) -> Description:
    """Return the facts of a workload; reuse distances of its first ``MEASURED_MAX`` requests."""
    distances = reuse_distances(workload.requests[:MEASURED_MAX].tolist())
    classes = Counter(distance.bit_length() for distance in distances if distance is not None)
    return {
        "id": workload.id,
        "kind": workload.kind,
        "name": workload.name,
        "part": workload.part,
        "origin": workload.origin,
        "capacity": workload.capacity,
        "requests": len(workload.requests),
        "pages": workload.pages,
        "first_uses": distances.count(None),
        "reuse": {_class(bits): classes[bits] for bits in range(max(classes, default=-1) + 1)},
    }


def _class(bits: int) -> str:
    """Name the class of the numbers with that many bits."""
    low, high = (1 << bits) // 2, (1 << bits) - 1
    return str(high) if low >= high else f"{low}-{high}"


def render(description: Description) -> str:
    """Return a description as text for people: a table, and a bar a class of reuse distance."""
    most = max([description["first_uses"], *description["reuse"].values()])
    facts = [
        ("workload", f"{description['name']}, part {description['part']}, for {description['kind']}"),
        ("id", description["id"]),
        ("origin", description["origin"] or "not said"),
        ("requests", f"{description['requests']} to {description['pages']} pages"),
        ("capacity", f"{description['capacity']} pages"),
    ]
    lines = [f"{name:<10} {text}" for name, text in facts]
    lines += ["", "requests by reuse distance (LRU hits those below its capacity)"]
    for name, count in [*description["reuse"].items(), ("first use", description["first_uses"])]:
        bar = "█" * round(BAR_CHARS * count / most)
        lines.append(f"{name:>15} {count:>9} {bar}".rstrip())
    return "\n".join(lines)
