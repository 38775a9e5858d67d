"""What nodes give each other after each round, one function an arm; `ARMS` is the whole list.

========  ===================================================================================================
isolated  nothing
patterns  what each best program cannot do without (ablation), grafted by the others
functions single functions of each best program, tried in the others' best
programs  each best program
requests  who is stuck asks; one helper spends its own budget on the problem
all       programs, functions, patterns and requests
shuffled  as many programs, but of strangers who search for another workload: is it what is given, or that it is?
foreign   patterns of nodes that searched for other kinds, read by the roles of features (`roles`); only in `late`
scrambled the same patterns over features of other roles: is it what is said, or that something is?
========  ===================================================================================================

Programs and patterns are given once; functions again in whatever is the taker's best by then. Whatever is taken is
evaluated here first, and paid for by the taker; who has no budget left is given nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from trainers.experiment.member import ANSWER, Member
from trainers.experiment.roles import Foreign, Reading, scramble, translate
from trainers.policy.source import component_id
from trainers.policy.tree import Component

__all__ = ["ACROSS_KINDS", "ARMS", "CONTROL", "SHUFFLED", "Exchange", "Table"]

CONTROL = "isolated"
SHUFFLED = "shuffled"
FOREIGN, SCRAMBLED = ACROSS_KINDS = ("foreign", "scrambled")  # somebody must have searched for another kind before


@dataclass(slots=True)
class Table:
    """Where things are exchanged: who sits at it, who is silent, and what was given already."""

    members: Sequence[Member]
    strangers: Sequence[Member] = ()  # who search for another workload, in the arm `shuffled`
    foreign: Sequence[Foreign] = ()  # what was mined in other kinds
    silent: str = ""  # a node whose gifts are left out, to see what they are worth
    given: set[tuple[str, str, str]] = field(default_factory=set)  # what, giver, component

    def givers(self, members: Sequence[Member]) -> Iterator[tuple[Member, Component]]:
        """Yield who is not silent, has something, and has somebody to give it to; and its best program."""
        for giver in members:
            best = giver.best
            if best is not None and giver.plan.node != self.silent and self.takers(giver):
                yield giver, best

    def gifts(self, what: str, members: Sequence[Member]) -> Iterator[tuple[Member, Component]]:
        """Yield each giver's best program, unless it was given as ``what`` before."""
        for giver, best in self.givers(members):
            key = (what, giver.plan.node, component_id(best))
            if key not in self.given:
                self.given.add(key)
                yield giver, best

    def takers(self, giver: Member) -> list[Member]:
        """Return who may take from a giver: everybody else whose kind it is and who can pay."""
        return [
            member
            for member in self.members
            if member.plan.node != giver.plan.node and member.kind is giver.kind and member.left
        ]

    def helpers(self, requester: Member, stuck: Sequence[Member]) -> list[Member]:
        """Return who can help: everybody else whose kind it is, who has something to spare and is not stuck."""
        return [
            member
            for member in self.members
            if member.kind is requester.kind and member.spare and member not in stuck
            and member.plan.node not in (requester.plan.node, self.silent)
        ]  # fmt: skip


Exchange: TypeAlias = Callable[[Table], None]


def _isolated(_table: Table) -> None:
    return


def _programs(table: Table) -> None:
    for giver, best in list(table.gifts("program", table.members)):
        for member in table.takers(giver):
            member.take_programs([best])


def _functions(table: Table) -> None:
    for giver, best in list(table.givers(table.members)):
        for member in table.takers(giver):
            member.take_function(best)


def _patterns(table: Table) -> None:
    for giver, _best in list(table.gifts("patterns", table.members)):
        mined = giver.patterns()
        for member in table.takers(giver):
            member.take_patterns(mined, giver.plan.node)


def _requests(table: Table) -> None:
    """Ask whoever has most to spare of those who are not stuck themselves, and of them who has helped least."""
    stuck = [member for member in table.members if member.left and member.stuck()]
    for requester in stuck:
        helpers = table.helpers(requester, stuck)
        if helpers:
            found = max(helpers, key=lambda member: (member.spare, -member.helped)).help(requester)
            requester.take_programs([found] if found else [], ANSWER)


def _shuffled(table: Table) -> None:
    for giver, best in list(table.gifts("program", table.strangers)):
        for member in table.takers(giver):
            member.take_programs([best])


def _foreign(table: Table, read: Reading = translate) -> None:
    for one in table.foreign:
        key = ("foreign", one.giver, one.pattern.id)
        if key in table.given:
            continue
        table.given.add(key)
        for member in table.members:
            if member.left:
                member.take_foreign(one, read)


def _scrambled(table: Table) -> None:
    _foreign(table, scramble)


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
    FOREIGN: _foreign,
    SCRAMBLED: _scrambled,
}
