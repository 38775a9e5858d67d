"""One valid body for every message type: the table that tests of codec, hub and docs share."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

from mqtt_hub.protocol import bodies as b
from mqtt_hub.protocol.codec import Message
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import HUB, TABLE, MessageType, Scope

SENT_AT = "2026-01-31T12:00:00.123Z"
KIND = "page_replacement"
SOURCE = "def on_insert():\n    return head(0, 0)\n"


def named(source: str) -> str:
    """Return the name of a component: the digest of its source."""
    return sha256(source.encode()).hexdigest()


DIGEST = named(SOURCE)
CLAIM = b.Claim(DIGEST, 100, {"requests": 10, "misses": 4})
SUBMISSION = b.OsComponentShare(KIND, DIGEST, SOURCE, ("AI_Node_1",), (DIGEST,), (CLAIM,), "sqlite")

BODIES: dict[MessageType, b.Body] = {
    MessageType.HELLO: b.Hello("trainer", "memory_management", (KIND,), "a1b2", b.Capabilities(cpus=4), (DIGEST,)),
    MessageType.TRAINING_SYNC: b.TrainingSync(
        accepted=True,
        reason="welcome",
        session=3,
        receipts=(b.SessionReceipt(3, 4, 6, (b.SeqRange(5, 5),)),),
        peers=(b.Peer("AI_Node_2", "trainer", "memory_management", "ready"),),
        best=(b.BestComponent(KIND, "sqlite", DIGEST, ("AI_Node_2",), SOURCE),),
        pending=(b.PendingComponent("AI_Node_2", SUBMISSION),),
        workloads=(b.WorkloadEntry(DIGEST, KIND, "sqlite", "train", 1000),),
    ),
    MessageType.PATTERN_SHARE: b.PatternShare(KIND, "on_hit", "mark + 1", "free", 0.01, 2, DIGEST, DIGEST),
    MessageType.CODE_SHARE: b.CodeShare(KIND, DIGEST, SOURCE, ("AI_Node_1",), (), (CLAIM,)),
    MessageType.COLLABORATION_REQUEST: b.CollaborationRequest(KIND, DIGEST, SOURCE, DIGEST, 0.4, 0.6, "program", 50),
    MessageType.COLLABORATION_RESPONSE: b.CollaborationResponse(
        KIND, "completed", "better", 50, DIGEST, SOURCE, ("AI_Node_1", "AI_Node_2"), (CLAIM,)
    ),
    MessageType.OS_COMPONENT_SHARE: SUBMISSION,
    MessageType.TEST_RESULT: b.TestResult(
        kind=KIND,
        component=DIGEST,
        submission=submission_id("AI_Node_1", SUBMISSION),
        submitter="AI_Node_1",
        verdict="accepted",
        faulty=False,
        reason="every test passed",
        told="every test passed",
        tests=(b.TestOutcome("static", "passed"),),
        hidden=(
            b.HiddenScore("sqlite", DIGEST, "misses", 100, 1000, 400.0, 300.0, {"lru": 450.0, "arc": 410.0}, "arc"),
        ),
        digest=DIGEST,
        c_source="static s64 on_insert(void)",
    ),
    MessageType.VERDICT: b.Verdict(
        KIND, DIGEST, submission_id("AI_Node_1", SUBMISSION), "AI_Node_1", "accepted", "every test passed", 2, 0
    ),
    MessageType.WORKLOAD: b.WorkloadChunk(DIGEST, KIND, "sqlite", "train", 4, 0, 1, "AAAAAA=="),
    MessageType.WORKLOAD_HIDDEN: b.WorkloadChunk(DIGEST, KIND, "sqlite", "hidden", 4, 0, 1, "AAAAAA=="),
    MessageType.RECEIPT: b.Receipt(b.SessionReceipt(3, 4, 4), (b.Rejection(3, 2, "body.gain: is missing"),)),
    MessageType.STATUS: b.Status("ready", 3, "trainer", "memory_management", claims=(DIGEST,), claims_s=300),
    MessageType.PROGRESS: b.Progress(KIND, "sqlite", "search", 100, 0.4, 12.5),
    MessageType.LOG: b.Log("info", "stuck at 0.400"),
}


def message(type_: MessageType, sender: str = "", *, session: int = 3, seq: int = 7) -> Message:
    """Return a valid message of that type, from a sender that may publish it."""
    row = TABLE[type_]
    role = next(iter(sorted(row.publishers)))
    sender = sender or {"hub": HUB, "trainer": "AI_Node_1", "validator": "Validator_1"}[role]
    return Message(
        type_, sender, session, SENT_AT, BODIES[type_], seq if row.sequenced else None, correlation_id="AI_Node_1.3.1"
    )


def scope(type_: MessageType) -> str:
    """Return the last topic level of the example of that type."""
    kinds = {Scope.NONE: "", Scope.KIND: KIND, Scope.RECIPIENT: "AI_Node_1", Scope.LEVEL: "info"}
    return kinds[TABLE[type_].scope]


def changed(body: b.Body, **changes: Any) -> b.Body:
    """Return a body with other fields; one that carries a source is named after it."""
    body = replace(body, **changes)
    if getattr(body, "source", None) is not None and hasattr(body, "component"):
        body = replace(body, component=named(body.source) if body.source else "")
    return body
