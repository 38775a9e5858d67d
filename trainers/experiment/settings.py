"""Who takes part, on which workload, from which classics, with what budget: the four settings.

=========  ==================================================================================================
same       all nodes on one workload, from the same classics; only their random numbers differ
classics   all nodes on one workload, each from classics of its own
workloads  each node on a workload of its own, from the same classics
late       all but one have searched on one workload; the newcomer has an eighth of their budget, and alone counts;
           as much as that each of the others holds back to help it if it asks
=========  ==================================================================================================
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from trainers.workloads.format import Workload

__all__ = ["Pair", "Plan", "Setting", "plans"]

STARTS = 4  # classics a node starts from
LATE_SHARE = 8  # the newcomer's budget is this part of the others'


class Setting(StrEnum):
    """How the nodes of an experiment differ."""

    SAME = "same"
    CLASSICS = "classics"
    WORKLOADS = "workloads"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Pair:
    """A workload's two parts: searched on, and scored by."""

    train: Workload
    hidden: Workload


@dataclass(frozen=True, slots=True)
class Plan:
    """One node's part in an experiment."""

    node: str
    pair: Pair
    seeds: tuple[str, ...]  # names of classics
    evaluations: int
    late: bool = False  # starts when the others are done
    reserve: int = 0  # evaluations beyond the budget, for helping and nothing else
    counted: bool = True


def plans(
    setting: Setting,
    pairs: Sequence[Pair],
    at: int,
    classics: Sequence[str],
    *,
    nodes: int,
    evaluations: int,
    seed: int,
) -> list[Plan]:
    """Return the nodes of one run of ``setting`` around the workload ``pairs[at]``."""
    rng = random.Random(f"{seed}/{pairs[at].train.name}/starts")
    names = sorted(classics)
    rng.shuffle(names)
    common = tuple(names[:STARTS])
    # Dealt like cards: nobody starts where another does while there are classics left.
    own = [tuple(names[index::nodes]) or common for index in range(nodes)]
    made = []
    for index in range(nodes):
        late = setting is Setting.LATE and index == nodes - 1
        made.append(
            Plan(
                node=f"node_{index + 1}",
                pair=pairs[(at + index) % len(pairs)] if setting is Setting.WORKLOADS else pairs[at],
                seeds=own[index] if setting is Setting.CLASSICS else common,
                evaluations=evaluations // LATE_SHARE if late else evaluations,
                late=late,
                reserve=evaluations // LATE_SHARE if setting is Setting.LATE and not late else 0,
                counted=late or setting is not Setting.LATE,
            )
        )
    return made
