"""The archive's schema as an append-only history of named migrations.

::

    nodes ──┬─ sessions     one row a start of a node: how far it is committed
            ├─ pruned       the keys of what `archive prune` has taken out, as ranges
            ├─ messages     every accepted message, as it was sent
            └─ rejected     every other one: raw bytes and the reason
    what accepted messages say, for people to read:
    best_patterns   code   components ── component_authors ── lineage   discoveries
    submissions ── test_results ── hidden_scores   collaborations ── collaboration_answers
    trust_events ── trust   operator_decisions
    what the dashboard asks all the time, kept up by the batch (telemetry.py):
    totals   traffic   activities   progress   imports   workloads
    views: patterns, leaderboard, who_helped_whom, lineage_of_accepted, traffic_by_minute, standings, offences

A published migration never changes; a new one follows it.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sqlite_utils import Database, Migrations

from mqtt_hub.archive.backfill import TELEMETRY
from mqtt_hub.protocol.codec import decode, to_json
from mqtt_hub.protocol.errors import ArchiveError
from mqtt_hub.protocol.submission import submission_id

__all__ = ["MIGRATIONS", "one_moment", "open_archive", "open_read_only"]

BUSY_TIMEOUT_MS = 5_000
_STEPS_A_CHECK = 50_000  # of SQLite's machine, about a millisecond
MIGRATIONS = Migrations("mqtt_hub.archive")


@MIGRATIONS()
def m0001_messages(db: Database) -> None:
    """Who sent what, accepted or not, and how far each session is committed."""
    db.table("nodes").create(
        {
            "id": int, "name": str, "role": str, "specialization": str, "kinds": str, "state": str,
            "session": int, "instance": str, "capabilities": str, "first_seen": str, "last_seen": str,
        },
        pk="id", not_null={"name", "role"},
    )  # fmt: skip
    db.table("nodes").create_index(["name"], unique=True)
    db.table("sessions").create(
        {"id": int, "node": int, "session": int, "upto": int, "granted_at": str},
        pk="id", foreign_keys=[("node", "nodes", "id")], not_null={"node", "session", "upto"},
    )  # fmt: skip
    db.table("sessions").create_index(["node", "session"], unique=True)
    db.table("messages").create(
        {
            "id": int, "node": int, "session": int, "seq": int, "type": str, "scope": str,
            "correlation_id": str, "sent_at": str, "received_at": str, "payload": str,
        },
        pk="id", foreign_keys=[("node", "nodes", "id")],
        not_null={"node", "session", "type", "received_at", "payload"},
    )  # fmt: skip
    db.table("messages").create_index(["node", "session", "seq"], unique=True)
    db.table("messages").create_index(["type"])
    db.table("rejected").create(
        {
            "id": int, "node": int, "session": int, "seq": int, "topic": str, "reason": str,
            "received_at": str, "payload": bytes,
        },
        pk="id", foreign_keys=[("node", "nodes", "id")], not_null={"topic", "reason", "received_at"},
    )  # fmt: skip
    db.execute(
        "CREATE UNIQUE INDEX rejected_key ON rejected (node, session, seq) WHERE seq IS NOT NULL",
    )


@MIGRATIONS()
def m0002_knowledge(db: Database) -> None:
    """What accepted messages say: patterns, code, components, verdicts, collaborations."""
    message = ("message", "messages", "id")
    node = ("node", "nodes", "id")
    db.table("patterns").create(
        {
            "id": int, "message": int, "node": int, "kind": str, "function": str, "expression": str,
            "unit": str, "gain": float, "uses": int, "workload": str, "component": str,
        },
        pk="id", foreign_keys=[message, node],
    )  # fmt: skip
    db.table("code").create(
        {
            "id": int, "message": int, "node": int, "kind": str, "component": str, "source": str,
            "authors": str, "parents": str, "claims": str,
        },
        pk="id", foreign_keys=[message, node],
    )  # fmt: skip
    db.table("components").create(
        {
            "id": str, "message": int, "node": int, "kind": str, "source": str, "c_source": str,
            "target": str, "claims": str, "verdict": str, "reason": str, "submitted_at": str, "judged_at": str,
            "digest": str,
        },
        pk="id", foreign_keys=[message, node], not_null={"kind", "source", "verdict"},
    )  # fmt: skip
    db.table("component_authors").create(
        {"component": str, "author": str},
        pk=("component", "author"),
        foreign_keys=[("component", "components", "id")],
    )
    # No foreign key to components: a parent may be known from code alone, or to its author only.
    db.table("lineage").create({"component": str, "parent": str, "kind": str, "node": int}, pk=("component", "parent"))
    db.table("test_results").create(
        {
            "id": int, "message": int, "node": int, "component": str, "submitter": str, "verdict": str,
            "reason": str, "digest": str, "tests": str, "judged_at": str,
        },
        pk="id", foreign_keys=[message, node],
    )  # fmt: skip
    db.table("test_results").create_index(["component"])
    db.table("hidden_scores").create(
        {
            "id": int, "test_result": int, "component": str, "workload": str, "workload_id": str, "metric": str,
            "capacity": int, "requests": int, "value": float, "bound": float, "best_baseline": str,
            "best_baseline_value": float, "picked": str, "picked_value": float, "baselines": str, "programs": str,
        },
        pk="id", foreign_keys=[("test_result", "test_results", "id")],
    )  # fmt: skip
    db.table("hidden_scores").create_index(["workload_id"])
    db.table("collaborations").create(
        {
            "id": str, "message": int, "requester": int, "kind": str, "workload": str, "wanted": str,
            "evaluations": int, "gap": float, "state": str, "requested_at": str, "expires_at": str,
            "ended_at": str,
        },
        pk="id", foreign_keys=[message, ("requester", "nodes", "id")], not_null={"state"},
    )  # fmt: skip
    db.table("collaboration_answers").create(
        {
            "id": int, "message": int, "collaboration": str, "helper": int, "status": str, "reason": str,
            "evaluations": int, "component": str, "answered_at": str,
        },
        pk="id",
        foreign_keys=[message, ("collaboration", "collaborations", "id"), ("helper", "nodes", "id")],
    )  # fmt: skip


@MIGRATIONS()
def m0003_views(db: Database) -> None:
    """The questions people ask first."""
    db.create_view(
        "leaderboard",
        """
        SELECT s.workload, c.kind, s.metric, s.capacity, s.requests, s.value, s.bound, s.best_baseline,
               s.best_baseline_value,
               round((s.best_baseline_value - s.value) / nullif(s.best_baseline_value - s.bound, 0), 4)
                   AS gap_closed_beyond_best_baseline,
               s.component, n.name AS submitted_by, c.verdict
        FROM hidden_scores s
        JOIN test_results t ON t.id = s.test_result
        JOIN components c ON c.id = s.component AND c.digest = t.digest AND c.verdict = t.verdict
        LEFT JOIN nodes n ON n.id = c.node
        WHERE c.verdict = 'accepted'
        GROUP BY s.workload_id, s.capacity, s.component
        ORDER BY s.workload, s.value, s.component
        """,
    )
    db.create_view(
        "who_helped_whom",
        """
        SELECT h.name AS helper, r.name AS requester, c.kind, a.status, count(*) AS answers,
               sum(a.evaluations) AS evaluations, count(nullif(a.component, '')) AS components
        FROM collaboration_answers a
        JOIN collaborations c ON c.id = a.collaboration
        JOIN nodes h ON h.id = a.helper
        JOIN nodes r ON r.id = c.requester
        GROUP BY h.name, r.name, c.kind, a.status
        ORDER BY answers DESC
        """,
    )
    db.create_view(
        "lineage_of_accepted",
        """
        WITH RECURSIVE line(component, ancestor, generation) AS (
            SELECT id, id, 0 FROM components WHERE verdict = 'accepted'
            UNION
            SELECT line.component, l.parent, line.generation + 1
            FROM line JOIN lineage l ON l.component = line.ancestor
            WHERE line.generation < 64
        )
        SELECT line.component, line.generation, line.ancestor, n.name AS found_by
        FROM line
        LEFT JOIN lineage l ON l.component = line.ancestor
        LEFT JOIN nodes n ON n.id = l.node
        GROUP BY line.component, line.generation, line.ancestor
        ORDER BY line.component, line.generation
        """,
    )
    db.create_view(
        "traffic_by_minute",
        """
        SELECT substr(m.received_at, 1, 16) AS minute, m.type, count(*) AS messages, sum(length(m.payload)) AS bytes
        FROM messages m GROUP BY 1, 2 ORDER BY 1 DESC, 3 DESC
        """,
    )


@MIGRATIONS()
def m0012_patterns_once(db: Database) -> None:
    """A pattern is told by its message: a view for people, and of each kind the best, from which nodes are greeted."""
    db.table("best_patterns").create(
        {
            "kind": str, "function": str, "expression": str, "unit": str, "gain": float, "uses": int,
            "workload": str, "component": str,
        },
        pk=("kind", "function", "expression"), not_null={"gain"},
    )  # fmt: skip
    db.execute(
        """
        INSERT INTO best_patterns SELECT kind, function, expression, unit, gain, uses, workload, component FROM (
            SELECT *, row_number() OVER (PARTITION BY kind ORDER BY gain DESC, expression) AS place FROM (
                SELECT kind, function, expression, unit, max(gain) AS gain, uses, workload, component
                FROM patterns GROUP BY kind, function, expression
            )
        ) WHERE place <= 64
        """
    )
    db.table("patterns").drop()
    fields = ("kind", "function", "expression", "unit", "gain", "uses", "workload", "component")
    columns = ", ".join(f"json_extract(payload, '$.body.{field}') AS {field}" for field in fields)
    sql = f"SELECT id, id AS message, node, {columns} FROM messages WHERE type = 'PATTERN_SHARE'"  # noqa: S608 — names above
    db.create_view("patterns", sql)


@MIGRATIONS()
def m0014_bounds(db: Database) -> None:
    """What was rejected beyond a node's quota, and which keys retention has taken out: no gap is unexplained."""
    db.table("nodes").add_column("rejected_beyond", int, not_null_default=0)
    db.table("pruned").create(
        {"id": int, "node": int, "session": int, "first": int, "last": int, "pruned_at": str},
        pk="id", foreign_keys=[("node", "nodes", "id")], not_null={"node", "session", "first", "last"},
    )  # fmt: skip
    db.table("pruned").create_index(["node", "session", "first"], unique=True)


