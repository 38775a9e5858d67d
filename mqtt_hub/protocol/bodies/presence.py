"""STATUS, PROGRESS and LOG: what a node is, does and says while it is here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from mqtt_hub.protocol.bodies.fields import Count, Digest, Kind, Name, Number, Role, Session
from mqtt_hub.protocol.bounds import Items, Text, Whole

__all__ = ["CLAIMS_MAX", "Log", "Progress", "Status"]

CLAIMS_MAX = 16  # workloads that one node may claim at a time


@dataclass(frozen=True, slots=True)
class Status:
    """Presence; ``hub`` carries ``get_hub_status()`` (sender hub), ``broker`` the broker's figures (sender broker).

    ``quarantined`` (sender hub) are the nodes to whom nobody shall listen: another broker passes on what they share.
    ``claims`` (of trainers) are workloads to which the sender's next rounds go, for ``claims_s`` seconds from when
    this is heard; 0: it takes no part in claiming.
    """

    state: Literal["init", "ready", "sleeping", "disconnected", "lost"]
    session: Session
    role: Role
    specialization: Annotated[str, Text(64)] = ""
    hub: Annotated[str, Text(48 * 1024)] = ""  # get_hub_status() as JSON text: one bound instead of many
    broker: Annotated[str, Text(16 * 1024)] = ""  # {"counters": {…}, "limits": {…}} as JSON text
    quarantined: Annotated[tuple[Name, ...], Items(256)] = ()
    claims: Annotated[tuple[Digest, ...], Items(CLAIMS_MAX)] = ()
    claims_s: Annotated[int, Whole(0, 600)] = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Telemetry of a search: ``rate`` in evaluations per second, ``dropped`` telemetry messages so far."""

    kind: Kind
    workload: Annotated[str, Text(128)]
    activity: Literal["search", "help", "wait", "validate"]
    evaluations: Count
    best: Number
    rate: Number
    dropped: Count = 0


@dataclass(frozen=True, slots=True)
class Log:
    """One line of a node's log."""

    level: Literal["debug", "info", "warning", "error", "critical"]
    text: Annotated[str, Text(2048)]
