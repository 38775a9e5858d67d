"""Is the archive what it says it is: eleven questions to the file, each answered with facts and never with a traceback.

::

    file          SQLite's own check of pages and indexes
    schema        tables, indexes and views as the migrations make them; no trigger that nobody knows
    references    every row's node, message, component, request is there
    keys          no (node, session, seq) twice: accepted, rejected or pruned
    sessions      messages belong to sessions that were granted
    gaps          up to where a session is committed, every seq is there, or was pruned
    envelopes     each message's bytes say what its columns say
    knowledge     best patterns, code, components, results, collaborations: replayed from the messages, compared
    verdicts      every verdict has a validator's result behind it, every component shows one of its submissions
    trust         every node stands as the events that are told of it come to
    states        every collaboration's state has the answers behind it; no fewer messages were counted than are there

What lies beyond a gap that is still open is told apart (`Report.open_gaps`): its sender has it in its outbox.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import orjson
from sqlite_utils import Database

from mqtt_hub.archive.replay import COMPARED, replay
from mqtt_hub.archive.schema import MIGRATIONS, open_read_only
from mqtt_hub.protocol.table import HUB
from mqtt_hub.trust import Deed, Event, Standing

__all__ = ["CHECKS", "Fault", "Report", "verify"]

FAULTS_A_CHECK_MAX = 100  # told; one more line says that there are more


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it must be."""

    check: str
    facts: str


@dataclass(slots=True)
class Report:
    """What was found; an archive without faults may have open gaps: messages still on their way."""

    messages: int = 0
    rejected: int = 0
    pruned: int = 0
    open_gaps: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the archive is what it says it is."""
        return not self.faults


def verify(path: Path, *, begin: Callable[[str], None] = lambda _check: None) -> Report:
    """Ask everything, telling ``begin`` each check's name before it.

    Raises `ArchiveError` where there is no archive, or one of a newer version.
    Needs a read transaction on the archive (the hub may go on writing) and room for a copy of its tables in a
    temporary file.
    """
    report = Report()
    open_read_only(path).close()  # says what is wrong with a file that cannot be asked at all
    with closing(sqlite3.connect("", uri=True, isolation_level=None)) as scratch:
        MIGRATIONS.apply(Database(scratch))
        scratch.execute("ATTACH ? AS archive", (f"{path.absolute().as_uri()}?mode=ro",))
        scratch.execute("BEGIN")  # one snapshot for all questions
        _count(scratch, report)
        for name, check in CHECKS.items():
            begin(name)
            _ask(name, check, scratch, report)
        with suppress(sqlite3.Error):  # told by the checks
            report.open_gaps = list(_open_gaps(scratch))
    return report


def _ask(name: str, check: Callable[[sqlite3.Connection], Iterable[str]], db: sqlite3.Connection, into: Report) -> None:
    try:
        found = list(islice(check(db), FAULTS_A_CHECK_MAX + 1))
    except sqlite3.Error as error:
        found = [f"cannot be checked: {error}"]
    if len(found) > FAULTS_A_CHECK_MAX:
        found[-1] = "... and more"
    into.faults += [Fault(name, facts) for facts in found]


def _count(db: sqlite3.Connection, report: Report) -> None:
    try:
        (report.messages,) = db.execute("SELECT count(*) FROM archive.messages").fetchone()
        (report.rejected,) = db.execute("SELECT count(*) FROM archive.rejected").fetchone()
        (report.pruned,) = db.execute("SELECT coalesce(sum(last - first + 1), 0) FROM archive.pruned").fetchone()
    except sqlite3.Error as error:
        report.faults.append(Fault("file", f"cannot be counted: {error}"))


def _file(db: sqlite3.Connection) -> Iterator[str]:
    for (line,) in db.execute(f"PRAGMA archive.integrity_check({FAULTS_A_CHECK_MAX})"):
        if line != "ok":
            yield str(line)


def _schema(db: sqlite3.Connection) -> Iterator[str]:
    """Compare with the scratch database, in which the migrations have just run."""
    there = {(type_, name): sql for type_, name, sql in db.execute("SELECT type, name, sql FROM archive.sqlite_master")}
    for type_, name, sql in db.execute("SELECT type, name, sql FROM main.sqlite_master ORDER BY name"):
        if (type_, name) not in there:
            yield f"{type_} {name} is missing"
        elif there[type_, name] != sql:
            yield f"{type_} {name} is not as the migrations make it"
    for type_, name in sorted(there):
        if type_ == "trigger":
            yield f"trigger {name} is nobody's"


def _references(db: sqlite3.Connection) -> Iterator[str]:
    for table, row, parent, _constraint in db.execute("PRAGMA archive.foreign_key_check"):
        yield f"{table} row {row}: its {parent} row is not there"
    yield from (
        f"lineage of {component[:12]}: its node is not there"
        for (component,) in db.execute(
            "SELECT component FROM archive.lineage WHERE node NOT IN (SELECT id FROM archive.nodes)"
        )
    )


_KEYS = """
    SELECT node, session, seq, 'accepted' AS how FROM archive.messages WHERE seq IS NOT NULL
    UNION ALL SELECT node, session, seq, 'rejected' FROM archive.rejected WHERE seq IS NOT NULL
