"""How far a node is trusted: a fold over what the archive says it did. Pure: no clock, no database.

::

    Standing() ── after(event) ──▶ Standing ── after(event) ──▶ …
        improved       a component it found, better on hidden workloads than all before   improvements + 1, credit
        false_claim    counters that no validator could reproduce                         ┐
        faulty         a component that its own tests would have refused                  │ offences + 1
        forgery        a message in another's name, or of another's role                  │ strikes + 1
        noise          `NOISE_A_STRIKE` rejected messages of any other sort               │
        outvoted       a validator's result that a majority contradicts                   ┘
        quarantine, release                                                               the operator's word

    level:  quarantined ◀── `STRIKES_MAX` strikes ── new ⇄ trusted

``trust`` is the mean of the beta distribution over (improvements, offences), the reputation of Jøsang and Ismail
(2002): 0.5 for a stranger. Improvements alone raise it: claims that are true but help nobody are free to make, so
they must not buy trust. ``strikes`` are the offences since the last improvement or release. Credit, as in BOINC,
is validated work: the share of the gap between the best baseline and the proven bound that a node's components
closed, each counted beyond the best before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

__all__ = ["NOISE_A_STRIKE", "STRIKES_MAX", "TRUSTED_FROM", "Deed", "Event", "Standing", "fold"]

STRIKES_MAX = 3  # at so many the node is quarantined
NOISE_A_STRIKE = 1_000  # messages: three strikes of noise stay within what the archive keeps of one node
TRUSTED_FROM = 0.8  # three improvements and no offence: (3 + 1) / (3 + 0 + 2)


class Deed(StrEnum):
    """What changes a standing."""

    IMPROVED = "improved"
    FALSE_CLAIM = "false_claim"
    FAULTY = "faulty"
    FORGERY = "forgery"
    NOISE = "noise"
    OUTVOTED = "outvoted"
    QUARANTINE = "quarantine"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Event:
    """One deed; ``credit_millionths`` of a gap, ``cause`` in words."""

    deed: Deed
    cause: str = ""
    credit_millionths: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What a node's deeds come to; ``quarantined`` is the reason, empty where it is not."""

    improvements: int = 0
    offences: int = 0
    strikes: int = 0
    credit_millionths: int = 0
    quarantined: str = ""

    @property
    def trust(self) -> float:
        """The expected share of what it says that holds, 0..1."""
        return (self.improvements + 1) / (self.improvements + self.offences + 2)

    @property
    def level(self) -> str:
        """``new``, ``trusted`` or ``quarantined``; whoever has a strike is not trusted."""
        if self.quarantined:
            return "quarantined"
        return "trusted" if self.trust >= TRUSTED_FROM and not self.strikes else "new"

    def after(self, event: Event) -> Standing:
        """Return the standing once this has happened."""
        match event.deed:
            case Deed.IMPROVED:
                return replace(
                    self,
                    improvements=self.improvements + 1,
                    strikes=0,
                    credit_millionths=self.credit_millionths + event.credit_millionths,
                )
            case Deed.QUARANTINE:
                return replace(self, quarantined=": ".join(filter(None, ("by the operator", event.cause))))
            case Deed.RELEASE:
                return replace(self, quarantined="", strikes=0)
        strikes = self.strikes + 1
        by_rule = f"{strikes} offences in a row, the last: {event.deed}: {event.cause}"
        return replace(
            self,
            offences=self.offences + 1,
            strikes=strikes,
            quarantined=self.quarantined or (by_rule if strikes >= STRIKES_MAX else ""),
        )


def fold(events: Iterable[Event]) -> Standing:
    """Return the standing after all of these."""
    standing = Standing()
    for event in events:
        standing = standing.after(event)
    return standing
