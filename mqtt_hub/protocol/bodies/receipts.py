"""RECEIPT: what of a session is committed, what is missing, what was rejected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mqtt_hub.protocol.bodies.fields import Reason, Seq, Session
from mqtt_hub.protocol.bounds import Items

__all__ = ["Receipt", "Rejection", "SeqRange", "SessionReceipt"]


@dataclass(frozen=True, slots=True)
class SeqRange:
    """Sequence numbers ``first..last``, both included."""

    first: Seq
    last: Seq


@dataclass(frozen=True, slots=True)
class SessionReceipt:
    """All up to ``upto`` of that session is committed, and up to ``highest`` all but what is ``missing``."""

    session: Session
    upto: Seq
    highest: Seq
    missing: Annotated[tuple[SeqRange, ...], Items(64)] = ()


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message that was archived as rejected; ``seq`` is 0 where it could not be read."""

    session: Session
    seq: Seq
    reason: Reason


@dataclass(frozen=True, slots=True)
class Receipt:
    """Cumulative: what of a session is committed, what is missing (to be sent again), what was rejected."""

    committed: SessionReceipt
    rejected: Annotated[tuple[Rejection, ...], Items(32)] = ()
