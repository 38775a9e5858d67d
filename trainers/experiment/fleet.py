"""One run: a setting, an arm and a seed; rounds of search with an exchange after each, then every node's choice.

::

    round: every node searches ─▶ exchange(table) ─▶ … until all budgets are spent ─▶ choose ─▶ hidden score
    late:  the others' rounds by themselves ─▶ snapshots, the same for every arm ─┐
           the newcomer measures its own starts ─▶ exchange ─▶ a quarter of its budget ─▶ exchange ─▶ …
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from trainers.arenas.evaluators import Evaluators
from trainers.experiment.arms import ARMS, CONTROL, SHUFFLED, Table
from trainers.experiment.member import Member, Snapshot, hidden_score
from trainers.experiment.roles import Foreign
from trainers.experiment.settings import Pair, Plan
from trainers.policy.source import component_id

__all__ = ["Outcome", "run", "run_late", "searched"]

ROUND_EVALUATIONS = 50
LATE_ROUNDS = 4  # a newcomer's budget is small: it is given something as often as that


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one node came to; gifts are counted by their kind."""

    node: str
    workload: str
    counted: bool
    hidden: float  # gap closed on the part that nobody searched on
    evidence: float  # mean of the measures its choice was made by, on the train part
    component: str
    evaluations: int
    adopted: Mapping[str, int]  # evaluated here, or there to be grafted
    used: Mapping[str, int]  # improvements whose program goes back to one
    chosen: tuple[str, ...]  # that the final choice goes back to
    helped: int
    refused: Mapping[str, int]  # patterns of other kinds that say nothing here, by reason


def run(
    arm: str,
    plans: Sequence[Plan],
    evaluators: Evaluators,
    *,
    seed: int,
    elsewhere: Pair | None = None,
    silent: str = "",
) -> list[Outcome]:
    """Return the outcome of every node; ``elsewhere`` is the strangers' workload in the arm ``shuffled``."""
    members = [Member(plan, evaluators, seed) for plan in plans]
    strangers: list[Member] = []
    if arm == SHUFFLED and elsewhere is not None:
        strangers = [Member(replace(plan, pair=elsewhere), evaluators, seed) for plan in plans]
    _rounds([*members, *strangers], arm, Table(members, strangers, silent=silent), ROUND_EVALUATIONS)
    return [_outcome(member, evaluators) for member in members]


def run_late(
    arm: str,
    plan: Plan,
    evaluators: Evaluators,
    *,
    seed: int,
    early: Sequence[Snapshot],
    strangers: Sequence[Snapshot] = (),
    foreign: Sequence[Foreign] = (),
    silent: str = "",
) -> list[Outcome]:
    """Return the outcome of a newcomer, and of those who were there ``early``; nobody else searches any more.

    ``foreign`` is what was mined by nodes of other kinds.
    """
    there = [Member.resumed(snapshot, evaluators) for snapshot in early]
    others = [Member.resumed(snapshot, evaluators) for snapshot in strangers] if arm == SHUFFLED else []
    newcomer = Member(plan, evaluators, seed)
    newcomer.search(len(plan.seeds))  # before it has something of its own, nothing can be put into it
    table = Table([*there, newcomer], others, foreign, silent)
    ARMS[arm](table)
    _rounds([newcomer], arm, table, max(1, plan.evaluations // LATE_ROUNDS))
    return [_outcome(member, evaluators) for member in (*there, newcomer)]


def searched(plans: Sequence[Plan], evaluators: Evaluators, *, seed: int) -> tuple[Snapshot, ...]:
    """Return the nodes that are there before the late ones, with their budgets spent, each by itself."""
    members = [Member(plan, evaluators, seed) for plan in plans if not plan.late]
    _rounds(members, CONTROL, Table(members), ROUND_EVALUATIONS)
    return tuple(member.snapshot() for member in members)


def _rounds(searching: Sequence[Member], arm: str, table: Table, evaluations: int) -> None:
    while any(member.left for member in searching):
        for member in searching:
            member.search(evaluations)
        ARMS[arm](table)


def _outcome(member: Member, evaluators: Evaluators) -> Outcome:
    spent = member.meter.evaluations
    choice = member.choose()
    return Outcome(
        node=member.plan.node,
        workload=member.plan.pair.train.name,
        counted=member.plan.counted,
        hidden=hidden_score(evaluators, member.kind, member.plan.pair, choice.component) if choice else -1.0,
        evidence=choice.mean if choice else -1.0,
        component=component_id(choice.component) if choice else "",
        evaluations=spent,
        adopted=dict(member.adopted),
        used=dict(member.used()),
        chosen=member.gifts_in(choice) if choice else (),
        helped=member.helped,
        refused=dict(member.refused),
    )
