"""Starts the parts, watches them, stops them in order."""

from __future__ import annotations

import subprocess
import tempfile
import time
from itertools import cycle
from pathlib import Path

import click
import orjson

from mqtt_hub.archive.queries import fleet, totals
from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.bundled import add_bundled, kernel_trainer, specializations
from mqtt_hub.cli.home import create_home
from mqtt_hub.config import DEFAULT_DASHBOARD_PORT, Config
from mqtt_hub.demo.summary import NodeSent, Summary, summarize
from mqtt_hub.demo.text import render
from mqtt_hub.home import Home
from mqtt_hub.live import LiveLines, node_line
from mqtt_hub.protocol.errors import MqttHubError
from mqtt_hub.rehearsal import START_S, await_verdicts, free_port, running_hub, terminable
from mqtt_hub.spawn import NodePlan, Supervisor, enlist
from mqtt_hub.starts import note_start
from mqtt_hub.workload_store import WorkloadStore

__all__ = ["run_demo"]

# One of four trainers has each of these kinds to itself: in a minute it gets somewhere on a few workloads,
# and nowhere on all that is bundled.
SHOWN = {
    "cpu_scheduling": ("archive", "build", "shop", "web"),
    "io_scheduling": ("archive", "backup", "database", "orders"),
}


def run_demo(*, seconds: int, nodes: int, seed: int, evaluations: int | None, home: Path | None, as_json: bool) -> None:
    """Run the demo and print its summary; raises what the user can mend."""
    budget = ("--evaluations", str(evaluations)) if evaluations else ()
    place = Home(home.expanduser().absolute() if home else Path(tempfile.mkdtemp(prefix="mqtt-hub-demo-")))
    show = LiveLines() if not as_json else None
    plans = _plans(nodes, seed, budget)
    if show:
        click.echo(f"home: {place.path}")
    create_home(
        place, Config(port=free_port(), dashboard=not as_json, dashboard_port=free_port(DEFAULT_DASHBOARD_PORT))
    )
    add_bundled(WorkloadStore(place.workloads), some=SHOWN)
    enlist(place, plans)
    note_start(place.path, "demo", {"seconds": seconds, "nodes": nodes, "seed": seed, "evaluations": evaluations})
    with terminable(), running_hub(place) as hub:
        port = place.running_port()
        if show:
            click.echo(f"hub:  127.0.0.1:{port}")
            click.echo(f"look: http://127.0.0.1:{place.config().dashboard_port} while it runs")
        supervisor = Supervisor(place, plans, host="127.0.0.1", port=port, prefix=place.config().prefix)
        supervisor.start()
        try:
            searched_s = _watch(place, hub, supervisor, seconds, show)
            if show:
                click.echo("stopping the trainers, waiting for the last verdicts")
            supervisor.stop(only_role="trainer")
            await_verdicts(place, supervisor)
        finally:
            supervisor.stop()
    summary = summarize(place, seconds=searched_s, seed=seed, sent=[_sent(place, plan) for plan in plans])
    _print(summary, place, as_json=as_json)


def _plans(nodes: int, seed: int, budget: tuple[str, ...]) -> list[NodePlan]:
    """Return the fleet: trainers of every specialization in turn, and a validator, which serves them all."""
    names = specializations()
    trainers = [
        NodePlan(f"AI_Node_{number}", "trainer", name, ("--seed", str(seed + number), *budget))
        for number, name in zip(range(1, nodes + 1), cycle(names), strict=False)
    ]
    return [NodePlan("Validator_1", "validator", names[0]), *trainers]


def _watch(
    home: Home, hub: subprocess.Popen[bytes], supervisor: Supervisor, seconds: int, show: LiveLines | None
) -> float:
    """Show the nodes at work for so long from the moment all are accepted; returns how long it was."""
    db = open_read_only(home.archive_path)
    began = time.monotonic()
    all_ready_at: float | None = None
    while True:
        supervisor.poll()
        supervisor.check()
        if hub.poll() is not None:
            raise MqttHubError(f"the hub ended with code {hub.returncode}", hint=f"see {home.path / 'hub.log'}")
        now = time.monotonic()
        if all_ready_at is None:
            ready = sum(row["state"] == "ready" for row in fleet.presence(db))
            if ready == len(supervisor.children) or now - began > START_S:
                all_ready_at = now
        elif now - all_ready_at >= seconds or not supervisor.running(only_role="trainer"):
            db.close()
            return now - all_ready_at
        if show:
            head = "starting" if all_ready_at is None else f"{now - all_ready_at:4.0f} s of {seconds}"
            show.show(
                [node_line(child) for child in supervisor.children]
                + [f"{head}: {_traffic(totals.messages_by_type(db), totals.components_by_verdict(db))}"]
            )
        time.sleep(0.5)


def _traffic(types: dict[str, int], verdicts: dict[str, int]) -> str:
    return (
        f"{sum(types.values())} messages, {types.get('PATTERN_SHARE', 0)} patterns,"
        f" {types.get('CODE_SHARE', 0)} programs,"
        f" components {verdicts.get('accepted', 0)} accepted, {verdicts.get('pending', 0)} pending"
    )


def _sent(home: Home, plan: NodePlan) -> NodeSent:
    said = orjson.loads(kernel_trainer("outbox", "--home", str(home.nodes / plan.name), "--json"))
    return NodeSent(plan.name, plan.role, int(said["sent"]), int(said["evaluations"]))


def _print(summary: Summary, home: Home, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    else:
        click.echo(render(summary, home))
