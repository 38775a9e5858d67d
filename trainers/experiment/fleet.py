"""One run: a setting, an arm and a seed; rounds of search with an exchange after each, then every node's choice.

::

    round: every node searches ─▶ exchange(table) ─▶ … until all budgets are spent ─▶ choose ─▶ hidden score
    late:  the others' rounds by themselves ─▶ the newcomer is given everything ─▶ its own rounds
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trainers.arenas.evaluators import Evaluators
from trainers.experiment.arms import ARMS, CONTROL, SHUFFLED, Table
from trainers.experiment.member import Member, hidden_score
from trainers.experiment.settings import Pair, Plan
from trainers.policy.source import component_id

__all__ = ["Outcome", "run", "searched"]

ROUND_EVALUATIONS = 50


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one node came to."""

    node: str
    workload: str
    counted: bool
    hidden: float  # gap closed on the part that nobody searched on
    evidence: float  # mean of the measures its choice was made by, on the train part
    component: str
    evaluations: int
    adopted: int
    imported: int  # improvements whose program goes back to something imported
    helped: int


def run(
    arm: str,
    plans: Sequence[Plan],
    evaluators: Evaluators,
    *,
    seed: int,
    elsewhere: Pair | None = None,
    silent: str = "",
    early: Sequence[Member] = (),
) -> list[Outcome]:
    """Return the outcome of every node; ``elsewhere`` is the strangers' workload in the arm ``shuffled``.

    ``early`` are the nodes that `searched` before the late ones come: what they found is the same for every arm.
    """
    members = [*early, *(Member(plan, evaluators, seed) for plan in plans if plan.late or not early)]
    strangers: list[Member] = []
    if arm == SHUFFLED and elsewhere is not None:
        strangers = [Member(replace(plan, pair=elsewhere), evaluators, seed) for plan in plans if not plan.late]
    table = Table(members, strangers, silent)
    if early:
        _rounds(strangers, CONTROL, Table(strangers))
        ARMS[arm](table)
        _rounds([member for member in members if member.plan.late], arm, table)
    else:
        _rounds(members, arm, table, strangers)
    return [_outcome(member, evaluators) for member in members]


def searched(plans: Sequence[Plan], evaluators: Evaluators, *, seed: int) -> list[Member]:
    """Return the nodes that are there before the late ones, with their budgets spent, each by itself."""
    members = [Member(plan, evaluators, seed) for plan in plans if not plan.late]
    _rounds(members, CONTROL, Table(members))
    return members


def _rounds(searching: Sequence[Member], arm: str, table: Table, strangers: Sequence[Member] = ()) -> None:
    while any(member.left for member in searching):
        for member in (*searching, *strangers):
            member.search(ROUND_EVALUATIONS)
        ARMS[arm](table)


def _outcome(member: Member, evaluators: Evaluators) -> Outcome:
    spent = member.meter.evaluations
    choice = member.choose()
    island = member.study.island
    return Outcome(
        node=member.plan.node,
        workload=member.plan.pair.train.name,
        counted=member.plan.counted,
        hidden=hidden_score(evaluators, member.kind, member.plan.pair, choice.component) if choice else -1.0,
        evidence=choice.mean if choice else -1.0,
        component=component_id(choice.component) if choice else "",
        evaluations=spent,
        adopted=member.adopted,
        imported=sum(island.uses.values()),
        helped=member.helped,
    )
