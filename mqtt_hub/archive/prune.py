"""Retention: what is old goes, in whole units, and leaves its keys behind.

::

    a program     everything said of one component: CODE_SHARE, OS_COMPONENT_SHARE, TEST_RESULT and their rows; who told
                  of it first stays known, and so do all events that trust follows from
    a request     COLLABORATION_REQUEST and its answers
    the rest      one message each; rejected ones too

    never         the ancestry of an accepted or pending component; the patterns that nodes are greeted with; what
                  was a node's best so far; a request that is open; what is not gapless yet
    left behind   the keys, as ranges in `pruned`: no gap is unexplained, no key is new again

A unit goes when its newest message is old. Each transaction takes some whole units, so that the hub waits little and
a kill in the middle leaves an archive that `verify` finds sound.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mqtt_hub.archive.schema import explain, open_archive, open_read_only
from mqtt_hub.protocol.codec import stamp

__all__ = ["Pruned", "prune", "shrink"]

UNITS_A_TRANSACTION_MAX = 500
STEPS_MAX = 20  # towards a size: each takes the next twentieth of what there was

_UNITS = """
CREATE TEMP TABLE kept AS
    WITH RECURSIVE line(id) AS (
        SELECT id FROM components WHERE verdict IN ('accepted', 'pending', 'disputed')
        UNION SELECT l.parent FROM line JOIN lineage l ON l.component = line.id
    ) SELECT id FROM line;
CREATE TEMP TABLE evidence AS
    SELECT min(p.id) AS id FROM patterns p JOIN best_patterns b USING (kind, function, expression)
    WHERE abs(p.gain - b.gain) <= 1e-9 * abs(b.gain) GROUP BY kind, function, expression
    UNION SELECT message FROM progress;
CREATE TEMP TABLE units AS
    SELECT m.id AS message, m.received_at AS at,
        CASE WHEN m.type IN ('CODE_SHARE', 'OS_COMPONENT_SHARE', 'TEST_RESULT')
                THEN 'program ' || json_extract(m.payload, '$.body.component')
             WHEN m.type IN ('COLLABORATION_REQUEST', 'COLLABORATION_RESPONSE') AND m.correlation_id IS NOT NULL
                THEN 'request ' || m.correlation_id
             ELSE 'message ' || m.id END AS unit,
        (m.seq IS NOT NULL AND m.seq > coalesce(s.upto, 0)) OR m.id IN (SELECT id FROM evidence) AS needed
    FROM messages m LEFT JOIN sessions s ON s.node = m.node AND s.session = m.session;
CREATE TEMP TABLE doomed AS
    SELECT unit, max(at) AS at FROM units GROUP BY unit
    HAVING NOT max(needed)
        AND NOT (unit LIKE 'program %' AND substr(unit, 9) IN (SELECT id FROM kept))
        AND NOT (unit LIKE 'request %'
                 AND substr(unit, 9) IN (SELECT id FROM collaborations WHERE state IN ('open', 'accepted')));
