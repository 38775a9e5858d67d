"""What a run is counted by, and the value of those counts: integers throughout, equal on every machine.

::

    burst done ─▶ Tally ─▶ counters ─▶ value(counters, reference) = J in millionths

ln J is ⅓ [ln mean weighted response + ln p99 slowdown + ln geometric mean over length classes of mean slowdown],
each against round robin's on the same rows, plus ln of the longest wait in seconds where that is more than one;
every term is clipped to ±1.5, so that one saturated load cannot decide about a mean. Any one of these metrics alone
is gamed at once (docs/cpu-scheduling.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trainers.arenas.cpu_scheduling.form import TICK
from trainers.arenas.logarithm import CLIP, exp2_millionths, log2_ratio
from trainers.policy.arithmetic import clamp

__all__ = [
    "CLASSES",
    "COUNTERS",
    "SECOND",
    "SEED",
    "WAIT_MAX",
    "Tally",
    "mixed",
    "slowdown",
    "starved",
    "value",
]

SEED = 0x9E3779B97F4A7C15
CLASSES = 9  # of burst lengths: below 128 units, below 256, …
CLASS_FIRST = 7  # log2 of 128
SECOND = 100_000  # units
WAIT_MAX = 10 * SECOND  # a component that lets anybody wait longer fails,
WAIT_OF_REFERENCE = 4  # unless round robin's longest wait on the same rows is more than a quarter of that
SLOWDOWN_MAX = (1 << 32) - 1

_CLASS = tuple("below 128 units" if not k else f"{64 << k} units or more" for k in range(CLASSES))
# (name, unit, meaning), in the order of machine.h
COUNTERS: tuple[tuple[str, str, str], ...] = (
    ("bursts", "count", "bursts served: all of them"),
    ("weighted_response", "1/16 units", "response times, from ready to done, each times its weight"),
    ("p99_slowdown", "1/256", "the slowdown that 99 of 100 bursts do not exceed"),
    ("longest_wait", "units", "the longest time that a ready task did not run"),
    ("switches", "count", "times that a CPU changed its task"),
    ("preemptions", "count", "times that a woken task took a running one's place"),
    *((f"slowdown{k}", "1/256", f"sum of the slowdowns of bursts of {_CLASS[k]}") for k in range(CLASSES)),
)


def mixed(trail: int, value: int) -> int:
    """Add a decision to the hash of a run's behaviour."""
    trail = (trail ^ value) * SEED & (1 << 64) - 1
    return trail ^ trail >> 32


def slowdown(response: int, burst: int) -> int:
    """Return the bounded slowdown in parts of 256: response over the burst, or over a tick where that is longer."""
    return min(max(256, 256 * response // max(burst, TICK)), SLOWDOWN_MAX)


@dataclass(slots=True)
class Tally:
    """The counters while a run goes on."""

    weighted: int = 0
    longest_wait: int = 0
    switches: int = 0
    preemptions: int = 0
    by_class: list[list[int]] = field(default_factory=lambda: [[] for _ in range(CLASSES)])

    @property
    def bursts(self) -> int:
        """Bursts that are done."""
        return sum(map(len, self.by_class))

    def waited(self, units: int) -> None:
        """Count a wait that has ended."""
        self.longest_wait = max(self.longest_wait, units)

    def done(self, burst: int, weight: int, ready: int, time: int) -> None:
        """Count a burst that is done."""
        response = time - ready
        self.weighted += response * weight
        kind = min(max(burst.bit_length() - CLASS_FIRST, 0), CLASSES - 1)
        self.by_class[kind].append(slowdown(response, burst))

    def counters(self) -> dict[str, int]:
        """Return the counters by name."""
        slowdowns = sorted(one for kind in self.by_class for one in kind)
        count = len(slowdowns)
        return {
            "bursts": count,
            "weighted_response": self.weighted,
            "p99_slowdown": slowdowns[count - count // 100 - 1] if count else 0,
            "longest_wait": self.longest_wait,
            "switches": self.switches,
            "preemptions": self.preemptions,
            **{f"slowdown{k}": sum(kind) for k, kind in enumerate(self.by_class)},
        }


def value(counters: Mapping[str, int], reference: Mapping[str, int]) -> int:
    """Return J in millionths: a million is as good as ``reference``, round robin's counters on the same rows."""

    def against(name: str) -> int:
        return log2_ratio(max(1, counters[name]), max(1, reference[name]))

    # Every policy serves the same bursts, so sums compare as means do; a class without bursts has no slowdown.
    classes = [against(f"slowdown{k}") for k in range(CLASSES) if reference[f"slowdown{k}"]] or [0]
    parts = against("weighted_response"), against("p99_slowdown"), sum(classes) // len(classes)
    waited = log2_ratio(max(SECOND, counters["longest_wait"]), SECOND)
    return exp2_millionths(sum(clamp(part, -CLIP, CLIP) for part in parts) // 3 + min(waited, CLIP))


def starved(counters: Mapping[str, int], reference: Mapping[str, int]) -> str:
    """Say who waited too long: a hard limit, however good the mean is."""
    most = max(WAIT_MAX, WAIT_OF_REFERENCE * reference["longest_wait"])
    waited = counters["longest_wait"]
    return f"somebody waited {waited} units; {most} are the most" if waited > most else ""
