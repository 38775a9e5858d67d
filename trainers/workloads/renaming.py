"""The same rows with other names: pages, tasks and streams are numbers, and which numbers is nobody's business."""

from __future__ import annotations

import hashlib
import random
from array import array
from dataclasses import replace

from trainers.arenas.registry import kind_of
from trainers.workloads.format import Workload

__all__ = ["renamed"]

SEED = 1


def renamed(workload: Workload) -> Workload | None:
    """Return the workload with its names dealt out anew, always in the same way; None where rows have none.

    It is for running only: pages are no longer numbered by first appearance, as a file wants them.
    """
    codec, rng = kind_of(workload.kind).codec, random.Random(SEED)
    if not codec.names:
        return None
    words = array("I", workload.words)
    for place in codec.names:
        column = words[place :: codec.width]
        used = sorted(set(column))
        dealt = used.copy()
        rng.shuffle(dealt)
        other = dict(zip(used, dealt, strict=True))
        words[place :: codec.width] = array("I", (other[name] for name in column))
    identity = hashlib.sha256(f"renamed {SEED} {workload.id}".encode()).hexdigest()
    return replace(workload, id=identity, words=words)
