"""Who works at what: claims on workloads, so that trainers share them out instead of all going round all of them.

::

    STATUS of a peer ──▶ hear ──▶ sender: workloads, until when      lapses by itself, ends with `lost`, `disconnected`
    a round is due ──▶ choose ──▶ the workload of this round         every fourth round goes beyond
                         └──────▶ mine ──▶ to_tell ──▶ STATUS        at most an equal share, of what is free

A claim is advice: it never stops a search. Where everything is claimed by others it is as if nothing were, and every
fourth round goes round what is claimed by others: what somebody claims and does not work at is searched all the same,
and a node without luck does not have its workloads alone. Of two that chose the same before they heard of each other
the one whose name comes first keeps it. No time of another machine is read: a claim lives so many seconds from when it
is heard (docs/decisions/0032-work-claims.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mqtt_hub.protocol.bodies import CLAIMS_MAX
from trainers.search.memory import forget_oldest

__all__ = ["CLAIM_S", "RENEW_S", "Claims"]

CLAIM_S = 300  # a claim lives so long: who is killed is told to be lost at once, this is for who falls silent
RENEW_S = 100.0  # told again, though nothing has changed
BEYOND_EVERY_ROUNDS = 4  # one of so many goes to what others claim
HOLDERS_MAX = 1_000  # remembered; beyond it who was heard longest ago is forgotten


@dataclass(frozen=True, slots=True)
class _Holder:
    """What one peer holds."""

    session: int
    workloads: frozenset[str]
    until_s: float  # by this node's clock


class Claims:
    """The claims that one node has heard of, and its own."""

    def __init__(self, me: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._me, self._clock = me, clock
        self._holders: dict[str, _Holder] = {}
        self.mine: tuple[str, ...] = ()  # workload ids
        self._told: tuple[str, ...] | None = None
        self._told_at_s = 0.0

    def hear(self, sender: str, session: int, workloads: Sequence[str], lifetime_s: int) -> None:
        """Take up what a peer's status says; no lifetime: it gives up what it had.

        Who has nothing and still takes part is counted: the others leave it a share.
        """
        known = self._holders.get(sender)
        if known is not None and session < known.session:
            return  # the late will of an earlier start
        self._holders.pop(sender, None)
        if lifetime_s > 0:
            self._holders[sender] = _Holder(session, frozenset(workloads), self._clock() + lifetime_s)
            forget_oldest(self._holders, HOLDERS_MAX)

    def choose(self, order: Sequence[str], turn: int) -> str:
        """Return the workload that this node's round number ``turn`` goes to, and claim anew.

        ``order`` are all of its workloads, at least one. By itself it goes round all of them.
        """
        others = self._others(order)
        claimed = {workload for held in others.values() for workload in held}
        lost = {workload for name, held in others.items() if name < self._me for workload in held}
        share = min(CLAIMS_MAX, -(-len(order) // (1 + len(others))))
        kept = [workload for workload in self.mine if workload in order and workload not in lost][:share]
        free = [workload for workload in order if workload not in claimed and workload not in kept]
        self.mine = (*kept, *free[: share - len(kept)])
        here = [workload for workload in order if workload in kept or workload not in claimed]
        beyond = [workload for workload in order if workload not in here]
        if not here or not beyond:
            return order[turn % len(order)]
        laps, at = divmod(turn, BEYOND_EVERY_ROUNDS)
        return beyond[laps % len(beyond)] if at == BEYOND_EVERY_ROUNDS - 1 else here[(turn - laps) % len(here)]

    def _others(self, order: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return what others claim now who work at any of these, or look for work; forgets what has lapsed."""
        now_s = self._clock()
        self._holders = {name: holder for name, holder in self._holders.items() if holder.until_s > now_s}
        held = {name: holder.workloads for name, holder in self._holders.items()}
        return {name: workloads for name, workloads in held.items() if not workloads or workloads & {*order}}

    def to_tell(self) -> tuple[str, ...] | None:
        """Return what to tell the others now; None while they know it."""
        now_s = self._clock()
        if self.mine == self._told and now_s - self._told_at_s < RENEW_S:
            return None
        self._told, self._told_at_s = self.mine, now_s
        return self.mine
