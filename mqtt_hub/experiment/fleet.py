"""One fleet of the experiment: all trainers on one workload, with one way to share; the archive has its result.

A trainer's result is the hidden score of what it had accepted last, its own best by its own evidence. One that
had nothing accepted found nothing better than the textbook, and counts 0, the default policy.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import orjson

from mqtt_hub.archive.queries import components, sharing
from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.bundled import add_bundled
from mqtt_hub.cli.home import create_home
from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import MqttHubError
from mqtt_hub.rehearsal import START_S, await_verdicts, free_port, running_hub
from mqtt_hub.spawn import NodePlan, Supervisor, enlist
from mqtt_hub.workload_store import WorkloadStore

__all__ = ["ARMS", "Design", "FleetResult", "run_fleet"]

# What trainers take from each other; patterns that are asked for in vain cost nothing, requests cost their helpers.
ARMS = {
    "isolated": "nothing",
    "patterns": "patterns",
    "programs": "programs",
    "requests": "requests",
    "all": "patterns,programs,requests",
}
EVALUATION_S_MAX = 1.0  # on average: a fleet that takes longer than its evaluations times that is ended


@dataclass(frozen=True, slots=True)
class Design:
    """What is compared; ``kind`` is one of `kernel-trainer kinds --json`."""

    kind: str
    specialization: str
    baseline: str  # that closes nothing of the gap
    others: tuple[str, ...]  # the other kinds, whose workloads stay away
    workload: str
    arms: tuple[str, ...]
    nodes: int
    evaluations: int
    seeds: int


@dataclass(frozen=True, slots=True)
class FleetResult:
    """What one fleet came to."""

    arm: str
    seed: int
    hidden: float  # mean over the trainers
    submitted: int  # trainers that had something accepted
    evaluations: int
    built_on: int  # findings shared with another's work in them, as the archive counts them
    answered: int  # requests that were completed


def run_fleet(design: Design, arm: str, seed: int, path: Path) -> FleetResult:
    """Run one fleet to the end of its budget in a new home at ``path``; raises what the user can mend."""
    home = Home(path)
    create_home(home, Config(port=free_port(), dashboard=False))
    add_bundled(
        WorkloadStore(home.workloads), some=dict.fromkeys(design.others, ()) | {design.kind: (design.workload,)}
    )
    plans = [NodePlan("Validator_1", "validator", design.specialization)]
    for number in range(1, design.nodes + 1):
        # Seeds of their own, and so classics of their own, as the setting `classics` has it.
        options = ("--seed", str(1000 * seed + number), "--evaluations", str(design.evaluations), "--takes", ARMS[arm])
        plans.append(NodePlan(f"AI_Node_{number}", "trainer", design.specialization, options))
    enlist(home, plans)
    with running_hub(home):
        config = home.config()
        supervisor = Supervisor(home, plans, host="127.0.0.1", port=home.running_port(), prefix=config.prefix)
        supervisor.start()
        try:
            _await_trainers(supervisor, START_S + EVALUATION_S_MAX * design.nodes * design.evaluations)
            await_verdicts(home, supervisor)
        finally:
            supervisor.stop()
    return _result(home, design, arm, seed)


def _await_trainers(supervisor: Supervisor, seconds_max: float) -> None:
    deadline = time.monotonic() + seconds_max
    while supervisor.running(only_role="trainer"):
        supervisor.poll()
        supervisor.check()
        if time.monotonic() > deadline:
            raise MqttHubError(f"the fleet is not done after {seconds_max:.0f} s", hint="fewer --evaluations")
        time.sleep(0.1)


def _result(home: Home, design: Design, arm: str, seed: int) -> FleetResult:
    db = open_read_only(home.archive_path)
    with closing(db.conn):
        gaps = [_gap(row, design.baseline) for row in components.last_accepted(db, design.kind, design.workload)]
        built_on, answered = sharing.adoptions(db)
    spent = [
        int((home.nodes / f"AI_Node_{number}" / "evaluations").read_text()) for number in range(1, design.nodes + 1)
    ]
    return FleetResult(
        arm, seed, fmean(gaps + [0.0] * (design.nodes - len(gaps))), len(gaps), sum(spent), built_on, answered
    )


def _gap(row: dict[str, object], baseline: str) -> float:
    """Return the share of the way from the default baseline to the bound."""
    start, bound = orjson.loads(str(row["baselines"]))[baseline], float(str(row["bound"]))
    return (start - float(str(row["value"]))) / (start - bound) if start != bound else 0.0
