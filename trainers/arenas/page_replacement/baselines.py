"""The baselines and the bound a second time, in plain Python: what ``baselines.c`` is held to.

Each policy is one loop over the requests, written with ordered dictionaries (oldest first) instead of linked
lists, straight from its paper. It is also what runs where wasmtime has no wheel.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from trainers.arenas.page_replacement.queues import SEED, digest

__all__ = ["POLICIES", "run"]

Pages: TypeAlias = OrderedDict[int, int]  # page -> reference count where the policy has one, oldest first


class Run:
    """The requests, the clock and the counters of one run."""

    def __init__(self, requests: Sequence[int], capacity: int) -> None:
        self.requests = requests
        self.capacity = capacity
        self.now = 0
        self.misses = 0
        self.trail = SEED
        self._resident = 0
        self._accessed: dict[int, int] = {}

    def __iter__(self) -> Iterator[int]:
        """Yield the requests one by one; the loop's body serves each before the next is drawn."""
        for self.now, page in enumerate(self.requests):  # noqa: B020 — the clock is the loop's
            yield page
            self._accessed[page] = self.now

    def miss(self) -> bool:
        """Count a miss; return whether the cache is full, so that a page must go first."""
        self.misses += 1
        full = self._resident == self.capacity
        self._resident += 1
        return full

    def evict(self, page: int) -> int:
        """Count the page out, and return it."""
        self.trail = digest(self.trail, self._accessed[page])
        self._resident -= 1
        return page

    def evict_oldest(self, pages: Pages) -> int:
        """Evict the oldest of ``pages``, and return it."""
        return self.evict(pages.popitem(last=False)[0])


def _drop_oldest(pages: Pages) -> int:
    return pages.popitem(last=False)[0]


def fifo(run: Run) -> None:
    """First in, first out."""
    cache: Pages = OrderedDict()
    for page in run:
        if page in cache:
            continue
        if run.miss():
            run.evict_oldest(cache)
        cache[page] = 0


def lru(run: Run) -> None:
    """Evict the page not used for longest."""
    cache: Pages = OrderedDict()
    for page in run:
        if page not in cache and run.miss():
            run.evict_oldest(cache)
        cache[page] = 0
        cache.move_to_end(page)


def clock(run: Run) -> None:
    """FIFO, but a page used since it was last looked at goes back to the young end (one bit)."""
    cache: Pages = OrderedDict()
    for page in run:
        if page in cache:
            cache[page] = 1
            continue
        if run.miss():
            while cache[oldest := next(iter(cache))]:
                cache[oldest] = 0
                cache.move_to_end(oldest)
            run.evict_oldest(cache)
        cache[page] = 0


def sieve(run: Run) -> None:
    """CLOCK whose spared pages keep their place: a hand walks from old to young (Zhang et al. 2024)."""
    cache: list[int] = []  # oldest first
    used: set[int] = set()
    hand = 0
    for page in run:
        if page in cache:
            used.add(page)
            continue
        if run.miss():
            while cache[hand := hand % len(cache)] in used:
                used.remove(cache[hand])
                hand += 1
            run.evict(cache.pop(hand))
            hand = hand if hand < len(cache) else 0
        cache.append(page)


def lfu(run: Run) -> None:
    """Evict the page with the fewest accesses in its stay; of equals, the least recently used."""
    cache: dict[int, tuple[int, int]] = {}
    order: list[tuple[int, int, int]] = []
    for page in run:
        if page not in cache and run.miss():
            while (top := heapq.heappop(order))[:2] != cache.get(top[2]):
                pass
            del cache[run.evict(top[2])]
        cache[page] = (cache[page][0] + 1 if page in cache else 1, run.now)
        heapq.heappush(order, (*cache[page], page))


