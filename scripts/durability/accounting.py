"""What a fleet's outboxes have given out, held against its archive: nothing lost, nothing twice.

Two accounts are kept, independent of each other: the keys that each outbox has given out (its own table of sessions),
and the numbers that each talking trainer has written down when its outbox had taken a message.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from parts import Fleet, Part, until

from mqtt_hub.archive.verify import verify

__all__ = ["Account", "account", "accounts_table", "archived_count", "checked", "drain", "heard", "totals"]

DRAINS_MAX = 5
MARK = re.compile(r"#([A-Za-z0-9_]+\.[0-9a-f]{8}\.\d+)#")


@dataclass
class Account:
    """One node's messages."""

    node: str
    accepted: int
    archived: int
    lost: int
    doubled: int


def _rows(fleet: Fleet, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Ask the archive beside the hub."""
    with closing(sqlite3.connect(f"file:{fleet.home.archive_path}?mode=ro", uri=True, timeout=10)) as db:
        return list(db.execute(sql, values).fetchall())


def archived_count(fleet: Fleet) -> int:
    """Return how many messages with a seq there are, accepted and rejected."""
    ((count,),) = _rows(
        fleet,
        "SELECT (SELECT count(*) FROM messages WHERE seq IS NOT NULL)"
        " + (SELECT count(*) FROM rejected WHERE seq IS NOT NULL)",
    )
    return int(count)


def heard(fleet: Fleet) -> set[str]:
    """Return the nodes of which a message with a seq is archived."""
    return {
        str(name)
        for (name,) in _rows(
            fleet,
            "SELECT name FROM nodes n WHERE EXISTS (SELECT 1 FROM messages WHERE node = n.id AND seq IS NOT NULL)",
        )
    }


def drain(fleet: Fleet) -> None:
    """Let every node get its receipts, and end in order: nodes first, hub and broker last."""
    for node in fleet.nodes:
        node.stop()
    for _ in range(DRAINS_MAX):
        left = [node for node in fleet.nodes if node.pending()]
        for node in left:
            node.start(*(["--drain"] if node in fleet.talkers else []))
        for node in left:
            until(lambda node=node: not node.pending(), f"the receipts of {node.name}")  # type: ignore[misc]
            node.stop()
        if not left:
            break
    fleet.stop()


def account(fleet: Fleet, node: Part) -> Account:
    """Compare what a node's outbox has given out, and what it wrote down, with the archive."""
    with closing(sqlite3.connect(node.home / "outbox.db")) as db:
        sessions = db.execute("SELECT session, last_seq FROM sessions").fetchall()
    given = {(session, seq) for session, last in sessions for seq in range(1, last + 1)}
    keys: Counter[object] = Counter()
    marks: Counter[str] = Counter()
    for table in ("messages", "rejected"):
        for session, seq, payload in _rows(
            fleet,
            f"SELECT t.session, t.seq, t.payload FROM {table} t JOIN nodes n ON n.id = t.node"  # noqa: S608 — names above
            " WHERE n.name = ? AND t.seq IS NOT NULL",
            node.name,
        ):
            keys[session, seq] += 1
            text = payload.decode(errors="replace") if isinstance(payload, bytes) else str(payload)
            marks.update(set(MARK.findall(text)))
    written = set()
    if node in fleet.talkers:
        written = {line for line in (node.home / "accepted").read_text().splitlines() if line.count(".") == 2}
    return Account(
        node.name,
        accepted=len(given),
        archived=len(keys),
        lost=len(given - keys.keys()) + len(written - marks.keys()),
        doubled=sum(count - 1 for count in keys.values()) + sum(count - 1 for count in marks.values()),
    )


def totals(accounts: list[Account]) -> dict[str, int]:
    """Return the sums over all nodes."""
    names = ("accepted", "archived", "lost", "doubled")
    return {name: sum(getattr(line, name) for line in accounts) for name in names}


def accounts_table(accounts: list[Account]) -> list[str]:
    """Return one line a node and one for all."""
    head = f"{'node':<16} {'accepted':>9} {'archived':>9} {'lost':>6} {'doubled':>8}"
    return [
        head,
        *(
            f"{line.node:<16} {line.accepted:>9} {line.archived:>9} {line.lost:>6} {line.doubled:>8}"
            for line in [*accounts, Account("all", **totals(accounts))]
        ),
    ]


def checked(fleet: Fleet) -> str:
    """Return what the archive's own check says of it: ok, or the first fault."""
    report = verify(fleet.home.archive_path)
    return "ok" if report.ok else str(report.faults[0])