@MIGRATIONS()
def m0018_trust(db: Database) -> None:
    """Verdicts belong to submissions, credit to who told first, and every node has a standing."""
    message, node = ("message", "messages", "id"), ("node", "nodes", "id")
    db.table("submissions").create(
        {
            "id": str, "message": int, "node": int, "component": str, "kind": str, "target": str, "claims": str,
            "authors": str, "needed": int, "verdict": str, "reason": str, "digest": str, "agreeing": int,
            "dissenting": int, "round": int, "opened_after": int, "submitted_at": str, "judged_at": str,
        },
        pk="id", foreign_keys=[message, node, ("component", "components", "id")],
        not_null={"verdict", "round", "opened_after"},
        defaults={"verdict": "pending", "agreeing": 0, "dissenting": 0, "round": 0, "opened_after": 0},
    )  # fmt: skip
    db.table("submissions").create_index(["component"])
    db.table("submissions").create_index(["verdict", "kind"])
    for column, type_ in (("submission", str), ("faulty", int), ("told", str)):
        db.table("test_results").add_column(column, type_)
    db.table("test_results").create_index(["submission"])
    db.table("components").add_column("submission", str)
    db.table("discoveries").create(
        {"component": str, "node": int, "message": int}, pk="component", foreign_keys=[node, message]
    )
    db.table("trust_events").create(
        {
            "id": int, "node": int, "at": str, "deed": str, "cause": str, "credit_millionths": int,
            "submission": str,
        },
        pk="id", foreign_keys=[node], not_null={"node", "at", "deed"},
    )  # fmt: skip
    db.execute(
        "CREATE UNIQUE INDEX trust_events_once ON trust_events (node, submission, deed) WHERE submission IS NOT NULL"
    )
    db.table("trust").create(
        {
            "node": int, "improvements": int, "offences": int, "strikes": int, "credit_millionths": int,
            "quarantined": str, "level": str, "trust": float, "since": str,
        },
        pk="node", foreign_keys=[node],
    )  # fmt: skip
    db.table("operator_decisions").create(
        {"id": str, "at": str, "action": str, "subject": str, "reason": str, "done": int}, pk="id"
    )
    _submissions_of_before(db)
    _views_of_trust(db)


