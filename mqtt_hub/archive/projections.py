"""What an accepted message says, as rows people can read: one function a message type.

Each runs inside the transaction that stores the message, so the tables below never tell of a message that is
not in the archive, nor miss one that is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from mqtt_hub.archive.telemetry import note_progress
from mqtt_hub.intake import Accepted
from mqtt_hub.protocol.bodies import PatternShare
from mqtt_hub.protocol.codec import to_json
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import MessageType

__all__ = ["PROJECTIONS", "Projection", "keep_best_patterns"]

Projection = Callable[[sqlite3.Connection, int, int, Accepted], None]  # (connection, message id, node id, entry)

BEST_PATTERNS_MAX = 64  # of each kind: from them nodes are greeted, so that no greeting reads all that was ever said


def keep_best_patterns(connection: sqlite3.Connection, patterns: Iterable[PatternShare]) -> None:
    """Keep of each kind the patterns with the largest gain, each expression once, with its best evidence."""
    best: dict[str, dict[tuple[str, str], PatternShare]] = {}
    for body in patterns:
        known = best.setdefault(body.kind, {})
        before = known.get((body.function, body.expression))
        if before is None or body.gain > before.gain:
            known[body.function, body.expression] = body
    for kind, found in best.items():
        count, least = connection.execute(
            "SELECT count(*), min(gain) FROM best_patterns WHERE kind = ?", (kind,)
        ).fetchone()
        better = [body for body in found.values() if count < BEST_PATTERNS_MAX or body.gain > least]
        if not better:
            continue
        connection.executemany(
            "INSERT INTO best_patterns (kind, function, expression, unit, gain, uses, workload, component)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET unit = excluded.unit, gain = excluded.gain,"
            " uses = excluded.uses, workload = excluded.workload, component = excluded.component"
            " WHERE excluded.gain > gain",
            [
                (kind, body.function, body.expression, body.unit, body.gain, body.uses, body.workload, body.component)
                for body in better
            ],
        )
        connection.execute(
            "DELETE FROM best_patterns WHERE kind = ?1 AND (function, expression) NOT IN ("
            " SELECT function, expression FROM best_patterns WHERE kind = ?1 ORDER BY gain DESC, expression LIMIT ?2)",
            (kind, BEST_PATTERNS_MAX),
        )


def _code(connection: sqlite3.Connection, message: int, node: int, entry: Accepted) -> None:
    body = entry.message.body
    connection.execute(
        "INSERT INTO code (message, node, kind, component, source, authors, parents, claims)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message, node, body.kind, body.component, body.source, _json(body.authors), _json(body.parents),
            _json(body.claims),
        ),
    )  # fmt: skip
    _lineage(connection, node, entry)
    _discovery(connection, message, node, body.component)
    _imports(connection, message, node, entry)


def _component(connection: sqlite3.Connection, message: int, node: int, entry: Accepted) -> None:
    body = entry.message.body
    connection.execute(
        # What else is told of it follows from the best of its submissions.
        "INSERT OR IGNORE INTO components (id, message, node, kind, source, verdict) VALUES (?, ?, ?, ?, ?, 'pending')",
        (body.component, message, node, body.kind, body.source),
    )
    connection.execute(
        "INSERT OR IGNORE INTO submissions (id, message, node, component, kind, target, claims, authors, submitted_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            submission_id(entry.message.sender, body), message, node, body.component, body.kind, body.target,
            _json(body.claims), _json(body.authors), entry.received_at,
        ),
    )  # fmt: skip
    if body.claims:
        _workload(connection, body.claims[0].workload, body.kind, body.target, "train")
    _lineage(connection, node, entry)
    _discovery(connection, message, node, body.component)


def _discovery(connection: sqlite3.Connection, message: int, node: int, component: str) -> None:
    """Note who told of a component first: nobody gets credit for what another showed before."""
    if component:
        connection.execute(
            "INSERT OR IGNORE INTO discoveries (component, node, message) VALUES (?, ?, ?)", (component, node, message)
        )


def _lineage(connection: sqlite3.Connection, node: int, entry: Accepted) -> None:
    body = entry.message.body
    connection.executemany(
        "INSERT OR IGNORE INTO lineage (component, parent, kind, node) VALUES (?, ?, ?, ?)",
        [(body.component, parent, body.kind, node) for parent in body.parents if parent != body.component],
    )


def _imports(connection: sqlite3.Connection, message: int, node: int, entry: Accepted) -> None:
    """Note whose work a program builds on beside its sender's: where knowledge of others arrived."""
    body = entry.message.body
    workload = body.claims[0].workload if body.claims else ""
    connection.executemany(
        "INSERT INTO imports (message, node, kind, workload, author, component, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (message, node, body.kind, workload, author, body.component, entry.received_at)
            for author in body.authors
            if author != entry.message.sender
        ],
    )