"""


def _keys(db: sqlite3.Connection) -> Iterator[str]:
    doubled = f"SELECT node, session, seq, group_concat(how) FROM ({_KEYS}) GROUP BY 1, 2, 3 HAVING count(*) > 1"  # noqa: S608 — text above
    for node, session, seq, how in db.execute(doubled):
        yield f"{_name(db, node)} session {session} seq {seq} is there twice ({how})"
    pruned = (
        f"SELECT k.node, k.session, k.seq FROM ({_KEYS}) k JOIN archive.pruned p"  # noqa: S608 — text above
        " ON p.node = k.node AND p.session = k.session AND k.seq BETWEEN p.first AND p.last"
    )
    for node, session, seq in db.execute(pruned):
        yield f"{_name(db, node)} session {session} seq {seq} is there and said to be pruned"


def _sessions(db: sqlite3.Connection) -> Iterator[str]:
    for node, session, granted, row in db.execute(
        f"SELECT k.node, k.session, n.session, s.id FROM (SELECT DISTINCT node, session FROM ({_KEYS})) k"  # noqa: S608 — text above
        " JOIN archive.nodes n ON n.id = k.node"
        " LEFT JOIN archive.sessions s ON s.node = k.node AND s.session = k.session"
    ):
        if row is None:
            yield f"{_name(db, node)} session {session} has messages and no row"
        elif granted is not None and session > granted and _name(db, node) != HUB:
            yield f"{_name(db, node)} session {session} was never granted (the last is {granted})"


def _missing(db: sqlite3.Connection, node: int, session: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of seqs within first..last that are neither there nor pruned."""
    expected = first
    for begin, end in db.execute(
        f"SELECT seq, seq FROM ({_KEYS}) WHERE node = ?1 AND session = ?2 AND seq BETWEEN ?3 AND ?4"  # noqa: S608 — text above
        " UNION ALL SELECT first, last FROM archive.pruned WHERE node = ?1 AND session = ?2 ORDER BY 1",
        (node, session, first, last),
    ):
        if begin > expected:
            yield expected, min(begin - 1, last)
        expected = max(expected, end + 1)
    if expected <= last:
        yield expected, last


def _gaps(db: sqlite3.Connection) -> Iterator[str]:
    for node, session, upto in db.execute("SELECT node, session, upto FROM archive.sessions").fetchall():
        for first, last in _missing(db, node, session, 1, upto):
            yield f"{_name(db, node)} session {session}: {first}..{last} is missing, all up to {upto} was committed"


def _open_gaps(db: sqlite3.Connection) -> Iterator[str]:
    for node, session, upto, highest in db.execute(
        f"SELECT s.node, s.session, s.upto, max(k.seq) FROM archive.sessions s JOIN ({_KEYS}) k"  # noqa: S608 — text above
        " ON k.node = s.node AND k.session = s.session WHERE k.seq > s.upto GROUP BY 1, 2, 3"
    ).fetchall():
        for first, last in _missing(db, node, session, upto + 1, highest):
            yield f"{_name(db, node)} session {session}: {first}..{last}"


_ENVELOPE = ("sender", "type", "session", "seq", "sent_at", "correlation_id")


def _envelopes(db: sqlite3.Connection) -> Iterator[str]:
    for id_, payload, *columns in db.execute(
        "SELECT m.id, m.payload, n.name, m.type, m.session, m.seq, m.sent_at, m.correlation_id"
        " FROM archive.messages m JOIN archive.nodes n ON n.id = m.node"
    ):
        try:
            envelope = orjson.loads(payload)
        except (orjson.JSONDecodeError, TypeError):
            envelope = None
        if type(envelope) is not dict:
            yield f"message {id_} of {columns[0]} is no JSON object"
            continue
        said = [envelope.get(name) or None for name in _ENVELOPE]
        if said != columns:
            differ = [name for name, one, other in zip(_ENVELOPE, said, columns, strict=True) if one != other]
            yield f"message {id_} of {columns[0]} says another {', '.join(differ)} than its row"


def _knowledge(db: sqlite3.Connection) -> Iterator[str]:
    """Replay the messages into the scratch database, and compare what comes of it."""
    yield from replay(db)
    for table, columns in COMPARED.items():
        made, there = columns.format(db="main"), columns.format(db="archive")
        missing = {row[0] for row in db.execute(f"{made} EXCEPT {there}")}
        strange = {row[0] for row in db.execute(f"{there} EXCEPT {made}")}
        for key in sorted(missing | strange, key=str):
            if key not in strange:
                yield f"{table}: what {_short(key)} says is missing"
            elif key not in missing:
                yield f"{table}: {_short(key)} has no message behind it"
            else:
                yield f"{table}: {_short(key)} is not what its message says"
    # Who told of a program first is known longer than the message that did: then it names none.
    for (component,) in db.execute(
        "SELECT component FROM (SELECT component, node, message FROM archive.discoveries WHERE message IS NOT NULL"
        " EXCEPT SELECT component, node, message FROM main.discoveries)"
        " UNION SELECT component FROM main.discoveries"
        " WHERE component NOT IN (SELECT component FROM archive.discoveries)"
    ):
        yield f"discoveries: {_short(component)} was not told first as its messages say"


