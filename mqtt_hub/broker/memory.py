"""Give memory back that a crowd has left free: what is no longer used shall not look used.

glibc keeps what was freed between two blocks in use; after a thousand readers that stalled that were 740 of 817 MB
of the process. ``malloc_trim`` returns those pages. Without glibc nothing is done.
"""

from __future__ import annotations

import ctypes
import gc
import sys

__all__ = ["WITHOUT_THREAD_CACHES", "give_back", "keep_large_blocks_apart", "share_one_arena"]

# For the environment of a process of many threads that take turns. Each keeps freed blocks of its own, up to seven of
# each of 64 sizes: with a hundred threads that is memory that grows by 5 KiB with every request, for days.
WITHOUT_THREAD_CACHES = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}

_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
_MALLOPT = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
# amqtt's sessions are state machines that make names of methods, new strings for each. CPython remembers up to 4,096
# names that were looked up, and each keeps a pool of 16 KiB from going back. The first is there from Python 3.13 on.
_FORGET_NAMES = ("_clear_internal_caches", "_clear_type_cache")
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h
_LARGE_BYTES = 4 * 1024 * 1024  # argon2 takes 8 MiB for each login that it verifies


def keep_large_blocks_apart() -> None:
    """Have each large block returned when it is freed; glibc would keep one a thread. For a process of our own."""
    if _MALLOPT is not None:
        _MALLOPT(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def share_one_arena() -> None:
    """Have all threads take memory from one place: for a process of many threads that wait. Before they start."""
    if _MALLOPT is not None:
        _MALLOPT(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Free cyclic garbage (amqtt's plugin sessions are that), names, and free pages; some ms, so call it rarely."""
    gc.collect()
    forget = next((getattr(sys, name) for name in _FORGET_NAMES if hasattr(sys, name)), None)
    if forget is not None:
        forget()
    if _TRIM is not None:
        _TRIM(0)
