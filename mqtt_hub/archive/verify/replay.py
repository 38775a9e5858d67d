"""What the archive knows, made again from its messages: the proof that its tables say no more and no less.

::

    archive.messages in their order ──▶ the writer's own projections ──▶ main: best_patterns, code, components, …

What time, a quorum or the operator has decided (verdicts, which submission a component shows, trust, ends of
collaborations) is not made here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from mqtt_hub.archive.projections import PROJECTIONS, keep_best_patterns
from mqtt_hub.intake import Accepted
from mqtt_hub.protocol.bodies import PatternShare
from mqtt_hub.protocol.codec import decode
from mqtt_hub.protocol.errors import ProtocolError
from mqtt_hub.protocol.table import MessageType

__all__ = ["COMPARED", "replay"]

# What is compared, of main and of archive: the first column names the row. Ids that only count rows are left out.
COMPARED: dict[str, str] = {
    # Of equal gains at the bound, `BEST_PATTERNS_MAX`, either may have stayed.
    "best_patterns": (
        "SELECT b.kind || ': ' || b.function || ': ' || b.expression, b.unit, printf('%.12g', b.gain), b.uses,"
        " b.workload, b.component FROM {db}.best_patterns b"
        " JOIN (SELECT kind, count(*) AS kept, min(gain) AS least FROM {db}.best_patterns GROUP BY kind) o USING (kind)"
        " WHERE o.kept < 64 OR b.gain > o.least"
    ),
    "code": "SELECT message, node, kind, component, source, authors, parents, claims FROM {db}.code",
    "components": "SELECT id, kind, source FROM {db}.components",
    "submissions": (
        "SELECT id, message, node, component, kind, target, claims, authors, submitted_at FROM {db}.submissions"
    ),
    "lineage": "SELECT component, parent, kind, node FROM {db}.lineage",
    "test_results": (
        "SELECT message, node, component, submission, submitter, verdict, faulty, reason, told, digest, tests,"
        " judged_at FROM {db}.test_results"
    ),
    "hidden_scores": (
        "SELECT t.message, s.component, s.workload, s.workload_id, s.metric, s.capacity, s.requests, s.value, s.bound,"
        " s.best_baseline, s.best_baseline_value, s.picked, s.picked_value, s.baselines, s.programs"
        " FROM {db}.hidden_scores s JOIN {db}.test_results t ON t.id = s.test_result"
    ),
    "imports": "SELECT message, node, kind, workload, author, component, at FROM {db}.imports",
    "progress": ("SELECT message, node, kind, workload, printf('%.12g', best), evaluations, at FROM {db}.progress"),
    "collaborations": (
        "SELECT id, message, requester, kind, workload, wanted, evaluations, gap, requested_at, expires_at"
        " FROM {db}.collaborations"
    ),
    "collaboration_answers": (
        "SELECT message, collaboration, helper, status, reason, evaluations, component, answered_at"
        " FROM {db}.collaboration_answers"
    ),
}

_TYPES = sorted({MessageType.PATTERN_SHARE, *PROJECTIONS})
_PATTERNS_A_STEP = 1_000


def replay(db: sqlite3.Connection) -> Iterator[str]:
    """Fill main from archive.messages; yields what cannot be replayed. Raises sqlite3.Error."""
    db.execute("INSERT INTO main.nodes SELECT * FROM archive.nodes")
    rows = db.execute(
        "SELECT id, node, coalesce(scope, ''), received_at, type, payload FROM archive.messages"  # noqa: S608 — marks
        f" WHERE type IN ({', '.join('?' * len(_TYPES))}) ORDER BY id",
        [type_.value for type_ in _TYPES],
    )
    patterns: list[PatternShare] = []
    for id_, node, scope, received_at, type_, payload in rows:
        try:
            message = decode(payload.encode())
        except (ProtocolError, AttributeError) as error:
            yield f"message {id_} does not follow the protocol: {error}"
            continue
        if message.type.value != type_:
            continue  # told by its envelope
        entry = Accepted(message, scope, payload.encode(), received_at)
        if message.type is not MessageType.PATTERN_SHARE:
            PROJECTIONS[message.type](db, id_, node, entry)
            continue
        patterns.append(message.body)
        if len(patterns) == _PATTERNS_A_STEP:
            keep_best_patterns(db, patterns)
            patterns.clear()
    keep_best_patterns(db, patterns)
