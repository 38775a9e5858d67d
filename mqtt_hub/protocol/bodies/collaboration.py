"""COLLABORATION_REQUEST and COLLABORATION_RESPONSE: asking for help, and an honest answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from mqtt_hub.protocol.bodies.fields import (
    SOURCE_CHARACTERS_MAX,
    Count,
    Digest,
    Kind,
    Name,
    Named,
    Number,
    Reason,
    Source,
)
from mqtt_hub.protocol.bodies.sharing import Claim
from mqtt_hub.protocol.bounds import Items, Text, Whole

__all__ = ["CollaborationRequest", "CollaborationResponse"]


@dataclass(frozen=True, slots=True)
class CollaborationRequest(Named):
    """What is stuck and what is wanted; the request's name is the envelope's ``correlation_id``.

    ``score`` and ``gap`` are the requester's gap closed and what is left of it; ``evaluations`` is the budget
    asked of a helper. The envelope's ``expires_at`` bounds the wait.
    """

    kind: Kind
    workload: Digest
    source: Source
    component: Digest
    score: Number
    gap: Number
    wanted: Literal["program", "pattern"]
    evaluations: Annotated[int, Whole(1, 1_000_000)]


@dataclass(frozen=True, slots=True)
class CollaborationResponse(Named):
    """An honest answer: ``completed`` carries what was found, which may be nothing (``component`` empty)."""

    kind: Kind
    status: Literal["accepted", "declined", "completed"]
    reason: Reason
    evaluations: Count = 0
    component: Annotated[str, Text(64, r"([0-9a-f]{64})?")] = ""
    source: Annotated[str, Text(SOURCE_CHARACTERS_MAX)] = ""
    authors: Annotated[tuple[Name, ...], Items(16)] = ()
    claims: Annotated[tuple[Claim, ...], Items(32)] = ()
