"""Families of page requests: what programs are known to do to a cache, each on its own.

::

    zipf        independent, popularity 1 / rank                  what LFU is made for
    scans       zipf, and now and then a pass over fresh pages    what evicts everything under LRU
    loop        round and round, a little more than fits          LRU misses always, MRU hardly
    phases      another working set every few thousand requests   what LFU never forgets
    fork-storm  processes that start, share pages, and end        frequent and worthless at once
    index       look-ups in a tree, appends, and table scans      a database's buffer pool

A key is (what it belongs to, number): the codec numbers pages by first appearance.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Callable, Hashable, Iterator
from itertools import accumulate, count, islice
from types import MappingProxyType
from typing import TypeAlias

from trainers.workloads.families import Family

__all__ = ["FAMILIES"]

Requests: TypeAlias = Iterator[Hashable]

LENGTH = 20_000  # requests of one part
LOOP_PAGES, LOOP_CAPACITY = 440, 400


def _popular(rng: random.Random, pages: int, skew: float = 1.0) -> Callable[[], int]:
    """Return a function that draws a page: the k-th in popularity with probability ~ 1 / k^skew (Zipf)."""
    bounds = list(accumulate((rank + 1) ** -skew for rank in range(pages)))
    return lambda: min(bisect(bounds, rng.random() * bounds[-1]), pages - 1)


def _zipf(rng: random.Random) -> Requests:
    draw = _popular(rng, 4000, 0.9)
    while True:
        yield "page", draw()


def _scans(rng: random.Random) -> Requests:
    draw = _popular(rng, 1500)
    for scan in count():
        for _ in range(rng.randrange(400, 1200)):
            yield "page", draw()
        for page in range(rng.randrange(100, 400)):
            yield "scan", scan, page


def _loop(rng: random.Random) -> Requests:
    while True:
        for page in range(LOOP_PAGES):
            yield "loop", page
            if rng.random() < 0.1:
                yield "other", rng.randrange(2000)


def _phases(rng: random.Random) -> Requests:
    for phase in count():
        draw = _popular(rng, rng.randrange(200, 900), rng.choice((0.6, 0.9, 1.2)))
        kept = _popular(rng, 100)
        for _ in range(rng.randrange(1500, 4000)):
            yield ("kept", kept()) if rng.random() < 0.15 else ("phase", phase, draw())


def _fork_storm(rng: random.Random) -> Requests:
    """Switch at random between live processes; new ones come at once in dozens."""
    shared = _popular(rng, 300, 0.7)
    numbers = count()
    live: list[Requests] = []

    def process(number: int) -> Requests:
        for page in range(60):  # the program and its libraries, read from end to end at its start
            yield "shared", page
        own = _popular(rng, 120, 0.8)
        for _ in range(rng.randrange(50, 600)):
            yield ("shared", shared()) if rng.random() < 0.3 else ("own", number, own())

    while True:
        if len(live) < 3 or rng.random() < 0.002:
            live += [process(next(numbers)) for _ in range(rng.randrange(1, 30))]
        running = rng.randrange(len(live))
        turn = list(islice(live[running], 20))
        if not turn:
            live.pop(running)
        yield from turn


def _index(rng: random.Random) -> Requests:
    """Look up leaves of a tree with a fan-out of 32, append to a log, and read a table from end to end now and then."""
    leaf = _popular(rng, 6000, 0.8)
    for step in count():
        found = leaf()
        yield "root", 0
        yield "branch", found // 32
        yield "leaf", found
        if step % 4 == 0:
            yield "log", step // 64
        if rng.random() < 0.0005:
            for page in range(800):
                yield "table", page


def _family(requests: Callable[[random.Random], Requests], meaning: str, capacity: int | None = None) -> Family:
    return Family(lambda rng, length: islice(requests(rng), length), meaning, LENGTH, capacity)


FAMILIES = MappingProxyType(
    {
        "zipf": _family(_zipf, "independent requests, popularity by Zipf's law over 4,000 pages"),
        "scans": _family(_scans, "1,500 popular pages, and passes over pages that never come again"),
        "loop": _family(_loop, "a loop over a tenth more than fits, and rare other pages", LOOP_CAPACITY),
        "phases": _family(_phases, "a working set of its own every few thousand requests, and 100 pages that stay"),
        "fork-storm": _family(_fork_storm, "processes that come in dozens, share their program and end"),
        "index": _family(_index, "look-ups in a tree, a log that grows, and table scans"),
    }
)