def _verdicts(db: sqlite3.Connection) -> Iterator[str]:
    for submission, verdict in db.execute(
        "SELECT id, verdict FROM archive.submissions u WHERE verdict NOT IN ('pending', 'disputed') AND NOT EXISTS ("
        "  SELECT 1 FROM archive.test_results t WHERE t.submission = u.id AND t.verdict = u.verdict"
        "  AND t.digest IS u.digest AND t.message > u.opened_after)"
    ):
        yield f"submission {submission[:12]} is {verdict}, and no validator has said so"
    shown = "node, message, target, claims, verdict, reason, submitted_at, judged_at, digest"
    for (component,) in db.execute(
        f"SELECT id FROM (SELECT id, submission, {shown} FROM archive.components"  # noqa: S608 — columns above
        f" EXCEPT SELECT component, id, {shown} FROM archive.submissions)"
    ):
        yield f"component {component[:12]} does not show what its submission says"
    for (component,) in db.execute(
        "SELECT id FROM archive.components c WHERE (SELECT group_concat(author) FROM (SELECT author"
        "  FROM archive.component_authors WHERE component = c.id ORDER BY author)) IS NOT (SELECT group_concat(value)"
        "  FROM (SELECT DISTINCT j.value FROM archive.submissions u, json_each(u.authors) j WHERE u.id = c.submission"
        "  ORDER BY j.value))"
    ):
        yield f"component {component[:12]} has other authors than its submission says"
    for (component,) in db.execute(
        "SELECT id FROM archive.components c WHERE c_source IS NOT NULL AND NOT EXISTS ("
        "  SELECT 1 FROM archive.test_results t JOIN archive.messages m ON m.id = t.message"
        "  WHERE t.component = c.id AND json_extract(m.payload, '$.body.c_source') = c.c_source)"
    ):
        yield f"component {component[:12]} has a C source that no validator has sent"


def _trust(db: sqlite3.Connection) -> Iterator[str]:
    standings: dict[int, Standing] = {}
    for node, deed, cause, credit in db.execute(
        "SELECT node, deed, cause, credit_millionths FROM archive.trust_events ORDER BY id"
    ):
        try:
            event = Event(Deed(deed), cause, credit)
        except ValueError:
            yield f"{_name(db, node)} is said to have done {deed!r}, which is no deed"
            continue
        standings[node] = standings.get(node, Standing()).after(event)
    columns = "improvements, offences, strikes, credit_millionths, quarantined"
    kept = {
        node: Standing(*row)
        for node, *row in db.execute(f"SELECT node, {columns} FROM archive.trust")  # noqa: S608 — columns above
    }
    for node in sorted(standings.keys() | kept.keys()):
        if standings.get(node) != kept.get(node):
            yield f"{_name(db, node)} does not stand as its events say"


def _states(db: sqlite3.Connection) -> Iterator[str]:
    for request, state in db.execute(
        "SELECT id, state FROM archive.collaborations c WHERE"
        " (state IN ('accepted', 'completed') AND NOT EXISTS ("
        "   SELECT 1 FROM archive.collaboration_answers a WHERE a.collaboration = c.id AND a.status = c.state))"
        " OR (state = 'open' AND EXISTS ("
        "   SELECT 1 FROM archive.collaboration_answers a WHERE a.collaboration = c.id AND a.status != 'declined'))"
        " OR state NOT IN ('open', 'accepted', 'completed', 'declined', 'expired')"
    ):
        yield f"collaboration {request} is {state}, its answers say otherwise"
    for type_, messages, counted in db.execute(
        "SELECT m.type, m.messages, coalesce(t.messages, 0) FROM"
        " (SELECT type, count(*) AS messages FROM archive.messages GROUP BY type) m"
        " LEFT JOIN archive.totals t ON t.type = m.type WHERE coalesce(t.messages, 0) < m.messages"
    ):
        yield f"{messages} messages are {type_}, and {counted} were counted"


def _name(db: sqlite3.Connection, node: int) -> str:
    row = db.execute("SELECT name FROM archive.nodes WHERE id = ?", (node,)).fetchone()
    return str(row[0]) if row else f"node {node}"


def _short(key: object) -> str:
    return f"message {key}" if isinstance(key, int) else str(key)[:24]


CHECKS: dict[str, Callable[[sqlite3.Connection], Iterable[str]]] = {
    "file": _file,
    "schema": _schema,
    "references": _references,
    "keys": _keys,
    "sessions": _sessions,
    "gaps": _gaps,
    "envelopes": _envelopes,
    "knowledge": _knowledge,
    "verdicts": _verdicts,
    "trust": _trust,
    "states": _states,
}
