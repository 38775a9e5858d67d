"""The arena again in plain Python: the truth for differential tests, and the stand-in where wasmtime has no wheel.

Read it beside ``arena.c``: same steps, same names, same counters for every program, a hundred times slower.
The candidate is interpreted, so this needs no WebAssembly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from trainers.arenas.page_replacement.kind import FORM
from trainers.arenas.page_replacement.queues import SEED, Queue, digest
from trainers.policy.interpret import interpret
from trainers.policy.tree import Component

__all__ = ["run"]

QUEUES = 4
HISTORY = 3  # evictions remembered, in capacities
CREDIT_PER_REQUEST = 4  # scans earned
CREDIT_CAP = 2  # scans saved up at most, in capacities
POPULARITY_MAX = 15  # accesses that are told apart
POPULARITY_SPAN = 10  # requests after which all popularity is halved, in capacities
RATE_SHIFT = 8  # rates forget with a factor of 255/256 a request
_HEAD, _TAIL, _KEEP, _EVICT = range(4)

_SLOTS = {feature.name: feature.slot for function in FORM.functions.values() for feature in function.features}
_REGISTER = FORM.functions["adapt"]


@dataclass(slots=True)
class _Page:
    """What is known of a page that has been in the cache at least once."""

    id: int
    queue: int = 0
    mark: int = 0
    frequency: int = 0
    gap: int = 0
    popularity: int = 0  # counted in the cache and out of it
    accessed: int = 0
    since: int = 0  # request that brought it in
    resident: bool = False
    eviction: int = 0  # its number among all evictions, from 1
    eviction_from: int = 0  # its number among those from its queue


@dataclass(slots=True)
class _Arena:
    """The cache, the history and what the candidate sees of them."""

    functions: Mapping[str, Callable[[], int]]
    features: list[int]
    capacity: int
    now: int = 0
    resident: int = 0
    credit: int = 0
    evictions: int = 0
    trail: int = SEED
    random: int = SEED
    hit_rate: int = 0  # in parts of 2^20
    ghost_rate: int = 0
    queues: list[Queue] = field(default_factory=lambda: [Queue() for _ in range(QUEUES)])
    evicted_from: list[int] = field(default_factory=lambda: [0] * QUEUES)
    pages: dict[int, _Page] = field(default_factory=dict)

    def serve(self, id_: int) -> bool:
        """Serve one request; return whether it was a hit."""
        self.credit = min(self.credit + CREDIT_PER_REQUEST, CREDIT_CAP * self.capacity)
        page = self.pages.setdefault(id_, _Page(id_))
        self._count_popularity(page)
        hit, remembered = page.resident, False
        if hit:
            self._hit(page)
        else:
            remembered = self._miss(page)
        self.hit_rate += ((hit << 20) - self.hit_rate) >> RATE_SHIFT
        self.ghost_rate += ((remembered << 20) - self.ghost_rate) >> RATE_SHIFT
        self._show(hit_rate=self.hit_rate >> 10, ghost_rate=self.ghost_rate >> 10)
        self.now += 1
        return hit

    def _count_popularity(self, page: _Page) -> None:
        """Count the access; now and then halve all counts."""
        page.popularity = min(page.popularity + 1, POPULARITY_MAX)
        if (self.now + 1) % (POPULARITY_SPAN * self.capacity) == 0:
            for known in self.pages.values():
                known.popularity //= 2

    def _hit(self, page: _Page) -> None:
        self._show_page(page)
        self._place(page, self.functions["on_hit"]())
        page.gap = self.now - page.accessed
        page.accessed = self.now
        page.frequency += 1

    def _miss(self, page: _Page) -> bool:
        """Bring the page in; return whether the history remembered it."""
        remembered = page.eviction > 0 and self.evictions - page.eviction < HISTORY * self.capacity
        self._show(
            ghost_queue=page.queue if remembered else QUEUES,
            ghost_rank=self.evicted_from[page.queue] - page.eviction_from if remembered else 0,
            ghost_age=self.now - page.accessed if remembered else 0,
            ghost_frequency=page.frequency if remembered else 0,
            newcomer=page.popularity,
        )
        self._show_common()
        self._show(register=min(max(self.functions["adapt"](), _REGISTER.low), _REGISTER.high))
        if self.resident == self.capacity:
            self._make_room()
        self._show_common()
        action = self.functions["on_insert"]()
        page.queue, page.mark = action >> 8 & 0xFF, action & 0xFF
        self.queues[page.queue].link(page.id, at_tail=action >> 16 == _TAIL)
        page.accessed = page.since = self.now
        page.gap, page.frequency, page.resident = 0, 1, True
        self.resident += 1
        return remembered

    def _make_room(self) -> None:
        """Let the candidate choose pages until one has gone."""
        while True:
            self._show_common()
            number = min(max(self.functions["pick_queue"](), 0), QUEUES - 1)
            while not self.queues[number].size:
                number = (number + 1) % QUEUES
            queue = self.queues[number]
            page = self.pages[queue.at_hand()]
            if not self.credit:
                return self._evict(page)
            self.credit -= 1
            self._show_page(page)
            action = self.functions["on_scan"]()
            if action >> 16 == _EVICT:
                return self._evict(page)
            if action >> 16 == _KEEP:
                queue.move_hand()
            self._place(page, action)

    def _place(self, page: _Page, action: int) -> None:
        """Carry out head, tail or keep on a resident page."""
        page.mark = action & 0xFF
        if action >> 16 != _KEEP:
            self.queues[page.queue].unlink(page.id)
            page.queue = action >> 8 & 0xFF
            self.queues[page.queue].link(page.id, at_tail=action >> 16 == _TAIL)

    def _evict(self, page: _Page) -> None:
        self.queues[page.queue].unlink(page.id)
        self.trail = digest(self.trail, page.accessed)
        self.evictions += 1
        self.evicted_from[page.queue] += 1
        page.eviction, page.eviction_from = self.evictions, self.evicted_from[page.queue]
        page.resident = False
        self.resident -= 1

    def _show(self, **values: int) -> None:
        for name, value in values.items():
            self.features[_SLOTS[name]] = value

    def _show_common(self) -> None:
        self.random ^= self.random << 13 & (1 << 64) - 1
        self.random ^= self.random >> 7
        self.random ^= self.random << 17 & (1 << 64) - 1
        self._show(chance=self.random >> 54)
        for number, queue in enumerate(self.queues):
            self.features[_SLOTS["size0"] + number] = queue.size
            age = self.now - self.pages[queue.tail].accessed if queue.size else 0
            self.features[_SLOTS["oldest0"] + number] = age
            popularity = self.pages[queue.tail].popularity if queue.size else 0
            self.features[_SLOTS["popularity0"] + number] = popularity

    def _show_page(self, page: _Page) -> None:
        self._show_common()
        self._show(
            queue=page.queue,
            mark=page.mark,
            frequency=page.frequency,
            age=self.now - page.accessed,
            residency=self.now - page.since,
            last_gap=page.gap,
            popularity=page.popularity,
        )


def run(component: Component, requests: Sequence[int], _pages: int, capacity: int) -> tuple[tuple[int, int], int]:
    """Serve ``requests`` from an empty cache; return (requests, misses) and the digest of the evictions."""
    features = [0] * len(_SLOTS)
    bodies = interpret(component)
    functions = {name: partial(body, features) for name, body in bodies.items()}
    arena = _Arena(functions, features, capacity, credit=CREDIT_CAP * capacity)
    arena._show(capacity=capacity)  # noqa: SLF001 — the same machine
    misses = sum(not arena.serve(page) for page in requests)
    return (len(requests), misses), arena.trail
