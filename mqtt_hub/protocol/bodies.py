"""The body of every message type, as frozen dataclasses whose annotations are the bounds.

Who says what to whom stands in `mqtt_hub.protocol.table`; this module says what the words are. Sizes are in
characters, counters are raw (never ratios), digests are SHA-256 in lower-case hex.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Any, Literal

from mqtt_hub.protocol.bounds import Flat, Items, Real, Text, Whole
from mqtt_hub.protocol.errors import ProtocolError

__all__ = [
    "BestComponent",
    "Body",
    "Capabilities",
    "Claim",
    "CodeShare",
    "CollaborationRequest",
    "CollaborationResponse",
    "Hello",
    "HiddenScore",
    "Log",
    "OsComponentShare",
    "PatternShare",
    "Peer",
    "PendingComponent",
    "Progress",
    "Receipt",
    "Rejection",
    "SeqRange",
    "SessionReceipt",
    "Status",
    "TestOutcome",
    "TestResult",
    "TrainingSync",
    "Verdict",
    "WorkloadChunk",
    "WorkloadEntry",
]

SOURCE_CHARACTERS_MAX = 8 * 1024
C_SOURCE_CHARACTERS_MAX = 32 * 1024
REASON_CHARACTERS_MAX = 512
CHUNK_CHARACTERS_MAX = 64 * 1024  # base64 of 48 KiB
CLAIMS_MAX = 16  # workloads that one node may claim at a time
I64 = 2**63 - 1

Name = Annotated[str, Text(64, r"[A-Za-z0-9_-]+", 1, repeats=True)]
Kind = Annotated[str, Text(64, r"[a-z0-9_]+", 1, repeats=True)]
Digest = Annotated[str, Text(64, r"[0-9a-f]{64}", 64, repeats=True)]
Source = Annotated[str, Text(SOURCE_CHARACTERS_MAX, characters_min=1)]
Reason = Annotated[str, Text(REASON_CHARACTERS_MAX)]
Count = Annotated[int, Whole(0, I64)]
Session = Annotated[int, Whole(0, 2**53)]
Seq = Annotated[int, Whole(0, 2**53)]
Number = Annotated[float, Real(-1e18, 1e18)]
Counters = Annotated[Mapping[str, int], Flat(16, Whole(-I64, I64))]
Scores = Annotated[Mapping[str, float], Flat(32, Real(-1e18, 1e18))]
Role = Literal["hub", "trainer", "validator", "observer"]
Part = Literal["train", "hidden"]


class _Named:
    """A body whose ``component`` is the digest of its ``source``: nobody can put other words under a name."""

    __slots__ = ()
    component: str
    source: str

    def validate(self, path: str) -> None:
        """Raise `ProtocolError` where the two do not belong together."""
        digest = sha256(self.source.encode()).hexdigest() if self.source else ""
        if self.component != digest:
            raise ProtocolError(f"{path}.component: is not the SHA-256 of {path}.source")


@dataclass(frozen=True, slots=True)
class Claim:
    """Raw counters that a component is said to reach on one workload at one capacity."""

    workload: Digest
    capacity: Annotated[int, Whole(1, 2**31)]
    counters: Counters


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
class Peer:
    """Another node as the hub last heard of it."""

    name: Name
    role: Role
    specialization: Annotated[str, Text(64)]  # empty until its HELLO has come
    state: Annotated[str, Text(16)]


@dataclass(frozen=True, slots=True)
class BestComponent(_Named):
    """The accepted component that was last submitted for one workload, to start from."""

    kind: Kind
    workload: Annotated[str, Text(128)]
    component: Digest
    authors: Annotated[tuple[Name, ...], Items(16)]
    source: Source


@dataclass(frozen=True, slots=True)
class WorkloadEntry:
    """One line of the hub's list of workloads; ``size_bytes`` is that of the whole file."""

    id: Digest
    kind: Kind
    name: Annotated[str, Text(128)]
    part: Part
    size_bytes: Annotated[int, Whole(1, 2**31)]


@dataclass(frozen=True, slots=True)
class PatternShare:
    """A sub-expression that helped: ``gain`` is the score lost when it is taken out (ablation)."""

    kind: Kind
    function: Name
    expression: Annotated[str, Text(1024, characters_min=1)]
    unit: Annotated[str, Text(16)]
    gain: Number
    uses: Count
    workload: Digest
    component: Digest


