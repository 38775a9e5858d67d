"""Give memory back that a crowd has left free: what is no longer used shall not look used.

glibc keeps what was freed between two blocks in use; after a thousand readers that stalled that were 740 of 817 MB
of the process. ``malloc_trim`` returns those pages. Without glibc nothing is done.
"""

from __future__ import annotations

import ctypes
import gc
import sys

__all__ = ["give_back"]

_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def give_back() -> None:
    """Free cyclic garbage (amqtt's plugin sessions are that) and return free pages; some ms, so call it rarely."""
    gc.collect()
    if _TRIM is not None:
        _TRIM(0)