def _submissions_of_before(db: Database) -> None:
    """Make one submission of each component there is, with the verdict it has, and find who told of it first."""
    rows = db.execute(
        "SELECT c.id, c.message, c.node, c.kind, c.target, c.claims, c.verdict, c.reason, c.digest, c.submitted_at,"
        " c.judged_at, m.payload, n.name FROM components c JOIN messages m ON m.id = c.message"
        " JOIN nodes n ON n.id = c.node"
    ).fetchall()
    for component, *middle, digest, submitted_at, judged_at, payload, name in rows:
        body = decode(payload.encode()).body
        submission = submission_id(name, body)
        db.execute(
            "INSERT INTO submissions (id, component, message, node, kind, target, claims, verdict, reason, digest,"
            " submitted_at, judged_at, authors) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (submission, component, *middle, digest, submitted_at, judged_at, to_json(body.authors).decode()),
        )
        db.execute("UPDATE components SET submission = ? WHERE id = ?", (submission, component))
        db.execute("UPDATE test_results SET submission = ? WHERE component = ?", (submission, component))
    db.execute(
        "INSERT INTO discoveries (component, node, message) SELECT component, node, min(message) FROM ("
        " SELECT component, node, message FROM code UNION ALL SELECT id, node, message FROM components"
        " UNION ALL SELECT component, helper, message FROM collaboration_answers"
        ") WHERE component != '' GROUP BY component"
    )


