"""What a fleet reaches on hidden workloads, beside the best baseline: one fleet a workload, from classics of its own.

::

    kind's workloads ─▶ a node's evaluations, in equal shares or for each ─▶ a fleet each (`classics`)
                         └▶ the node whose own evidence is best hands over its choice ─▶ hidden value ─▶ Row

A baseline picked on the train part is what one would run without any search; the best in hindsight is picked by the
hidden part itself, which nobody could have.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import fmean
from typing import Any

from trainers.arenas.classics import classics
from trainers.experiment.fleet import run
from trainers.experiment.memory import RememberingEvaluators
from trainers.experiment.settings import Pair, Setting, plans
from trainers.search.objective import gap_closed
from trainers.yardstick import Yardstick

__all__ = ["Budget", "Row", "as_json", "as_text", "rows", "taken_up"]

EVEN = 0.005  # of the gap: less than that is neither won nor lost


@dataclass(frozen=True, slots=True)
class Budget:
    """What a fleet may spend."""

    nodes: int = 4
    evaluations: int = 2000  # of each node
    arm: str = "all"
    each: bool = False  # so many for each workload, instead of over all of the kind

    def share(self, workloads: int) -> int:
        """Return a node's evaluations for one of so many workloads."""
        return self.evaluations if self.each else max(1, self.evaluations // workloads)


@dataclass(frozen=True, slots=True)
class Row:
    """One workload with one seed; shares of the gap between default baseline (0) and bound (1) on the hidden part."""

    workload: str
    seed: int
    evaluations: int  # of each node, for this workload
    found: float
    best_name: str  # of the baselines in hindsight
    best: float
    picked_name: str  # of the baselines, on the train part
    picked: float
    imported: bool  # whether what was handed over goes back to something imported

    def against(self, other: float) -> str:
        """Return ``won``, ``even`` or ``lost``."""
        return "won" if self.found > other + EVEN else "lost" if self.found < other - EVEN else "even"


def rows(
    pairs: Sequence[Pair], budget: Budget, *, seeds: int, processes: int, done: Collection[tuple[int, str]] = ()
) -> Iterator[Row]:
    """Run the fleets of one kind; yield a row each, seeds outermost. Order and content are the seed's.

    ``done`` are seeds and names of workloads that are left out.
    """
    work = [
        (seed, at)
        for seed in range(1, seeds + 1)
        for at, pair in enumerate(pairs)
        if (seed, pair.train.name) not in done
    ]
    one = partial(_row, tuple(pairs), budget)
    if processes <= 1:
        yield from map(one, work)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(one, work)


def as_text(kind: str, found: Sequence[Row]) -> str:
    """Return the table of one kind and its sums."""
    lines = [f"{kind:<18} {'found':>6}  {'best baseline':<18} {'':<5} {'picked on train':<18}"]
    for name in dict.fromkeys(row.workload for row in found):
        mine = [row for row in found if row.workload == name]
        best, picked = (f"{fmean(getattr(row, key) for row in mine):6.3f}" for key in ("best", "picked"))
        against = "/".join(str(sum(row.against(row.best) == how for row in mine)) for how in ("won", "even", "lost"))
        lines.append(
            f"  {name:<16} {fmean(row.found for row in mine):6.3f}  {mine[0].best_name:<11} {best} {against:<5}"
            f" {mine[0].picked_name:<11} {picked}"
        )
    sums = summary(found)
    lines.append(
        f"  mean             {sums['found']:6.3f}  best {sums['best']:.3f}: {_told(sums['against_best'])};"
        f" picked {sums['picked']:.3f}: {_told(sums['against_picked'])}"
    )
    return "\n".join(lines)


def as_json(kind: str, budget: Budget, found: Sequence[Row]) -> dict[str, Any]:
    """Return the budget, every row and the sums."""
    return {"kind": kind, **asdict(budget), **summary(found), "rows": [asdict(row) for row in found]}


def taken_up(told: dict[str, Any], budget: Budget, pairs: Sequence[Pair]) -> list[Row]:
    """Return the rows that `as_json` told; raises `ValueError` where this run would not find the same."""
    found, share = [Row(**row) for row in told["rows"]], budget.share(len(pairs))
    if {key: told[key] for key in asdict(budget)} != asdict(budget) or any(row.evaluations != share for row in found):
        raise ValueError("it has another budget")
    if not {row.workload for row in found} <= {pair.train.name for pair in pairs}:
        raise ValueError("it has other workloads")
    return found


def summary(found: Sequence[Row]) -> dict[str, Any]:
    """Return the means, and how many were won, even and lost."""
    return {
        **{key: fmean(getattr(row, key) for row in found) for key in ("found", "best", "picked")},
        **{
            f"against_{key}": {
                how: sum(row.against(getattr(row, key)) == how for row in found) for how in ("won", "even", "lost")
            }
            for key in ("best", "picked")
        },
        "imported": sum(row.imported for row in found),
    }


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {how}" for how, count in counts.items())


def _row(pairs: tuple[Pair, ...], budget: Budget, work: tuple[int, int]) -> Row:
    seed, at = work
    pair, names = pairs[at], tuple(classics(pairs[at].train.kind))
    share = budget.share(len(pairs))
    fleet = plans(Setting.CLASSICS, pairs, at, names, nodes=budget.nodes, evaluations=share, seed=seed)
    with RememberingEvaluators() as evaluators:
        chosen = max(run(budget.arm, fleet, evaluators, seed=seed), key=lambda outcome: outcome.evidence)
        yardstick = Yardstick(evaluators.of(pair.train.kind))
        values = yardstick.baselines(pair.hidden)
        kind = yardstick.kind

        def gap(name: str) -> float:
            return gap_closed(values[name], values[kind.baseline], values[kind.bound])

        best, picked = min(kind.baselines, key=values.__getitem__), yardstick.picked(pair.hidden, [pair.train])
        return Row(
            pair.train.name, seed, share, chosen.hidden, best, gap(best), picked, gap(picked),
            imported=bool(chosen.chosen),
        )  # fmt: skip