def _test_result(connection: sqlite3.Connection, message: int, node: int, entry: Accepted) -> None:
    body = entry.message.body
    result = connection.execute(
        "INSERT INTO test_results (message, node, component, submission, submitter, verdict, faulty, reason, told,"
        " digest, tests, judged_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message, node, body.component, body.submission, body.submitter, body.verdict, body.faulty, body.reason,
            body.told, body.digest, _json(body.tests), entry.received_at,
        ),
    ).lastrowid  # fmt: skip
    for score in body.hidden:
        _workload(connection, score.id, body.kind, score.workload, "hidden")
        baselines = sorted(score.baselines.items(), key=lambda pair: pair[1])
        best, best_value = baselines[0] if baselines else ("", None)
        connection.execute(
            "INSERT INTO hidden_scores (test_result, component, workload, workload_id, metric, capacity, requests,"
            " value, bound, best_baseline, best_baseline_value, picked, picked_value, baselines, programs)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                result, body.component, score.workload, score.id, score.metric, score.capacity, score.requests,
                score.value, score.bound, best, best_value, score.picked, score.baselines.get(score.picked),
                _json(score.baselines), _json(score.programs),
            ),
        )  # fmt: skip


def _workload(connection: sqlite3.Connection, digest: str, kind: str, name: str, part: str) -> None:
    """Note the name of a workload, as the first message that gives both names it."""
    connection.execute(
        "INSERT OR IGNORE INTO workloads (id, kind, name, part) VALUES (?, ?, ?, ?)", (digest, kind, name, part)
    )


def _request(connection: sqlite3.Connection, message: int, node: int, entry: Accepted) -> None:
    body = entry.message.body
    _discovery(connection, message, node, body.component)
    connection.execute(
        "INSERT OR IGNORE INTO collaborations (id, message, requester, kind, workload, wanted, evaluations, gap,"
        " state, requested_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'open', ?, ?)",
        (
            entry.message.correlation_id, message, node, body.kind, body.workload, body.wanted, body.evaluations,
            body.gap, entry.received_at, entry.message.expires_at or None,
        ),
    )  # fmt: skip


def _response(connection: sqlite3.Connection, message: int, node: int, entry: Accepted) -> None:
    body, request = entry.message.body, entry.message.correlation_id
    _discovery(connection, message, node, body.component)
    asked = connection.execute(
        "SELECT c.id FROM collaborations c JOIN nodes n ON n.id = c.requester WHERE c.id = ? AND n.name = ?",
        (request, entry.scope),
    ).fetchone()
    if asked is None:
        return  # answers nobody's request: kept as a message, counted as no collaboration
    connection.execute(
        "INSERT INTO collaboration_answers (message, collaboration, helper, status, reason, evaluations, component,"
        " answered_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (message, request, node, body.status, body.reason, body.evaluations, body.component, entry.received_at),
    )
    if body.status == "accepted":
        connection.execute("UPDATE collaborations SET state = 'accepted' WHERE id = ? AND state = 'open'", (request,))
    elif body.status == "completed":
        connection.execute(
            "UPDATE collaborations SET state = 'completed', ended_at = ? WHERE id = ? AND state != 'expired'",
            (entry.received_at, request),
        )


def _json(value: object) -> str:
    return to_json(value).decode()


PROJECTIONS: dict[MessageType, Projection] = {
    MessageType.CODE_SHARE: _code,
    MessageType.OS_COMPONENT_SHARE: _component,
    MessageType.TEST_RESULT: _test_result,
    MessageType.PROGRESS: note_progress,
    MessageType.COLLABORATION_REQUEST: _request,
    MessageType.COLLABORATION_RESPONSE: _response,
}
