"""A small archive with something of everything in it, told through intake and the writer as a hub does.

::

    AI_Node_1 shares code ─▶ AI_Node_2 builds on it, submits ─▶ Validator_1 accepts (sqlite), rejects another
    AI_Node_2 asks ─▶ AI_Node_1 answers; both tell progress; one message is refused; AI_Node_1 leaves
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mqtt_hub.intake import Accepted, Entry
from mqtt_hub.protocol.bodies import Claim, HiddenScore, TestOutcome
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import MessageType
from tests.hub.archives import Archive
from tests.hub.entries import accepted, digest, hello, rejected, source

__all__ = ["HOSTILE", "TRAIN", "at", "progress", "score", "story", "submission", "verdict"]

TRAIN = digest(77)  # of the train part of the workload sqlite
CLAIM = (Claim(TRAIN, 100, {"misses": 400}),)
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;{{ 7*7 }}</pre>\x1b[31m"


def at(second: int, minute: int = 0) -> str:
    """Return a time of the story."""
    return f"2026-01-31T12:{minute:02}:{second:02}.000Z"


def score(value: float, *, workload: str = "sqlite", capacity: int = 100, bound: float = 300.0) -> HiddenScore:
    """Return a hidden score between baselines of 450 and 410 and the bound."""
    baselines = {"lru": 450.0, "arc": 410.0}
    return HiddenScore(workload, digest(500), "misses", capacity, 1000, value, bound, baselines, "arc", {"lirs": 405.0})


def progress(sender: str, best: float, when: str, *, activity: str = "search", evaluations: int = 100) -> Entry:
    """Return a PROGRESS."""
    return accepted(
        MessageType.PROGRESS, sender, at=when, best=best, activity=activity, evaluations=evaluations, workload="sqlite"
    )


def submission(number: int, *, seq: int, when: str = "", **body: Any) -> Accepted:
    """Return AI_Node_2's submission of the component of that number."""
    made = {"authors": ("AI_Node_2",), "parents": (), "claims": CLAIM, "target": "sqlite"} | body
    return accepted(
        MessageType.OS_COMPONENT_SHARE, "AI_Node_2", seq=seq, at=when or at(6), source=source(number), **made
    )


def verdict(
    judged: Accepted, scores: Sequence[HiddenScore], *, seq: int, says: str = "accepted",
    reason: str = "every test passed", c_source: str = "static s64 on_insert(void) { return 1; }",
) -> Entry:  # fmt: skip
    """Return Validator_1's verdict on a submission."""
    failed, body = says != "accepted", judged.message.body
    tests = (TestOutcome("static", "passed"), TestOutcome("useful", "failed" if failed else "passed", reason * failed))
    return accepted(
        MessageType.TEST_RESULT, "Validator_1", seq=seq, at=at(9), kind=body.kind, component=body.component,
        submission=submission_id(judged.message.sender, body), submitter=judged.message.sender, verdict=says,
        reason=reason, told=reason, tests=tests, hidden=tuple(scores), digest=digest(900 + seq), c_source=c_source,
        envelope={"correlation_id": body.component},
    )  # fmt: skip


def story(archive: Archive) -> None:
    """Tell it."""
    second = submission(2, seq=2, authors=("AI_Node_1", "AI_Node_2"), parents=(digest(1),))
    third = submission(3, seq=3, when=at(7), parents=(digest(2),))
    fourth = submission(4, seq=4, when=at(8), target="x")
    request = {"correlation_id": "AI_Node_2.3.1"}
    both = ("AI_Node_1", "AI_Node_2")
    archive.commit(
        hello("AI_Node_1", session=3),
        hello("AI_Node_2", session=3),
        hello("Validator_1", session=3, role="validator"),
        *(accepted(MessageType.STATUS, name, at=at(1)) for name in both),
        accepted(MessageType.CODE_SHARE, "AI_Node_1", seq=1, at=at(2), source=source(1), claims=CLAIM),
        accepted(MessageType.PATTERN_SHARE, "AI_Node_1", seq=2, at=at(2)),
        progress("AI_Node_1", 0.2, at(2)),
        progress("AI_Node_1", 0.3, at(4), evaluations=150),
        progress("AI_Node_1", 0.3, at(6), evaluations=200),
        progress("AI_Node_2", 0.1, at(3)),
        accepted(
            MessageType.CODE_SHARE, "AI_Node_2", seq=1, at=at(5), source=source(2), authors=both,
            parents=(digest(1),), claims=CLAIM,
        ),
        second,
        third,
        fourth,
        verdict(second, [score(360.0)], seq=1),
        verdict(third, [score(380.0)], seq=2),
        verdict(fourth, [], seq=3, says="rejected", reason="useful: sqlite (hidden): 460 misses, lru has 450"),
        accepted(
            MessageType.COLLABORATION_REQUEST, "AI_Node_2", seq=5, at=at(8), workload=TRAIN, source=source(2),
            envelope=request,
        ),
        accepted(
            MessageType.COLLABORATION_RESPONSE, "AI_Node_1", seq=3, at=at(9), to="AI_Node_2", source=source(5),
            envelope=request,
        ),
        progress("AI_Node_2", 0.5, at(9), activity="help", evaluations=300),
        accepted(MessageType.LOG, "AI_Node_1", at=at(9), text="stuck at 0.300"),
        rejected("AI_Node_1", b'{"v": 9}'),
        accepted(MessageType.STATUS, "AI_Node_1", at=at(10), state="disconnected"),
    )  # fmt: skip
