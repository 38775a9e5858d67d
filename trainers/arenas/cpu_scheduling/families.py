"""Families of jobs that `kernel-trainer workload generate` makes: those of `trainers.workloads.generate_cpu`."""

from __future__ import annotations

import random
from collections.abc import Iterable
from types import MappingProxyType

from trainers.workloads import generate_cpu
from trainers.workloads.families import Family
from trainers.workloads.jobs import Row, rows_of

__all__ = ["FAMILIES"]


def _family(load: generate_cpu.Family) -> Family:
    def rows(rng: random.Random, length: int) -> Iterable[Row]:
        return rows_of(load.jobs(rng, length))

    return Family(rows, f"{load.meaning}; a unit is 10 us", load.length, load.cpus)


FAMILIES = MappingProxyType({name: _family(load) for name, load in generate_cpu.FAMILIES.items()})