CREATE INDEX temp.units_by_unit ON units (unit);
"""


_OF_A_COMPONENT = {
    "submissions": "component", "component_authors": "component", "lineage": "component", "components": "id",
}  # fmt: skip


@dataclass(slots=True)
class Pruned:
    """What was taken out; sizes in bytes, of pages in use."""

    messages: int = 0
    rejected: int = 0
    bytes_before: int = 0
    bytes_after: int = 0


def prune(path: Path, *, now_s: float, older_than_s: float | None = None, bytes_max: int | None = None) -> Pruned:
    """Take out what is older than so many seconds, then the oldest until no more than so many bytes are in use.

    The hub may run meanwhile. Raises `ArchiveError`. What must be kept may be more than ``bytes_max``.
    """
    open_read_only(path).close()  # what is not there is not made
    db = open_archive(path)
    with closing(db.conn) as connection:
        try:
            done = Pruned(bytes_before=_bytes_in_use(connection))
            if older_than_s is not None:
                _prune_before(connection, stamp(now_s - older_than_s), stamp(now_s), done)
            if bytes_max is not None:
                for cutoff in _cutoffs(connection):
                    if _bytes_in_use(connection) <= bytes_max:
                        break
                    _prune_before(connection, cutoff, stamp(now_s), done)
            done.bytes_after = _bytes_in_use(connection)
        except sqlite3.Error as error:
            raise explain(error, path) from error
    return done


def shrink(path: Path) -> None:
    """Give room that is not in use back to the disk; rewrites the file, so no hub may run. Raises `ArchiveError`."""
    db = open_archive(path)
    with closing(db.conn) as connection:
        try:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise explain(error, path) from error


def _bytes_in_use(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _cutoffs(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield points in time that split the messages there are into equal parts, the oldest first."""
    times = "SELECT received_at FROM messages UNION ALL SELECT received_at FROM rejected"
    (count,) = connection.execute(f"SELECT count(*) FROM ({times})").fetchone()  # noqa: S608 — text above
    points = [
        connection.execute(f"SELECT received_at FROM ({times}) ORDER BY 1 LIMIT 1 OFFSET ?", (at,)).fetchone()[0]  # noqa: S608 — text above
        for step in range(1, STEPS_MAX + 1)
        if (at := min(count * step // STEPS_MAX, count - 1)) >= 0
    ]
    yield from dict.fromkeys(points)


def _prune_before(connection: sqlite3.Connection, cutoff: str, now: str, done: Pruned) -> None:
    for table in ("kept", "evidence", "units", "doomed"):
        connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
    connection.executescript(_UNITS)
    units = [unit for (unit,) in connection.execute("SELECT unit FROM doomed WHERE at < ? ORDER BY at", (cutoff,))]
    for first in range(0, len(units), UNITS_A_TRANSACTION_MAX):
        done.messages += _take_out(connection, units[first : first + UNITS_A_TRANSACTION_MAX], now)
    done.rejected += _take_out_rejected(connection, cutoff, now)


def _take_out(connection: sqlite3.Connection, units: Sequence[str], now: str) -> int:
    connection.execute("BEGIN IMMEDIATE")
    try:
        marks = ", ".join("?" * len(units))
        connection.execute("CREATE TEMP TABLE going AS SELECT 0 AS id WHERE 0")
        connection.execute(f"INSERT INTO going SELECT message FROM units WHERE unit IN ({marks})", units)  # noqa: S608 — question marks
        keys = connection.execute(
            "SELECT node, session, seq FROM messages WHERE id IN (SELECT id FROM going) AND seq IS NOT NULL"
        ).fetchall()
        _note_pruned(connection, keys, now)
        components = [unit.removeprefix("program ") for unit in units if unit.startswith("program ")]
        requests = [unit.removeprefix("request ") for unit in units if unit.startswith("request ")]
        for table, column in _OF_A_COMPONENT.items():
            connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(name,) for name in components])  # noqa: S608 — names above
        connection.executemany("DELETE FROM collaborations WHERE id = ?", [(name,) for name in requests])
        # Who told of a program first keeps the credit, also when nobody can read it there any more.
        connection.execute("UPDATE discoveries SET message = NULL WHERE message IN (SELECT id FROM going)")
        connection.execute(
            "DELETE FROM hidden_scores WHERE test_result IN"
            " (SELECT id FROM test_results WHERE message IN (SELECT id FROM going))"
        )
        for table in ("code", "imports", "test_results", "collaboration_answers"):
            connection.execute(f"DELETE FROM {table} WHERE message IN (SELECT id FROM going)")  # noqa: S608 — names above
        count = connection.execute("DELETE FROM messages WHERE id IN (SELECT id FROM going)").rowcount
        connection.execute("DROP TABLE temp.going")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return int(count)


def _take_out_rejected(connection: sqlite3.Connection, cutoff: str, now: str) -> int:
    old = (
        "SELECT r.id FROM rejected r LEFT JOIN sessions s ON s.node = r.node AND s.session = r.session"
        " WHERE r.received_at < ? AND (r.seq IS NULL OR r.seq <= coalesce(s.upto, 0))"
    )
    connection.execute("BEGIN IMMEDIATE")
    try:
        ids = connection.execute(old, (cutoff,)).fetchall()
        keys = [
            key
            for id_ in ids
            for key in connection.execute(
                "SELECT node, session, seq FROM rejected WHERE id = ? AND seq IS NOT NULL", id_
            )
        ]
        _note_pruned(connection, keys, now)
        connection.executemany("DELETE FROM rejected WHERE id = ?", ids)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return len(ids)


def _note_pruned(connection: sqlite3.Connection, keys: Sequence[tuple[int, int, int]], now: str) -> None:
    """Add keys to the pruned ranges, each as long as it can be."""
    seqs: dict[tuple[int, int], list[int]] = defaultdict(list)
    for node, session, seq in keys:
        seqs[node, session].append(seq)
    for (node, session), numbers in seqs.items():
        for _, run in groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0]):
            run_seqs = [seq for _index, seq in run]
            first, last = run_seqs[0], run_seqs[-1]
            beside = connection.execute(
                "SELECT id, first, last FROM pruned WHERE node = ? AND session = ? AND (last = ? OR first = ?)",
                (node, session, first - 1, last + 1),
            ).fetchall()
            first = min([first, *(row[1] for row in beside)])
            last = max([last, *(row[2] for row in beside)])
            connection.executemany("DELETE FROM pruned WHERE id = ?", [(row[0],) for row in beside])
            connection.execute(
                "INSERT INTO pruned (node, session, first, last, pruned_at) VALUES (?, ?, ?, ?, ?)",
                (node, session, first, last, now),
            )