def two_q(run: Run) -> None:
    """2Q, full version (Johnson and Shasha 1994): A1in a quarter, A1out half of the capacity."""
    a1in: Pages = OrderedDict()
    a1out: Pages = OrderedDict()
    am: Pages = OrderedDict()
    for page in run:
        if page in a1in:
            continue
        if page in am:
            am.move_to_end(page)
            continue
        known = a1out.pop(page, None) is not None
        if run.miss():
            if len(a1in) > max(1, run.capacity // 4) or not am:
                a1out[run.evict_oldest(a1in)] = 0
                if len(a1out) > run.capacity // 2:
                    _drop_oldest(a1out)
            else:
                run.evict_oldest(am)
        (am if known else a1in)[page] = 0


def s3_fifo(run: Run) -> None:
    """S3-FIFO (Yang et al. 2023): a tenth for newcomers, who need two hits to stay; 0.9 C of ghosts."""
    small: Pages = OrderedDict()
    main: Pages = OrderedDict()
    ghosts: Pages = OrderedDict()
    small_max = max(1, run.capacity // 10)
    has_evicted = False
    for page in run:
        queue = small if page in small else main
        if page in queue:
            queue[page] = min(queue[page] + 1, 3)
            continue
        known = ghosts.pop(page, None) is not None
        if run.miss():
            has_evicted = True
            if len(main) <= run.capacity - small_max:
                while small and small[next(iter(small))] >= 2:
                    main[_drop_oldest(small)] = 0
                evict_small = bool(small)
            else:
                evict_small = False
            if evict_small:
                ghosts[run.evict_oldest(small)] = 0
                if len(ghosts) > run.capacity * 9 // 10:
                    _drop_oldest(ghosts)
            else:
                while main[oldest := next(iter(main))]:
                    main[oldest] -= 1
                    main.move_to_end(oldest)
                run.evict_oldest(main)
        # The authors' refinement: while the cache first fills, what does not fit the small queue goes to main.
        (main if known or (not has_evicted and len(small) >= small_max) else small)[page] = 0


def arc(run: Run) -> None:  # noqa: C901 — the paper's four cases in one place
    """ARC (Megiddo and Modha 2003); the target is a real number, as there."""
    t1: Pages = OrderedDict()
    t2: Pages = OrderedDict()
    b1: Pages = OrderedDict()
    b2: Pages = OrderedDict()
    target = 0.0

    def replace(*, in_b2: bool) -> None:
        if t1 and (len(t1) > target or (in_b2 and len(t1) == target)):
            b1[run.evict_oldest(t1)] = 0
        else:
            b2[run.evict_oldest(t2)] = 0

    for page in run:
        if page in t1 or page in t2:
            t1.pop(page, None)
            t2[page] = 0
            t2.move_to_end(page)
            continue
        full = run.miss()
        if page in b1:
            target = min(float(run.capacity), target + max(len(b2) / len(b1), 1))
        elif page in b2:
            target = max(0.0, target - max(len(b1) / len(b2), 1))
        if page in b1 or page in b2:
            if full:
                replace(in_b2=page in b2)
            b1.pop(page, None)
            b2.pop(page, None)
            t2[page] = 0
            continue
        if len(t1) == run.capacity:
            run.evict_oldest(t1)
        elif full:
            if len(t1) + len(b1) == run.capacity:
                _drop_oldest(b1)
            elif len(b1) + len(b2) == run.capacity:
                _drop_oldest(b2)
            replace(in_b2=False)
        t1[page] = 0


def lirs(run: Run) -> None:
    """LIRS (Jiang and Zhang 2002): one page in a hundred for HIR, the stack at most twice the capacity."""
    lir_max = run.capacity - max(1, run.capacity // 100)
    if not lir_max:
        lru(run)
        return
    stack: Pages = OrderedDict()
    lir: set[int] = set()
    queue: Pages = OrderedDict()  # resident HIR pages
    ghosts: Pages = OrderedDict()  # HIR pages that are out, but still on the stack

    def prune() -> None:
        while stack and next(iter(stack)) not in lir:
            ghosts.pop(_drop_oldest(stack), None)

    for page in run:
        hit = page in lir or page in queue
        if not hit and run.miss():
            out = run.evict_oldest(queue)
            if out in stack:
                ghosts[out] = 0
        promoted = (
            page in lir or page in ghosts or (page in queue and page in stack) or (not hit and len(lir) < lir_max)
        )
        stack[page] = 0
        stack.move_to_end(page)
        queue.pop(page, None)
        ghosts.pop(page, None)
        if promoted:
            lir.add(page)
            if len(lir) > lir_max:
                prune()
                oldest = _drop_oldest(stack)
                lir.remove(oldest)
                queue[oldest] = 0
            prune()
        else:
            queue[page] = 0
        while len(stack) > 2 * run.capacity and ghosts:
            del stack[_drop_oldest(ghosts)]


def w_tinylfu(run: Run) -> None:
    """W-TinyLFU (Einziger, Friedman and Manes 2017), with a count for every page in the place of the sketch."""
    window_max = max(1, run.capacity // 100)
    protected_max = (run.capacity - window_max) * 4 // 5
    window: Pages = OrderedDict()
    probation: Pages = OrderedDict()
    protected: Pages = OrderedDict()
    popularity: dict[int, int] = {}
    for page in run:
        popularity[page] = min(popularity.get(page, 0) + 1, 15)
        if (run.now + 1) % (10 * run.capacity) == 0:
            popularity = {known: times // 2 for known, times in popularity.items()}
        if page in window:
            window.move_to_end(page)
        elif page in probation or page in protected:
            probation.pop(page, None)
            protected[page] = 0
            protected.move_to_end(page)
            if len(protected) > protected_max:
                probation[_drop_oldest(protected)] = 0
        else:
            full = run.miss()
            window[page] = 0
            if len(window) <= window_max:
                continue
            leaving, main = _drop_oldest(window), probation or protected
            if not full:
                probation[leaving] = 0
            elif main and popularity[leaving] > popularity[next(iter(main))]:
                run.evict_oldest(main)
                probation[leaving] = 0
            else:
                run.evict(leaving)


def belady(run: Run) -> None:
    """Evict the page that is needed last (Belady 1966): no policy misses less. Of equals, the lowest number."""
    never = len(run.requests)
    later: dict[int, int] = {}
    next_use = [0] * never
    for at in range(never - 1, -1, -1):
        next_use[at] = later.get(run.requests[at], never)
        later[run.requests[at]] = at
    cache: dict[int, int] = {}
    order: list[tuple[int, int]] = []
    for page in run:
        if page not in cache and run.miss():
            while cache.get((top := heapq.heappop(order))[1]) != -top[0]:
                pass
            del cache[run.evict(top[1])]
        cache[page] = next_use[run.now]
        heapq.heappush(order, (-cache[page], page))


POLICIES: dict[str, Callable[[Run], None]] = {
    "fifo": fifo,
    "lru": lru,
    "clock": clock,
    "lfu": lfu,
    "2q": two_q,
    "sieve": sieve,
    "s3-fifo": s3_fifo,
    "arc": arc,
    "lirs": lirs,
    "w-tinylfu": w_tinylfu,
    "belady": belady,
}


def run(name: str, requests: Sequence[int], _pages: int, capacity: int) -> tuple[tuple[int, int], int]:
    """Serve ``requests`` from an empty cache; return (requests, misses) and the digest of the evictions."""
    served = Run(requests, capacity)
    POLICIES[name](served)
    return (len(requests), served.misses), served.trail
