"""Is what people read what follows from the messages: knowledge, verdicts, trust, states of collaborations."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from mqtt_hub.archive.verify.names import node_name, short
from mqtt_hub.archive.verify.replay import COMPARED, replay
from mqtt_hub.trust import Deed, Event, Standing

__all__ = ["knowledge", "states", "trust", "verdicts"]


def knowledge(db: sqlite3.Connection) -> Iterator[str]:
    """Replay the messages into the scratch database, and compare what comes of it."""
    yield from replay(db)
    for table, columns in COMPARED.items():
        made, there = columns.format(db="main"), columns.format(db="archive")
        missing = {row[0] for row in db.execute(f"{made} EXCEPT {there}")}
        strange = {row[0] for row in db.execute(f"{there} EXCEPT {made}")}
        for key in sorted(missing | strange, key=str):
            if key not in strange:
                yield f"{table}: what {short(key)} says is missing"
            elif key not in missing:
                yield f"{table}: {short(key)} has no message behind it"
            else:
                yield f"{table}: {short(key)} is not what its message says"
    # Who told of a program first is known longer than the message that did: then it names none.
    for (component,) in db.execute(
        "SELECT component FROM (SELECT component, node, message FROM archive.discoveries WHERE message IS NOT NULL"
        " EXCEPT SELECT component, node, message FROM main.discoveries)"
        " UNION SELECT component FROM main.discoveries"
        " WHERE component NOT IN (SELECT component FROM archive.discoveries)"
    ):
        yield f"discoveries: {short(component)} was not told first as its messages say"


def verdicts(db: sqlite3.Connection) -> Iterator[str]:
    """Tell which verdicts have no result behind them, and which components show none of their submissions."""
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


def trust(db: sqlite3.Connection) -> Iterator[str]:
    """Tell which nodes do not stand as their events come to."""
    standings: dict[int, Standing] = {}
    for node, deed, cause, credit in db.execute(
        "SELECT node, deed, cause, credit_millionths FROM archive.trust_events ORDER BY id"
    ):
        try:
            event = Event(Deed(deed), cause, credit)
        except ValueError:
            yield f"{node_name(db, node)} is said to have done {deed!r}, which is no deed"
            continue
        standings[node] = standings.get(node, Standing()).after(event)
    columns = "improvements, offences, strikes, credit_millionths, quarantined"
    kept = {
        node: Standing(*row)
        for node, *row in db.execute(f"SELECT node, {columns} FROM archive.trust")  # noqa: S608 — columns above
    }
    for node in sorted(standings.keys() | kept.keys()):
        if standings.get(node) != kept.get(node):
            yield f"{node_name(db, node)} does not stand as its events say"


def states(db: sqlite3.Connection) -> Iterator[str]:
    """Tell which collaborations have no answers behind their state, and types counted too few of."""
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
