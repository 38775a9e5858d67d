"""What nodes give each other after each round, one function an arm; `ARMS` is the whole list.

========  ===================================================================================================
isolated  nothing
patterns  what each best program cannot do without (ablation), grafted by the others
functions single functions of each best program, tried in the others' best
programs  each best program
requests  who is stuck asks; one helper spends its own budget on the problem
all       programs, functions, patterns and requests
shuffled  as many programs, but of strangers who search for another workload: is it what is given, or that it is?
========  ===================================================================================================

An item is given once. Whatever is taken is evaluated here first, and paid for by the taker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from trainers.experiment.member import Member
from trainers.policy.source import component_id
from trainers.policy.tree import Component

__all__ = ["ARMS", "CONTROL", "SHUFFLED", "Exchange", "Table"]

CONTROL = "isolated"
SHUFFLED = "shuffled"


@dataclass(slots=True)
class Table:
    """Where things are exchanged: who sits at it, who is silent, and what was given already."""

    members: Sequence[Member]
    strangers: Sequence[Member] = ()  # who search for another workload, in the arm `shuffled`
    silent: str = ""  # a node whose gifts are left out, to see what they are worth
    given: set[tuple[str, str, str]] = field(default_factory=set)  # what, giver, component

    def gifts(self, what: str, givers: Sequence[Member]) -> Iterator[tuple[Member, Component]]:
        """Yield each giver's best program, unless it was given as ``what`` before."""
        for giver in givers:
            best = giver.best
            if best is None or giver.plan.node == self.silent:
                continue
            key = (what, giver.plan.node, component_id(best))
            if key not in self.given:
                self.given.add(key)
                yield giver, best

    def others(self, giver: Member) -> list[Member]:
        """Return who may take from a giver: everybody else whose kind it is."""
        return [member for member in self.members if member is not giver and member.kind is giver.kind]


Exchange: TypeAlias = Callable[[Table], None]


def _isolated(_table: Table) -> None:
    return


def _programs(table: Table) -> None:
    for giver, best in list(table.gifts("program", table.members)):
        for member in table.others(giver):
            member.take_programs([best])


def _functions(table: Table) -> None:
    for giver, best in list(table.gifts("functions", table.members)):
        for member in table.others(giver):
            member.take_functions(best)


def _patterns(table: Table) -> None:
    for giver, _best in list(table.gifts("patterns", table.members)):
        mined = giver.patterns()
        for member in table.others(giver):
            member.take_patterns(mined, giver.plan.node)


def _requests(table: Table) -> None:
    """Ask whoever has most budget left of those who are not stuck themselves."""
    stuck = [member for member in table.members if member.left and member.stuck()]
    for requester in stuck:
        free = [
            member
            for member in table.others(requester)
            if member.left and member not in stuck and member.plan.node != table.silent
        ]
        if free:
            found = max(free, key=lambda member: (member.left, -member.helped)).help(requester)
            requester.take_programs([found] if found else [])


def _shuffled(table: Table) -> None:
    strangers = list(table.gifts("program", table.strangers))
    for giver, best in strangers:
        for member in table.members:
            if member.plan.node != giver.plan.node:
                member.take_programs([best])


def _all(table: Table) -> None:
    for exchange in (_programs, _functions, _patterns, _requests):
        exchange(table)


ARMS: dict[str, Exchange] = {
    CONTROL: _isolated,
    "patterns": _patterns,
    "functions": _functions,
    "programs": _programs,
    "requests": _requests,
    "all": _all,
    SHUFFLED: _shuffled,
}
