"""Kill -9 at random, account for every message: ``scripts/faults [--kills N] [--seed S] [--json]``.

::

    fleet at work ──▶ kill one of: a trainer, the hub with its broker, the validator, all at once ──▶ start it again
         ▲                                                                                             │ N times
         └─────────────────────────────────────────────────────────────────────────────────────────────┘
    then all drain, and: every message that an outbox has accepted is in the archive, once

Two accounts are kept, independent of each other: the keys that each outbox has given out (its own table of sessions),
and the numbers that each talking trainer has written down when its outbox had taken a message.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from parts import Fleet, Part, until

from mqtt_hub.archive.verify import verify

VICTIMS = {"trainer": 4, "hub": 4, "validator": 1, "all": 1}  # and how often, of 10
AT_WORK_SHARE = 0.75  # of the kills wait until something was archived since the last; the others come as they come
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


def archive_rows(fleet: Fleet, sql: str, *values: object) -> list[tuple[object, ...]]:
    """Ask the archive beside the hub."""
    with closing(sqlite3.connect(f"file:{fleet.home.archive_path}?mode=ro", uri=True, timeout=10)) as db:
        return list(db.execute(sql, values).fetchall())


def archived_count(fleet: Fleet) -> int:
    """Return how many messages with a seq there are, accepted and rejected."""
    ((count,),) = archive_rows(
        fleet,
        "SELECT (SELECT count(*) FROM messages WHERE seq IS NOT NULL)"
        " + (SELECT count(*) FROM rejected WHERE seq IS NOT NULL)",
    )
    return int(str(count))


def victims(fleet: Fleet, rng: random.Random) -> tuple[str, list[Part]]:
    """Draw who is killed."""
    role = rng.choices(list(VICTIMS), list(VICTIMS.values()))[0]
    if role == "all":
        return role, fleet.parts
    return role, [rng.choice([part for part in fleet.parts if part.role == role])]


def kill_at_random(fleet: Fleet, rng: random.Random, kills: int, *, told: bool) -> Counter[str]:
    """Kill so many times, with everything at work in between."""
    by_victim: Counter[str] = Counter()
    for number in range(1, kills + 1):
        if rng.random() < AT_WORK_SHARE:
            before = archived_count(fleet)
            until(lambda before=before: archived_count(fleet) > before, "something to be archived")  # type: ignore[misc]
        time.sleep(rng.random())
        role, parts = victims(fleet, rng)
        for part in parts:
            part.kill()
        by_victim[role] += 1
        fleet.start()
        if told:
            print(f"\r{number} kills, {archived_count(fleet)} messages archived ", end="", file=sys.stderr, flush=True)
    if told:
        print(file=sys.stderr)
    return by_victim


def drain(fleet: Fleet) -> None:
    """Let every node get its receipts, and end in order: nodes first, the hub last."""
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
    fleet.hub.stop()


def account(fleet: Fleet, node: Part) -> Account:
    """Compare what a node's outbox has given out, and what it wrote down, with the archive."""
    with closing(sqlite3.connect(node.home / "outbox.db")) as db:
        sessions = db.execute("SELECT session, last_seq FROM sessions").fetchall()
    given = {(session, seq) for session, last in sessions for seq in range(1, last + 1)}
    keys: Counter[object] = Counter()
    marks: Counter[str] = Counter()
    for table in ("messages", "rejected"):
        for session, seq, payload in archive_rows(
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


def show(report: dict[str, object], accounts: list[Account], by_victim: Counter[str]) -> None:
    """Print the table."""
    print("kills: " + ", ".join(f"{count} {victim}" for victim, count in sorted(by_victim.items())))
    print(f"{'node':<16} {'accepted':>9} {'archived':>9} {'lost':>6} {'doubled':>8}")
    for line in accounts:
        print(f"{line.node:<16} {line.accepted:>9} {line.archived:>9} {line.lost:>6} {line.doubled:>8}")
    print(
        f"{'all':<16} {report['accepted']:>9} {report['archived']:>9} {report['lost']:>6} {report['doubled']:>8}"
        f"   archive: {report['verify']}; {report['seconds']} s, seed {report['seed']}"
    )


def main() -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trainers", type=int, default=3, help="trainers that only talk")
    parser.add_argument("--real-trainers", type=int, default=0, help="trainers that search")
    parser.add_argument("--rate", type=float, default=40.0, help="messages a second of each that talks")
    parser.add_argument("--home", type=Path, help="keep everything here; a temporary directory by default")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mqtt-hub-faults-") as scratch:
        home = options.home or Path(scratch) / "hub"
        fleet = Fleet(home, talkers=options.trainers, searchers=options.real_trainers, rate=options.rate)
        try:
            fleet.start()
            until(lambda: archived_count(fleet) > 0, "the first message")
            by_victim = kill_at_random(fleet, random.Random(options.seed), options.kills, told=not options.json)
            drain(fleet)
            accounts = [account(fleet, node) for node in fleet.nodes]
        finally:
            fleet.close()
        verdict = checked(fleet)
    report: dict[str, object] = {
        "kills": dict(sorted(by_victim.items())),
        "accepted": sum(line.accepted for line in accounts),
        "archived": sum(line.archived for line in accounts),
        "lost": sum(line.lost for line in accounts),
        "doubled": sum(line.doubled for line in accounts),
        "verify": verdict,
        "seconds": round(time.monotonic() - began, 1),
        "seed": options.seed,
    }
    if options.json:
        print(json.dumps(report | {"nodes": [asdict(line) for line in accounts]}, indent=1))
    else:
        show(report, accounts, by_victim)
    return 0 if not report["lost"] and not report["doubled"] and verdict == "ok" else 1


def checked(fleet: Fleet) -> str:
    """Return what the archive's own check says of it: ok, or the first fault."""
    report = verify(fleet.home.archive_path)
    return "ok" if report.ok else str(report.faults[0])


if __name__ == "__main__":
    sys.exit(main())
