"""The table of messages: one row a type, from which topics, access, docs and tests follow.

::

    MessageType ── row ──▶ Row(body, publishers, readers, scope, qos, retain, sequenced, meaning)
                             │          │          │        └─ what the last topic level names
                             │          └──────────┴─ roles; the access rule is these two columns
                             └─ dataclass of the body, every field bounded
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mqtt_hub.protocol import bodies

__all__ = ["BROKER", "HUB", "RESERVED", "ROLES", "TABLE", "MessageType", "Row", "Scope"]

HUB = "hub"  # the hub's own account and sender name; no node may be called so
BROKER = "broker"  # what the hub says of its broker: status/broker; no account may be called so
RESERVED = frozenset({HUB, BROKER})
ROLES = ("hub", "trainer", "validator", "observer")

_NODES = frozenset({"trainer", "validator"})
_HUB = frozenset({"hub"})
_ALL = frozenset(ROLES)


class MessageType(StrEnum):
    """Every type of message; the value is the type in the envelope, lower-cased it is the topic level."""

    __hash__ = str.__hash__  # Enum's own is written in Python, and every message is looked up by its type

    HELLO = "HELLO"
    TRAINING_SYNC = "TRAINING_SYNC"
    PATTERN_SHARE = "PATTERN_SHARE"
    CODE_SHARE = "CODE_SHARE"
    COLLABORATION_REQUEST = "COLLABORATION_REQUEST"
    COLLABORATION_RESPONSE = "COLLABORATION_RESPONSE"
    OS_COMPONENT_SHARE = "OS_COMPONENT_SHARE"
    TEST_RESULT = "TEST_RESULT"
    VERDICT = "VERDICT"
    WORKLOAD = "WORKLOAD"
    WORKLOAD_HIDDEN = "WORKLOAD_HIDDEN"
    RECEIPT = "RECEIPT"
    STATUS = "STATUS"
    PROGRESS = "PROGRESS"
    LOG = "LOG"


class Scope(StrEnum):
    """What the last level of a topic names."""

    NONE = "none"
    KIND = "kind"  # the body's component kind
    RECIPIENT = "recipient"  # the one node that may read it
    LEVEL = "level"  # the body's log level


@dataclass(frozen=True, slots=True)
class Row:
    """How one message type travels."""

    body: type
    publishers: frozenset[str]
    readers: frozenset[str]
    scope: Scope
    qos: int
    retain: bool
    sequenced: bool  # carries a seq, wants a receipt, goes through the outbox
    meaning: str


TABLE: dict[MessageType, Row] = {
    MessageType.HELLO: Row(
        bodies.Hello, _NODES, _ALL, Scope.NONE, 1, False, False,
        "a node announces name, role, specialization, capabilities and the session it proposes",
    ),
    MessageType.TRAINING_SYNC: Row(
        bodies.TrainingSync, _HUB, _ALL, Scope.RECIPIENT, 1, False, False,
        "accepted with a session or refused with a reason; receipts so far, peers, best components",
    ),
    MessageType.PATTERN_SHARE: Row(
        bodies.PatternShare, frozenset({"trainer"}), _ALL, Scope.KIND, 1, False, True,
        "a sub-expression that helped, with the gain measured by taking it out",
    ),
    MessageType.CODE_SHARE: Row(
        bodies.CodeShare, frozenset({"trainer"}), _ALL, Scope.KIND, 1, False, True,
        "a whole program with claimed raw counters per workload, and its parents",
    ),
    MessageType.COLLABORATION_REQUEST: Row(
        bodies.CollaborationRequest, frozenset({"trainer"}), _ALL, Scope.KIND, 1, False, True,
        "what is stuck, what is wanted, the budget asked for, until when",
    ),
    MessageType.COLLABORATION_RESPONSE: Row(
        bodies.CollaborationResponse, frozenset({"trainer"}), _ALL, Scope.RECIPIENT, 1, False, True,
        "accepted, declined, or completed with the result and the evaluations spent",
    ),
    MessageType.OS_COMPONENT_SHARE: Row(
        bodies.OsComponentShare, frozenset({"trainer"}), _ALL, Scope.KIND, 1, False, True,
        "a component submitted for validation: source, authors, lineage, claims",
    ),
    MessageType.TEST_RESULT: Row(
        bodies.TestResult, frozenset({"validator"}), _ALL - {"trainer"}, Scope.KIND, 1, False, True,
        "a validator's verdict: every test's outcome, hidden scores, C source; not for trainers",
    ),
    MessageType.VERDICT: Row(
        bodies.Verdict, _HUB, _ALL, Scope.KIND, 1, False, False,
        "what a quorum of validators came to, without a word on hidden workloads",
    ),
    MessageType.WORKLOAD: Row(
        bodies.WorkloadChunk, _HUB, _ALL, Scope.KIND, 1, False, False,
        "a piece of a training workload, content-addressed",
    ),
    MessageType.WORKLOAD_HIDDEN: Row(
        bodies.WorkloadChunk, _HUB, frozenset({"hub", "validator"}), Scope.KIND, 1, False, False,
        "a piece of a hidden workload: validators only",
    ),
    MessageType.RECEIPT: Row(
        bodies.Receipt, _HUB, _ALL, Scope.RECIPIENT, 1, False, False,
        "all up to this seq is committed; what is missing; what was rejected and why",
    ),
    MessageType.STATUS: Row(
        bodies.Status, _NODES | _HUB, _ALL, Scope.NONE, 1, True, False,
        "presence, retained; the last will says lost; trainers: what they claim; hub: get_hub_status(); broker: its"
        " counters and limits",
    ),
    MessageType.PROGRESS: Row(
        bodies.Progress, _NODES, _ALL, Scope.KIND, 0, False, False,
        "telemetry: evaluations, best so far, rate",
    ),
    MessageType.LOG: Row(
        bodies.Log, _NODES, _ALL, Scope.LEVEL, 0, False, False,
        "telemetry: the node's log lines",
    ),
}  # fmt: skip