def _views_of_trust(db: Database) -> None:
    db.create_view(
        "leaderboard",
        """
        SELECT s.workload, c.kind, s.metric, s.capacity, s.requests, s.value, s.bound, s.best_baseline,
               s.best_baseline_value,
               round((s.best_baseline_value - s.value) / nullif(s.best_baseline_value - s.bound, 0), 4)
                   AS gap_closed_beyond_best_baseline,
               s.component, f.name AS found_by, n.name AS submitted_by, c.verdict
        FROM hidden_scores s
        JOIN test_results t ON t.id = s.test_result
        JOIN submissions u ON u.id = t.submission AND u.digest = t.digest AND u.verdict = t.verdict
        JOIN components c ON c.id = s.component AND c.submission = u.id
        LEFT JOIN nodes n ON n.id = u.node
        LEFT JOIN discoveries d ON d.component = s.component
        LEFT JOIN nodes f ON f.id = d.node
        WHERE u.verdict = 'accepted'
        GROUP BY s.workload_id, s.capacity, s.component
        ORDER BY s.workload, s.value, s.component
        """,
        replace=True,
    )
    db.create_view(
        "lineage_of_accepted",
        """
        WITH RECURSIVE line(component, ancestor, generation) AS (
            SELECT id, id, 0 FROM components WHERE verdict = 'accepted'
            UNION
            SELECT line.component, l.parent, line.generation + 1
            FROM line JOIN lineage l ON l.component = line.ancestor
            WHERE line.generation < 64
        )
        SELECT line.component, line.generation, line.ancestor,
               coalesce(told.name, (SELECT n.name FROM lineage l JOIN nodes n ON n.id = l.node
                                    WHERE l.parent = line.ancestor ORDER BY l.rowid LIMIT 1)) AS found_by,
               told.name IS NOT NULL AS shared
        FROM line
        LEFT JOIN discoveries d ON d.component = line.ancestor
        LEFT JOIN nodes told ON told.id = d.node
        GROUP BY line.component, line.generation, line.ancestor
        ORDER BY line.component, line.generation
        """,
        replace=True,
    )
    db.create_view(
        "standings",
        """
        SELECT n.name, n.role, coalesce(t.level, 'new') AS level, coalesce(t.trust, 0.5) AS trust,
               coalesce(t.improvements, 0) AS improvements, coalesce(t.offences, 0) AS offences,
               coalesce(t.strikes, 0) AS strikes, coalesce(t.credit_millionths, 0) / 1e6 AS credit,
               coalesce(t.quarantined, '') AS quarantined, t.since
        FROM nodes n LEFT JOIN trust t ON t.node = n.id
        WHERE n.role != 'hub' AND n.name NOT IN ('hub', 'broker')
        ORDER BY n.name
        """,
    )
    db.create_view(
        "offences",
        """
        SELECT e.id, e.at, n.name, e.deed, e.cause, e.submission
        FROM trust_events e JOIN nodes n ON n.id = e.node
        WHERE e.deed NOT IN ('improved', 'release') ORDER BY e.id
        """,
    )


