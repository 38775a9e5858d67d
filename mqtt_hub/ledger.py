"""Which messages are in the archive: duplicates, gaps and receipts per session. Pure bookkeeping.

::

    claim(node, session, seq) ──▶ NEW (write it) | DUPLICATE (receipt again) | BEYOND (too far ahead)
    commit(node, session, seqs)     after the transaction
    receipt(node, session)   ──▶ upto 41, highest 43, missing 42..42
    forget(most)                    the longest quiet; `restore` takes them up from the archive when they speak again

Claimed and committed are kept apart: a message that waits in a batch is no longer new, and not yet receipted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from mqtt_hub.protocol.bodies import SeqRange, SessionReceipt

__all__ = ["AHEAD_MAX", "Claim", "Ledger", "SeqSet"]

AHEAD_MAX = 100_000  # how far beyond the last gapless seq a message may be: bounds the memory of a session
MISSING_RANGES_MAX = 64


class Claim(StrEnum):
    """What a message's key turns out to be."""

    NEW = "new"
    DUPLICATE = "duplicate"
    BEYOND = "beyond"


@dataclass(slots=True)
class SeqSet:
    """A set of seqs, dense from 1: all up to ``upto``, and those ``above`` it."""

    upto: int = 0
    above: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._close()

    def __contains__(self, seq: int) -> bool:
        return seq <= self.upto or seq in self.above

    def add(self, seqs: Sequence[int]) -> None:
        """Add seqs and close the gap behind them where they were the last ones missing."""
        if not self.above and seqs == list(range(self.upto + 1, self.upto + 1 + len(seqs))):  # nearly always
            self.upto += len(seqs)
            return
        self.above.update(seq for seq in seqs if seq > self.upto)
        self._close()

    def _close(self) -> None:
        while self.upto + 1 in self.above:
            self.upto += 1
            self.above.discard(self.upto)

    def receipt(self, session: int) -> SessionReceipt:
        """Return the set as a receipt; it covers the first `MISSING_RANGES_MAX` gaps and what lies between."""
        missing: list[SeqRange] = []
        highest = self.upto
        for seq in sorted(self.above):
            if seq > highest + 1:
                if len(missing) == MISSING_RANGES_MAX:
                    break
                missing.append(SeqRange(highest + 1, seq - 1))
            highest = seq
        return SessionReceipt(session, self.upto, highest, tuple(missing))


@dataclass(slots=True)
class _Session:
    claimed: SeqSet
    committed: SeqSet
    touched: int = 0  # by the ledger's own count of commits


class Ledger:
    """The seqs of the sessions that have spoken since the start, or were restored."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, int], _Session] = {}
        self._moved: set[tuple[str, int]] = set()
        self._commits = 0

    def knows(self, node: str, session: int) -> bool:
        """Say whether a session is in memory; one that the archive knows must be restored before it is claimed."""
        return (node, session) in self._sessions

    def restore(self, node: str, session: int, upto: int, above: set[int]) -> None:
        """Take a session as the archive has it; ``upto`` may lag behind what is ``above``."""
        self._sessions[node, session] = _Session(SeqSet(upto, set(above)), SeqSet(upto, set(above)))

    def claim(self, node: str, session: int, seq: int) -> Claim:
        """Say what this key is, and remember it as seen."""
        state = self._sessions.get((node, session))
        if state is None:
            state = self._sessions[node, session] = _Session(SeqSet(), SeqSet())
        claimed = state.claimed
        if seq == claimed.upto + 1 and not claimed.above:  # nearly always
            claimed.upto = seq
            return Claim.NEW
        if seq in claimed:
            return Claim.DUPLICATE
        if seq > claimed.upto + AHEAD_MAX:
            return Claim.BEYOND
        claimed.add([seq])
        return Claim.NEW

    def commit(self, node: str, session: int, seqs: Sequence[int]) -> None:
        """Note that these messages are on disk."""
        state = self._sessions[node, session]
        state.committed.add(seqs)
        self._commits += 1
        state.touched = self._commits
        self._moved.add((node, session))

    def take_moved(self) -> set[tuple[str, int]]:
        """Return the sessions in which something was committed since the last call."""
        moved, self._moved = self._moved, set()
        return moved

    def moved_again(self, keys: Iterable[tuple[str, int]]) -> None:
        """Take sessions back whose progress could not be written down."""
        self._moved.update(keys)

    def forget(self, most: int) -> int:
        """Forget the longest quiet beyond so many; returns how many. None of which the archive does not know all."""
        settled = [
            (state.touched, key)
            for key, state in self._sessions.items()
            if state.claimed == state.committed and key not in self._moved
        ]
        surplus = sorted(settled)[: max(0, len(self._sessions) - most)]
        for _touched, key in surplus:
            del self._sessions[key]
        return len(surplus)

    def upto(self, node: str, session: int) -> int:
        """Return the last seq up to which all is committed."""
        state = self._sessions.get((node, session))
        return state.committed.upto if state else 0

    def receipt(self, node: str, session: int) -> SessionReceipt:
        """Return what a receipt for this session says now."""
        state = self._sessions.get((node, session))
        if state is None:
            return SessionReceipt(session, 0, 0)
        return state.committed.receipt(session)
