"""Families of requests that `kernel-trainer workload generate` makes: those of `trainers.workloads.generate_io`.

NAME asks a drive of four channels, disk-NAME the same of a disk, paced to what it can do.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from types import MappingProxyType

from trainers.workloads import generate_io
from trainers.workloads.families import Family
from trainers.workloads.requests import Row, pace

__all__ = ["FAMILIES"]


def _family(load: generate_io.Family, channels: int) -> Family:
    def rows(rng: random.Random, length: int) -> Iterable[Row]:
        share = load.disk_load if channels == 1 else load.drive_load
        return pace(generate_io.merged(load.sources(rng), length), channels, share)

    meaning = (load.sources.__doc__ or "").strip().rstrip(".")
    return Family(rows, f"{meaning}; a unit is 1 us", generate_io.ROWS, channels)


FAMILIES = MappingProxyType(
    {
        name if channels > 1 else f"disk-{name}": _family(load, channels)
        for name, load in generate_io.FAMILIES.items()
        for channels in load.devices
    }
)
