"""Run libcachesim's Python plugin hook with LRU and S3-FIFO: ``plugin_hook.py TRACE CAPACITY``; prints JSON.

Run by the Python of an environment of its own. Both policies are written as its documentation writes them: ordered
dictionaries, a hook for each event.
"""

from __future__ import annotations

import json
import sys
import time
from collections import OrderedDict
from typing import Any

import libcachesim


class Lru:
    """The order of use, oldest first."""

    def __init__(self, _capacity: int) -> None:
        self.pages: OrderedDict[int, None] = OrderedDict()

    def hit(self, page: int) -> None:
        """Make it the newest."""
        self.pages.move_to_end(page)

    def miss(self, page: int) -> None:
        """Take it in."""
        self.pages[page] = None

    def evict(self) -> int:
        """Return the oldest."""
        return self.pages.popitem(last=False)[0]

    def remove(self, page: int) -> None:
        """Forget a page."""
        self.pages.pop(page, None)


class S3Fifo(Lru):
    """Yang et al. 2023: a small queue, a main queue, a ghost queue; two bits of frequency."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.small: OrderedDict[int, int] = OrderedDict()
        self.main: OrderedDict[int, int] = OrderedDict()
        self.ghost: OrderedDict[int, None] = OrderedDict()
        self.small_max = max(1, capacity // 10)
        self.ghost_max = capacity * 9 // 10

    def hit(self, page: int) -> None:
        """Count to three."""
        queue = self.small if page in self.small else self.main
        queue[page] = min(queue[page] + 1, 3)

    def miss(self, page: int) -> None:
        """Take it in: to the main queue if the ghost knows it."""
        if page in self.ghost:
            del self.ghost[page]
            self.main[page] = 0
        else:
            self.small[page] = 0

    def evict(self) -> int:
        """Return the first that nobody asked for."""
        while True:
            if len(self.small) >= self.small_max or not self.main:
                page, count = self.small.popitem(last=False)
                if count > 1:
                    self.main[page] = 0
                    continue
                self.ghost[page] = None
                if len(self.ghost) > self.ghost_max:
                    self.ghost.popitem(last=False)
                return page
            page, count = self.main.popitem(last=False)
            if not count:
                return page
            self.main[page] = count - 1

    def remove(self, page: int) -> None:
        """Forget a page."""
        self.small.pop(page, None)
        self.main.pop(page, None)


def timed(policy: type[Lru], trace: str, capacity: int) -> dict[str, Any]:
    """Return requests, misses and processor seconds."""
    cache = libcachesim.PluginCache(
        cache_size=capacity,
        cache_init_hook=lambda _params: policy(capacity),
        cache_hit_hook=lambda data, request: data.hit(request.obj_id),
        cache_miss_hook=lambda data, request: data.miss(request.obj_id),
        cache_eviction_hook=lambda data, _request: data.evict(),
        cache_remove_hook=lambda data, page: data.remove(page),
        cache_free_hook=lambda _data: None,
        hashpower=16,
    )
    reader = libcachesim.TraceReader(
        trace, libcachesim.TraceType.ORACLE_GENERAL_TRACE, libcachesim.ReaderInitParam(ignore_obj_size=True)
    )
    began = time.process_time()
    ratio, _ = cache.process_trace(reader)
    return {"miss_ratio": ratio, "seconds": time.process_time() - began}


if __name__ == "__main__":
    where, pages = sys.argv[1], int(sys.argv[2])
    print(json.dumps({name: timed(policy, where, pages) for name, policy in (("lru", Lru), ("s3-fifo", S3Fifo))}))
