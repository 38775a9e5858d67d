"""Kill -9 at random, account for every message: ``scripts/faults [--kills N] [--seed S] [--broker mosquitto]``.

::

    fleet at work ──▶ kill one of: a trainer, the hub with its broker, the validator, all at once ──▶ start it again
         ▲               (with another broker: that broker, or the hub)                                │ N times
         └─────────────────────────────────────────────────────────────────────────────────────────────┘
    then all drain, and: every message that an outbox has accepted is in the archive, once (accounting.py)
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from accounting import Account, account, accounts_table, archived_count, checked, drain, heard, totals
from parts import Fleet, Part, until

VICTIMS = {"trainer": 4, "hub": 4, "broker": 4, "validator": 1, "all": 1}  # and how often, of as many as there are
PERSISTENCE = {"on": "autosave_interval 1", "off": "persistence false"}  # mosquitto saves every 60 s unless told
AT_WORK_SHARE = 0.75  # of the kills wait until something was archived since the last; the others come as they come


def victims(fleet: Fleet, rng: random.Random) -> tuple[str, list[Part]]:
    """Draw who is killed."""
    chances = {role: often for role, often in VICTIMS.items() if role != "broker" or fleet.broker is not None}
    role = rng.choices(list(chances), list(chances.values()))[0]
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


def show(report: dict[str, object], accounts: list[Account], by_victim: Counter[str]) -> None:
    """Print the table."""
    print("kills: " + ", ".join(f"{count} {victim}" for victim, count in sorted(by_victim.items())))
    *lines, last = accounts_table(accounts)
    print("\n".join([*lines, f"{last}   archive: {report['verify']}; {report['seconds']} s, seed {report['seed']}"]))


def main() -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trainers", type=int, default=3, help="trainers that only talk")
    parser.add_argument("--real-trainers", type=int, default=0, help="trainers that search")
    parser.add_argument("--rate", type=float, default=40.0, help="messages a second of each that talks")
    parser.add_argument("--broker", choices=["embedded", "mosquitto"], default="embedded")
    parser.add_argument("--persistence", choices=list(PERSISTENCE), default="on", help="mosquitto's own, on its disk")
    parser.add_argument("--home", type=Path, help="keep everything here; a temporary directory by default")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mqtt-hub-faults-") as scratch:
        home = options.home or Path(scratch) / "hub"
        fleet = Fleet(
            home,
            talkers=options.trainers,
            searchers=options.real_trainers,
            rate=options.rate,
            mosquitto=None if options.broker == "embedded" else PERSISTENCE[options.persistence],
        )
        try:
            fleet.start()
            until(lambda: heard(fleet) >= {node.name for node in fleet.nodes}, "the first message of every node")
            by_victim = kill_at_random(fleet, random.Random(options.seed), options.kills, told=not options.json)
            drain(fleet)
            accounts = [account(fleet, node) for node in fleet.nodes]
        finally:
            fleet.close()
        verdict = checked(fleet)
    report: dict[str, object] = {
        "kills": dict(sorted(by_victim.items())),
        **totals(accounts),
        "verify": verdict,
        "seconds": round(time.monotonic() - began, 1),
        "seed": options.seed,
    }
    if options.json:
        print(json.dumps(report | {"nodes": [asdict(line) for line in accounts]}, indent=1))
    else:
        show(report, accounts, by_victim)
    return 0 if not report["lost"] and not report["doubled"] and verdict == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
