"""What a process takes of its machine, from ``/proc`` (Linux): memory, descriptors, threads, processor time.

Of the memory, *anonymous* is what a leak would show in: heap and stacks. RSS counts files that are mapped too, PSS
divides those by their users, so both move when another process of the same program comes or goes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Footprint", "family", "footprint"]

_TICKS_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Footprint:
    """One process at one moment; memory in KiB. ``anonymous`` counts what was swapped out as well."""

    pid: int
    rss: int
    pss: int
    uss: int
    anonymous: int
    descriptors: int
    threads: int
    cpu_s: float


def footprint(pid: int) -> Footprint:
    """Return what a process takes; raises `OSError` when it has gone."""
    place = Path(f"/proc/{pid}")
    pairs = [line.split() for line in (place / "smaps_rollup").read_text().splitlines()[1:]]
    kib = {words[0].rstrip(":"): int(words[1]) for words in pairs}
    # The name of a program may have spaces and brackets: fields are counted from behind it.
    fields = (place / "stat").read_text().rpartition(")")[2].split()
    return Footprint(
        pid,
        rss=kib["Rss"],
        pss=kib["Pss"],
        uss=kib["Private_Clean"] + kib["Private_Dirty"],
        anonymous=kib["Anonymous"] + kib["Swap"],
        descriptors=len(os.listdir(place / "fd")),  # noqa: PTH208 — only how many
        threads=int(fields[17]),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_S,
    )


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that it has started, in the order of their start."""
    yield pid
    try:
        children = [
            int(child)
            for task in sorted(Path(f"/proc/{pid}/task").iterdir())
            for child in (task / "children").read_text().split()
        ]
    except OSError:  # it has just gone
        return
    for child in sorted(children):
        yield from family(child)
