"""HELLO and TRAINING_SYNC: a node comes, and is told where to start from.

::

    Hello ◀─ Capabilities
    TrainingSync ◀─ SessionReceipt, Peer, BestComponent, PatternShare, PendingComponent, WorkloadEntry, Verdict
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from mqtt_hub.protocol.bodies.fields import Count, Digest, Kind, Name, Named, Reason, Role, Session, Source
from mqtt_hub.protocol.bodies.receipts import SessionReceipt
from mqtt_hub.protocol.bodies.sharing import OsComponentShare, PatternShare
from mqtt_hub.protocol.bodies.validation import Verdict
from mqtt_hub.protocol.bodies.workloads import WorkloadEntry
from mqtt_hub.protocol.bounds import Flat, Items, Text, Whole

__all__ = ["BestComponent", "Capabilities", "Hello", "Peer", "PendingComponent", "TrainingSync"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a node has: ``memory_mib`` in MiB, ``engine`` is wasmtime or reference."""

    cpus: Annotated[int, Whole(0, 65536)] = 0
    memory_mib: Count = 0
    architecture: Annotated[str, Text(64)] = ""
    python: Annotated[str, Text(64)] = ""
    engine: Annotated[str, Text(64)] = ""
    version: Annotated[str, Text(64)] = ""


@dataclass(frozen=True, slots=True)
class Hello:
    """A node announces itself; ``instance`` is new at every start, ``have`` names the workloads it holds.

    ``partial`` says of workloads that it holds in part the first chunk that is missing: the hub begins there.
    """

    role: Role
    specialization: Name
    kinds: Annotated[tuple[Kind, ...], Items(16)]
    instance: Name
    capabilities: Capabilities = field(default_factory=Capabilities)
    have: Annotated[tuple[Digest, ...], Items(256)] = ()
    partial: Annotated[Mapping[str, int], Flat(64, Whole(1, 2**20))] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node as the hub last heard of it."""

    name: Name
    role: Role
    specialization: Annotated[str, Text(64)]  # empty until its HELLO has come
    state: Annotated[str, Text(16)]


@dataclass(frozen=True, slots=True)
class BestComponent(Named):
    """The accepted component that was last submitted for one workload, to start from."""

    kind: Kind
    workload: Annotated[str, Text(128)]
    component: Digest
    authors: Annotated[tuple[Name, ...], Items(16)]
    source: Source


@dataclass(frozen=True, slots=True)
class PendingComponent:
    """A submission that still waits for this validator's verdict; ``round`` grows when an operator reopens it."""

    submitter: Name
    submission: OsComponentShare
    round: Annotated[int, Whole(0, 2**31)] = 0


@dataclass(frozen=True, slots=True)
class TrainingSync:
    """The hub's answer to HELLO: refused with a reason, or the session granted and where to start from."""

    accepted: bool
    reason: Reason
    session: Session
    receipts: Annotated[tuple[SessionReceipt, ...], Items(16)] = ()
    peers: Annotated[tuple[Peer, ...], Items(128)] = ()
    best: Annotated[tuple[BestComponent, ...], Items(16)] = ()
    patterns: Annotated[tuple[PatternShare, ...], Items(16)] = ()
    pending: Annotated[tuple[PendingComponent, ...], Items(4)] = ()
    workloads: Annotated[tuple[WorkloadEntry, ...], Items(128)] = ()
    verdicts: Annotated[tuple[Verdict, ...], Items(8)] = ()  # the newest on the node's own submissions