@MIGRATIONS()
def m0019_telemetry(db: Database) -> None:
    """What is asked all the time: counts by type, what nodes do, who got better when, and with whose work."""
    db.table("totals").create({"type": str, "messages": int}, pk="type")
    db.table("traffic").create({"at": str, "type": str, "messages": int}, pk=("at", "type"))
    db.table("workloads").create(
        {"id": str, "kind": str, "name": str, "part": str}, pk="id", not_null={"kind", "name", "part"}
    )
    node = ("node", "nodes", "id")
    db.table("activities").create(
        {"id": int, "node": int, "activity": str, "kind": str, "began_at": str, "ended_at": str, "told": int},
        pk="id", foreign_keys=[node], not_null={"node", "activity", "began_at", "ended_at"},
    )  # fmt: skip
    db.table("activities").create_index(["node"])
    db.table("progress").create(
        {
            "id": int, "message": int, "node": int, "kind": str, "workload": str, "best": float,
            "evaluations": int, "at": str,
        },
        pk="id", foreign_keys=[("message", "messages", "id"), node], not_null={"node", "kind", "workload", "best"},
    )  # fmt: skip
    db.table("progress").create_index(["kind", "workload", "node", "best"])
    db.table("imports").create(
        {
            "id": int, "message": int, "node": int, "kind": str, "workload": str, "author": str,
            "component": str, "at": str,
        },
        pk="id", foreign_keys=[("message", "messages", "id"), node], not_null={"node", "author"},
    )  # fmt: skip
    db.table("imports").create_index(["workload", "node"])
    # None of these tables takes more than a row in a hundred messages, so an index there is not felt.
    db.table("components").create_index(["verdict"])
    db.table("submissions").create_index(["kind", "target", "verdict", "message"])
    db.execute("DROP INDEX idx_hidden_scores_workload_id")
    db.table("hidden_scores").create_index(["workload_id", "capacity", "value"])
    db.table("hidden_scores").create_index(["component"])
    db.table("collaborations").create_index(["workload", "requester"])
    db.table("collaboration_answers").create_index(["collaboration"])
    db.table("lineage").create_index(["parent"])
    db.table("code").create_index(["component"])
    for statement in TELEMETRY:
        db.execute(statement)


@MIGRATIONS()
def m0031_verdicts_of_a_node(db: Database) -> None:
    """A node that says HELLO is told the newest verdicts on its own submissions."""
    db.table("submissions").create_index(["node", "message"])


def open_archive(path: Path) -> Database:
    """Open (or make) the archive for writing, brought to the newest schema.

    Raises `ArchiveError` when it is locked, damaged, not writable or from a newer version.
    """
    try:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, check_same_thread=False)
        db = Database(connection)
        db.execute("PRAGMA journal_mode=WAL")
        # FULL: an acknowledged message survives a power cut too; in batches it costs little (docs/archive.md).
        db.execute("PRAGMA synchronous=FULL")
        _refuse_newer(db, path)
        MIGRATIONS.apply(db)
    except sqlite3.Error as error:
        raise explain(error, path) from error
    # From here on transactions are begun and ended by the writer alone.
    connection.isolation_level = None
    return db


def open_read_only(path: Path) -> Database:
    """Open the archive for reading beside a running hub; raises `ArchiveError`."""
    if not path.exists():
        raise ArchiveError(f"{path}: no archive there", hint="mqtt-hub init makes one, --home says where")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_MS / 1000)
        db = Database(connection)
        _refuse_newer(db, path)
        if missing := sorted(_names() - {migration.name for migration in MIGRATIONS.applied(db)}):
            raise ArchiveError(
                f"{path}: written by an older version ({missing[0]} is missing)",
                hint="mqtt-hub serve brings it up to date",
            )
    except sqlite3.Error as error:
        raise explain(error, path) from error
    return db


def one_moment(db: Database, *, seconds_max: float) -> None:
    """Make all that is asked from now on of one moment, and give up when SQLite has been busy for so long.

    Then `sqlite3.OperationalError` says "interrupted".
    """
    until_s = time.monotonic() + seconds_max
    db.conn.set_progress_handler(lambda: time.monotonic() > until_s, _STEPS_A_CHECK)
    db.conn.isolation_level = None
    db.conn.execute("BEGIN")


def explain(error: sqlite3.Error, path: Path) -> ArchiveError:
    """Return SQLite's error as one that says what to do."""
    text = str(error)
    hints = {
        "locked": "another program holds it: is a second hub running on this home?",
        "readonly": "the file or its directory is not writable by this user",
        "unable to open": "the directory is missing or not writable by this user",
        "full": "the disk is full: nothing is acknowledged until there is room",
        "not a database": "this is no SQLite file: restore a backup or choose another home",
        "malformed": "the file is damaged: restore a backup",
    }
    hint = next((hint for word, hint in hints.items() if word in text), "")
    return ArchiveError(f"{path}: {text}", hint=hint)


def _refuse_newer(db: Database, path: Path) -> None:
    unknown = sorted({migration.name for migration in MIGRATIONS.applied(db)} - _names())
    if unknown:
        raise ArchiveError(
            f"{path}: written by a newer version (it knows {unknown[-1]})",
            hint="update mqtt-hub, or use another home",
        )


def _names() -> set[str]:
    return {migration.name for migration in MIGRATIONS._migrations}  # noqa: SLF001 — its only list of all names
