"""One number from the counters of a run, lower is better: 10^6 · exp(J).

::

    J = ⅓ [ ln mean latency + ln p99 latency + mean over classes of ln mean slowdown ]    each against C-LOOK
        + ln max(1, longest wait / cap)                                  kept within ±1.5

so C-LOOK has 1,000,000, unless it lets a request wait beyond the cap. A single measure is gamed at once: the mean
by starving large requests, the tail by making everyone wait, slowdowns by starving the few, and in overload all
three by forgetting somebody. Integers throughout: every machine comes to the same number.
"""

from __future__ import annotations

from collections.abc import Mapping

from trainers.arenas.io_scheduling.device import CLASSES
from trainers.arenas.logarithm import CLIP, exp2_millionths, log2_ratio

__all__ = ["CLASS_SHARE", "WAIT_CAP_US", "search_value", "starved", "value", "wait_cap_us"]

WAIT_CAP_US = {"disk": 2_000_000, "drive": 200_000}
STARVED_CAPS = 10  # a wait of so many caps is starvation, unless the default policy makes wait as long
CLASS_SHARE = 100  # a class with less than a hundredth of the requests has no say in the slowdowns


def wait_cap_us(counters: Mapping[str, int]) -> int:
    """Return the wait beyond which the score suffers."""
    return WAIT_CAP_US["disk" if counters["channels"] == 1 else "drive"]


def value(counters: Mapping[str, int], reference: Mapping[str, int]) -> int:
    """Return the composite in millionths; ``reference`` are the counters of C-LOOK on the same rows."""
    if not counters["requests"]:
        return 0
    return exp2_millionths(max(-CLIP, min(_composite(counters, reference), CLIP)))


def search_value(counters: Mapping[str, int], reference: Mapping[str, int]) -> int:
    """Return the logarithm of what `value` is before it is clipped, so that a per cent is one everywhere."""
    return _composite(counters, reference)


def _composite(counters: Mapping[str, int], reference: Mapping[str, int]) -> int:
    latency = log2_ratio(counters["latency_sum"], reference["latency_sum"])
    tail = log2_ratio(counters["latency_p99"], reference["latency_p99"])
    heard = [name for name in CLASSES if counters[f"{name}_count"] * CLASS_SHARE >= counters["requests"]]
    slowdowns = [log2_ratio(counters[f"{name}_slowdown"], reference[f"{name}_slowdown"]) for name in heard]
    late = max(0, log2_ratio(max(1, counters["wait_max"]), wait_cap_us(counters)))
    return (latency + tail + sum(slowdowns) // len(slowdowns)) // 3 + late


def starved(counters: Mapping[str, int], reference: Mapping[str, int]) -> str:
    """Return why the longest wait is too long, whatever the score: the hard limit on starvation; empty: it is not."""
    wait_max = max(STARVED_CAPS * wait_cap_us(counters), 2 * reference["wait_max"])
    if counters["wait_max"] <= wait_max:
        return ""
    return f"a request waited {counters['wait_max'] // 1000} ms; at most {wait_max // 1000} are acceptable"
