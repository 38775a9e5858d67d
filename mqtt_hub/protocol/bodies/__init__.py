"""The body of every message type, as frozen dataclasses whose annotations are the bounds.

::

    joining.py        HELLO ─▶ TRAINING_SYNC               receipts.py    RECEIPT
    sharing.py        PATTERN_, CODE_, OS_COMPONENT_SHARE  presence.py    STATUS, PROGRESS, LOG
    validation.py     TEST_RESULT ─▶ VERDICT               workloads.py   WORKLOAD, WORKLOAD_HIDDEN
    collaboration.py  COLLABORATION_REQUEST ─▶ _RESPONSE   fields.py      what their fields are made of

Who says what to whom stands in `mqtt_hub.protocol.table`; this package says what the words are. Sizes are in
characters, counters are raw (never ratios), digests are SHA-256 in lower-case hex.
"""

from typing import Any

from mqtt_hub.protocol.bodies.collaboration import CollaborationRequest, CollaborationResponse
from mqtt_hub.protocol.bodies.fields import REASON_CHARACTERS_MAX, SOURCE_CHARACTERS_MAX
from mqtt_hub.protocol.bodies.joining import BestComponent, Capabilities, Hello, Peer, PendingComponent, TrainingSync
from mqtt_hub.protocol.bodies.presence import CLAIMS_MAX, Log, Progress, Status
from mqtt_hub.protocol.bodies.receipts import Receipt, Rejection, SeqRange, SessionReceipt
from mqtt_hub.protocol.bodies.sharing import Claim, CodeShare, OsComponentShare, PatternShare
from mqtt_hub.protocol.bodies.validation import C_SOURCE_CHARACTERS_MAX, HiddenScore, TestOutcome, TestResult, Verdict
from mqtt_hub.protocol.bodies.workloads import CHUNK_CHARACTERS_MAX, WorkloadChunk, WorkloadEntry

__all__ = [
    "CHUNK_CHARACTERS_MAX",
    "CLAIMS_MAX",
    "C_SOURCE_CHARACTERS_MAX",
    "REASON_CHARACTERS_MAX",
    "SOURCE_CHARACTERS_MAX",
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

Body = Any  # one of these: the table says which for which type