@dataclass(frozen=True, slots=True)
class CodeShare(_Named):
    """A whole program with what it is claimed to reach, for others to build on."""

    kind: Kind
    component: Digest
    source: Source
    authors: Annotated[tuple[Name, ...], Items(16)]
    parents: Annotated[tuple[Digest, ...], Items(16)]
    claims: Annotated[tuple[Claim, ...], Items(32)]


@dataclass(frozen=True, slots=True)
class OsComponentShare(_Named):
    """A component submitted for validation; ``target`` is the name of the workload it was made for."""

    kind: Kind
    component: Digest
    source: Source
    authors: Annotated[tuple[Name, ...], Items(16)]
    parents: Annotated[tuple[Digest, ...], Items(16)]
    claims: Annotated[tuple[Claim, ...], Items(32)]
    target: Annotated[str, Text(128)]


@dataclass(frozen=True, slots=True)
class PendingComponent:
    """A submission that still waits for this validator's verdict; ``round`` grows when an operator reopens it."""

    submitter: Name
    submission: OsComponentShare
    round: Annotated[int, Whole(0, 2**31)] = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a quorum of validators came to, for everybody: nothing that was measured on hidden workloads.

    ``disputed``: their results differ and none has the majority yet; ``agreeing`` and ``dissenting`` count them.
    """

    kind: Kind
    component: Digest
    submission: Digest
    submitter: Name
    verdict: Literal["accepted", "rejected", "not_reproduced", "disputed"]
    reason: Reason
    agreeing: Annotated[int, Whole(0, 65536)]
    dissenting: Annotated[int, Whole(0, 65536)]


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


@dataclass(frozen=True, slots=True)
class CollaborationRequest(_Named):
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
class CollaborationResponse(_Named):
    """An honest answer: ``completed`` carries what was found, which may be nothing (``component`` empty)."""

    kind: Kind
    status: Literal["accepted", "declined", "completed"]
    reason: Reason
    evaluations: Count = 0
    component: Annotated[str, Text(64, r"([0-9a-f]{64})?")] = ""
    source: Annotated[str, Text(SOURCE_CHARACTERS_MAX)] = ""
    authors: Annotated[tuple[Name, ...], Items(16)] = ()
    claims: Annotated[tuple[Claim, ...], Items(32)] = ()


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """One test of the validation framework."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    name: Name
    outcome: Literal["passed", "failed", "skipped"]
    reason: Reason = ""


@dataclass(frozen=True, slots=True)
class HiddenScore:
    """How a component does on a workload that trainers never see, beside every baseline and the bound.

    Values are in the kind's metric (page_replacement: misses), lower is better. ``picked`` is the baseline
    that one would have picked on the train part.
    """

    workload: Annotated[str, Text(128)]
    id: Digest
    metric: Name
    capacity: Annotated[int, Whole(1, 2**31)]
    requests: Count
    value: Number
    bound: Number
    baselines: Scores
    picked: Annotated[str, Text(64)] = ""
    programs: Scores = field(default_factory=dict)  # the textbook as programs: what search starts from


@dataclass(frozen=True, slots=True)
class TestResult:
    """A validator's verdict on one submission; ``digest`` covers all that another must reproduce.

    ``told`` is the part of ``reason`` that says nothing of hidden workloads; ``faulty`` says that the submitter's
    own tests would have shown what failed, so that sending it costs trust.
    """

    __test__ = False

    kind: Kind
    component: Digest
    submission: Digest
    submitter: Name
    verdict: Literal["accepted", "rejected", "not_reproduced"]
    faulty: bool
    reason: Reason
    told: Reason
    tests: Annotated[tuple[TestOutcome, ...], Items(32)]
    hidden: Annotated[tuple[HiddenScore, ...], Items(32)]
    digest: Digest
    c_source: Annotated[str, Text(C_SOURCE_CHARACTERS_MAX)] = ""


@dataclass(frozen=True, slots=True)
class WorkloadChunk:
    """One piece of a workload file, in base64; the whole is named by its digest."""

    id: Digest
    kind: Kind
    name: Annotated[str, Text(128)]
    part: Part
    size_bytes: Annotated[int, Whole(1, 2**31)]
    chunk: Annotated[int, Whole(0, 2**20)]
    chunks: Annotated[int, Whole(1, 2**20)]
    data: Annotated[str, Text(CHUNK_CHARACTERS_MAX)]


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


Body = Any  # one of the message bodies above: the table says which for which type
