"""Effects with intervals: paired differences, bootstrapped over seeds and over workloads (Efron 1979, percentile).

A unit is one (workload, seed): the mean over its counted nodes with an arm, less the same without sharing. Seeds
vary much more than arms do, so only pairs are compared. The first interval resamples the seeds within each
workload, which is about these workloads; the second resamples the workloads too, which is about others like them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

__all__ = ["Effect", "Interval", "effect"]

RESAMPLES = 4_000
CONFIDENCE = 0.95

Differences = Mapping[str, Sequence[float]]  # by workload, one a seed


@dataclass(frozen=True, slots=True)
class Interval:
    """A percentile interval."""

    low: float
    high: float

    def beyond_zero(self) -> str:
        """Return ``+`` or ``-`` where zero is outside, else an empty string."""
        return "+" if self.low > 0 else "-" if self.high < 0 else ""


@dataclass(frozen=True, slots=True)
class Effect:
    """The mean of paired differences and how sure it is."""

    mean: float
    seeds: Interval  # for these workloads
    workloads: Interval  # for others like them
    pairs: int


def effect(differences: Differences) -> Effect:
    """Return the effect, the same each time; raises `ValueError` where nothing is given."""
    groups = [list(values) for values in differences.values() if values]
    if not groups:
        raise ValueError("no differences")
    rng = random.Random(20260101)
    within = [fmean(_within(groups, rng)) for _ in range(RESAMPLES)]
    between = [fmean(_within(rng.choices(groups, k=len(groups)), rng)) for _ in range(RESAMPLES)]
    return Effect(
        mean=fmean(fmean(values) for values in groups),
        seeds=_percentiles(within),
        workloads=_percentiles(between),
        pairs=sum(map(len, groups)),
    )


def _within(groups: Sequence[Sequence[float]], rng: random.Random) -> list[float]:
    """Return each group's mean over seeds drawn anew."""
    return [fmean(rng.choices(values, k=len(values))) for values in groups]


def _percentiles(means: list[float]) -> Interval:
    means.sort()
    tail = (1 - CONFIDENCE) / 2
    return Interval(means[int(tail * (len(means) - 1))], means[round((1 - tail) * (len(means) - 1))])
