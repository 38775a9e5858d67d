"""What several validators' results on one submission come to. Pure: votes in, decision out.

::

    votes in the order of their arrival, the first of each validator
      └─▶ pending ──▶ disputed (two digests, none decided) ──▶ accepted | rejected | not_reproduced
             └──────────────────────────────────────────────────▲ final

A digest decides as soon as ``needed`` validators have published it and they are more than half of all that have
voted until then (BOINC's quorum with a strict majority). What was decided stands: a later vote is counted as
agreeing or dissenting, and changes nothing. Only an operator reopens a submission, which makes older votes void.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["VALIDATORS_DIFFER", "Decision", "Vote", "decide"]

VALIDATORS_DIFFER = "validators differ"  # what is told while a submission is disputed


class Vote(NamedTuple):
    """One validator's result; ``validator`` is its number, equal digests are equal results, verdict included."""

    validator: int
    verdict: str
    digest: str


@dataclass(frozen=True, slots=True)
class Decision:
    """``state`` is ``pending``, ``disputed`` or the verdict; ``digest`` is empty until there is one."""

    state: str
    digest: str = ""
    agreeing: int = 0
    dissenting: int = 0

    @property
    def final(self) -> bool:
        """Whether a digest has decided."""
        return bool(self.digest)


def decide(votes: Iterable[Vote], needed: int) -> Decision:
    """Return the decision after these votes; it depends on their order alone, not on when it is asked for."""
    by_digest: Counter[str] = Counter()
    seen: set[int] = set()
    digest = verdict = ""
    for vote in votes:
        if vote.validator in seen:
            continue  # one validator, one vote
        seen.add(vote.validator)
        by_digest[vote.digest] += 1
        count = by_digest[vote.digest]
        if not digest and count >= needed and 2 * count > len(seen):
            digest, verdict = vote.digest, vote.verdict
    if digest:
        return Decision(verdict, digest, by_digest[digest], len(seen) - by_digest[digest])
    most = max(by_digest.values(), default=0)
    return Decision("disputed" if len(by_digest) > 1 else "pending", "", most, len(seen) - most)
