"""The sharing experiment: every arm in every setting on every workload with every seed, over several processes.

::

    cells (setting, workload, seed) ──▶ worker processes: all arms of a cell ──▶ Records ──▶ effects by arm

A cell's arms share what they ran (`memory`), so a program that several arms come to is evaluated once; in `late`
the strangers of one cell are those who were early in the next. Each cell follows from its own seed, so the number
of processes changes nothing but the time.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from trainers.arenas.classics import classics
from trainers.arenas.evaluators import Evaluators
from trainers.experiment.arms import ACROSS_KINDS, ARMS, CONTROL, SHUFFLED
from trainers.experiment.fleet import Outcome, run, run_late, searched
from trainers.experiment.member import Member, Snapshot
from trainers.experiment.memory import RememberingEvaluators
from trainers.experiment.roles import Foreign
from trainers.experiment.settings import Pair, Plan, Setting, plans
from trainers.experiment.statistics import Effect, effect

__all__ = ["Cell", "Design", "Record", "effects", "fleet_effects", "imports", "records", "scores", "worths"]

SEARCHED_MAX = 32  # fleets that this process remembers, more than a kind has workloads; a megabyte each
_searched: OrderedDict[tuple[Any, ...], tuple[Snapshot, ...]] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Design:
    """What is compared."""

    pairs: tuple[Pair, ...]
    settings: tuple[Setting, ...] = tuple(Setting)
    arms: tuple[str, ...] = tuple(ARMS)
    nodes: int = 4
    evaluations: int = 2000  # of each node
    seeds: int = 10
    abroad: tuple[Pair, ...] = ()  # workloads of other kinds, for the arms `foreign` and `scrambled`
    leave_one_out: bool = False  # run the arm ``all`` again without each node's gifts

    def cells(self) -> list[Cell]:
        """Return the independent parts, seeds outermost, so that an interrupted experiment is balanced.

        Around each workload one; in `workloads` so many that each is some node's.
        """
        return [
            Cell(self, setting, at, seed)
            for seed in range(1, self.seeds + 1)
            for setting in self.settings
            for at in range(0, len(self.pairs), self.nodes if setting is Setting.WORKLOADS else 1)
        ]


@dataclass(frozen=True, slots=True)
class Cell:
    """One setting around one workload with one seed."""

    design: Design
    setting: Setting
    at: int
    seed: int

    @property
    def elsewhere(self) -> Pair | None:
        """The strangers' workload; None where the nodes are strangers to each other already, or there is no other."""
        pairs = self.design.pairs
        return None if self.setting is Setting.WORKLOADS or len(pairs) < 2 else pairs[(self.at + 1) % len(pairs)]

    def abroad(self) -> list[Cell]:
        """Return where the givers of foreign patterns searched: a workload of each other kind, another each seed."""
        by_kind: dict[str, list[Pair]] = {}
        for pair in self.design.abroad:
            by_kind.setdefault(pair.train.kind, []).append(pair)
        there = (pairs[self.seed % len(pairs)] for pairs in by_kind.values())
        return [replace(self, design=replace(self.design, pairs=(pair,)), at=0) for pair in there]

    def arms(self) -> list[str]:
        """Return the arms that can be: strangers need another workload, and foreigners have to be early."""
        late = self.setting is Setting.LATE and bool(self.design.abroad)
        return [
            arm for arm in self.design.arms
            if (arm != SHUFFLED or self.elsewhere is not None) and (arm not in ACROSS_KINDS or late)
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """What one arm came to in one cell; ``silent`` names the node whose gifts were left out."""

    setting: Setting
    workload: str
    seed: int
    arm: str
    silent: str
    outcomes: tuple[Outcome, ...]

    @property
    def fleet(self) -> float:
        """Hidden score of the node whose own evidence is best: what the fleet would hand over."""
        return max((outcome for outcome in self.outcomes if outcome.counted), key=lambda one: one.evidence).hidden


def records(design: Design, *, processes: int) -> Iterator[list[Record]]:
    """Run the experiment; yield each cell's records, seeds outermost. Order and content are the seed's."""
    cells = design.cells()
    if processes <= 1:
        yield from map(_cell, cells)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(_cell, cells)


def scores(found: Sequence[Record], setting: Setting, arm: str, silent: str = "") -> dict[str, list[float]]:
    """Return the hidden scores of an arm in a setting: by workload that was searched for, one a seed."""
    by_workload: dict[str, list[float]] = {}
    for (workload, _seed), score in _by_unit(found, setting, arm, silent).items():
        by_workload.setdefault(workload, []).append(score)
    return by_workload


def effects(found: Sequence[Record], setting: Setting) -> dict[str, Effect]:
    """Return what each arm adds to the hidden scores of nodes in a setting, against no sharing."""
    return {
        arm: _paired(_by_unit(found, setting, arm), _by_unit(found, setting, CONTROL)) for arm in _arms(found, setting)
    }


def fleet_effects(found: Sequence[Record], setting: Setting) -> dict[str, Effect]:
    """Return what each arm adds to what fleets hand over, where all nodes of each search for the same."""

    def fleets(arm: str) -> dict[tuple[str, int], float]:
        return {key: record.fleet for key, record in _by_cell(found, setting, arm)}

    return {arm: _paired(fleets(arm), fleets(CONTROL)) for arm in _arms(found, setting)}


def _arms(found: Sequence[Record], setting: Setting) -> list[str]:
    return list(dict.fromkeys(one.arm for one in found if one.setting is setting and one.arm != CONTROL))


def _paired(with_it: Mapping[tuple[str, int], float], without: Mapping[tuple[str, int], float]) -> Effect:
    differences: dict[str, list[float]] = {}
    for (workload, seed), score in with_it.items():
        differences.setdefault(workload, []).append(score - without[workload, seed])
    return effect(differences)


def imports(found: Sequence[Record], setting: Setting, arm: str) -> dict[str, dict[str, int]]:
    """Return, by kind of gift, over the nodes that count: how many were adopted, used in new bests, finally chosen.

    Refused are patterns of other kinds, by reason.
    """
    counts = {what: Counter[str]() for what in ("adopted", "refused", "used", "chosen")}
    for _of, record in _by_cell(found, setting, arm):
        for outcome in record.outcomes:
            if outcome.counted:
                counts["adopted"].update(outcome.adopted)
                counts["refused"].update(outcome.refused)
                counts["used"].update(outcome.used)
                counts["chosen"].update(outcome.chosen)
    return {what: dict(counted) for what, counted in counts.items()}


def worths(found: Sequence[Record], setting: Setting) -> dict[str, Effect]:
    """Return what each node's gifts are worth to the others: hidden scores with them less without (leave one out)."""
    whole = dict(_by_cell(found, setting, "all"))
    differences: dict[str, dict[str, list[float]]] = {}
    for record in found:
        if record.setting is setting and record.silent:
            with_it = whole[record.workload, record.seed]
            worth = _of_others(with_it, record.silent) - _of_others(record, record.silent)
            differences.setdefault(record.silent, {}).setdefault(record.workload, []).append(worth)
    return {node: effect(by_workload) for node, by_workload in sorted(differences.items())}


def _of_others(record: Record, node: str) -> float:
    return fmean(outcome.hidden for outcome in record.outcomes if outcome.counted and outcome.node != node)


def _by_unit(found: Sequence[Record], setting: Setting, arm: str, silent: str = "") -> dict[tuple[str, int], float]:
    """Return the mean hidden score of the nodes that count, by workload and seed.

    By the workload that a node searches for: in `workloads` each node of a cell has another one.
    """
    units: dict[tuple[str, int], list[float]] = {}
    for (_workload, seed), record in _by_cell(found, setting, arm, silent):
        for outcome in record.outcomes:
            if outcome.counted:
                units.setdefault((outcome.workload, seed), []).append(outcome.hidden)
    return {unit: fmean(some) for unit, some in units.items()}


def _by_cell(
    found: Sequence[Record], setting: Setting, arm: str, silent: str = ""
) -> Iterator[tuple[tuple[str, int], Record]]:
    for record in found:
        if (record.setting, record.arm, record.silent) == (setting, arm, silent):
            yield (record.workload, record.seed), record


def _cell(cell: Cell) -> list[Record]:
    nodes = _plans(cell, cell.at)
    wanted = [(arm, "") for arm in cell.arms()]
    if cell.design.leave_one_out and "all" in cell.design.arms:
        wanted += [("all", plan.node) for plan in nodes if not plan.late]
    name = nodes[0].pair.train.name
    with RememberingEvaluators() as evaluators:
        early = _early(cell, cell.at, evaluators) if cell.setting is Setting.LATE else ()
        elsewhere = (cell.at + 1) % len(cell.design.pairs)
        strangers = _early(cell, elsewhere, evaluators) if early and (SHUFFLED, "") in wanted else ()
        foreign = _mined(cell, evaluators) if any((arm, "") in wanted for arm in ACROSS_KINDS) else []
        found = []
        for arm, silent in wanted:
            if cell.setting is Setting.LATE:
                outcomes = run_late(
                    arm, nodes[-1], evaluators, seed=cell.seed, early=early, strangers=strangers, foreign=foreign,
                    silent=silent,
                )  # fmt: skip
            else:
                outcomes = run(arm, nodes, evaluators, seed=cell.seed, elsewhere=cell.elsewhere, silent=silent)
            found.append(Record(cell.setting, name, cell.seed, arm, silent, tuple(outcomes)))
        return found


def _mined(cell: Cell, evaluators: Evaluators) -> list[Foreign]:
    """Return the patterns of those who searched for other kinds as long as the cell's own were early."""
    members = [
        Member.resumed(snapshot, evaluators) for abroad in cell.abroad() for snapshot in _early(abroad, 0, evaluators)
    ]
    return [
        Foreign(member.kind.name, f"{member.kind.name}/{member.plan.node}", pattern)
        for member in members
        for pattern in member.patterns()
    ]


def _plans(cell: Cell, at: int) -> list[Plan]:
    """Return the nodes of a cell, or of the one around another workload."""
    design = cell.design
    names = tuple(classics(design.pairs[at].train.kind))
    return plans(
        cell.setting, design.pairs, at, names, nodes=design.nodes, evaluations=design.evaluations, seed=cell.seed
    )


def _early(cell: Cell, at: int, evaluators: Evaluators) -> tuple[Snapshot, ...]:
    """Return who was early around a workload, kept for the next cell, whose strangers or early ones they are."""
    nodes = tuple(plan for plan in _plans(cell, at) if not plan.late)
    key = (cell.seed, nodes[0].pair.train.id, *((plan.seeds, plan.evaluations) for plan in nodes))
    if key not in _searched:
        _searched[key] = searched(nodes, evaluators, seed=cell.seed)
        if len(_searched) > SEARCHED_MAX:
            _searched.popitem(last=False)
    return _searched[key]
