"""The archive's schema as an append-only history of named migrations.

::

    nodes ──┬─ sessions     one row a start of a node: how far it is committed
            ├─ pruned       the keys of what `archive prune` has taken out, as ranges
            ├─ messages     every accepted message, as it was sent
            └─ rejected     every other one: raw bytes and the reason
    what accepted messages say, for people to read:
    best_patterns   code   components ── component_authors ── lineage
    test_results ── hidden_scores   collaborations ── collaboration_answers
    views: patterns, leaderboard, who_helped_whom, lineage_of_accepted, traffic_by_minute

A published migration never changes; a new one follows it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlite_utils import Database, Migrations

from mqtt_hub.protocol.errors import ArchiveError

__all__ = ["MIGRATIONS", "open_archive", "open_read_only"]

BUSY_TIMEOUT_MS = 5_000
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
    except sqlite3.Error as error:
        raise explain(error, path) from error
    return db


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
