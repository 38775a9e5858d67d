"""All fleets of the experiment, the same in one process, and both in one table.

In one process a budget is search alone; a trainer's also pays for its final choices and the textbook's programs it is
compared with, and its rounds are 100 evaluations instead of 50. So effects are compared, not scores.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import click
import orjson

from mqtt_hub.bundled import kernel_trainer
from mqtt_hub.experiment.fleet import Design, FleetResult, run_fleet
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.rehearsal import terminable

__all__ = ["design_of", "run_experiment"]

CONTROL = "isolated"
TWIN_S_MAX = 3600.0  # for the same in one process


def design_of(kind: str, workload: str, arms: Sequence[str], nodes: int, evaluations: int, seeds: int) -> Design:
    """Return what is compared; raises `ConfigurationError` where there is no such kind or workload."""
    known = {told["name"]: told for told in map(orjson.loads, kernel_trainer("kinds", "--json").splitlines())}
    if kind not in known:
        raise ConfigurationError(f"there is no kind {kind!r}", hint=f"known: {', '.join(known)}")
    told = known[kind]
    if workload not in told["workloads"]:
        names = ", ".join(told["workloads"])
        raise ConfigurationError(f"{kind} has no bundled workload {workload!r}", hint=f"known: {names}")
    return Design(
        kind=kind,
        specialization=told["specializations"][0],
        baseline=told["baseline"],
        others=tuple(name for name in known if name != kind),
        workload=workload,
        arms=tuple(dict.fromkeys((CONTROL, *arms))),
        nodes=nodes,
        evaluations=evaluations,
        seeds=seeds,
    )


def run_experiment(design: Design, *, home: Path | None, twin: bool, as_json: bool) -> None:
    """Run every fleet, seeds outermost, and print the table; ``twin``: run the same in one process too."""
    found = []
    work = [(seed, arm) for seed in range(1, design.seeds + 1) for arm in design.arms]
    with tempfile.TemporaryDirectory(prefix="mqtt-hub-experiment-") as place, terminable():
        root = home.expanduser().absolute() if home else Path(place)
        with click.progressbar(work, label="fleets", file=sys.stderr) as bar:
            for seed, arm in bar:
                found.append(run_fleet(design, arm, seed, root / f"{arm}-{seed}"))
        told = {
            **asdict(design),
            "fleet": {
                "arms": {arm: _sums(found, arm) for arm in design.arms},
                "effects": {arm: _effect(found, design, arm, Path(place)) for arm in design.arms if arm != CONTROL},
            },
            "results": [asdict(one) for one in found],
            "process": _in_one_process(design) if twin else None,
        }
    click.echo(orjson.dumps(told) if as_json else _text(told))


def _sums(found: Sequence[FleetResult], arm: str) -> dict[str, float]:
    mine = [one for one in found if one.arm == arm]
    return {
        "hidden": fmean(one.hidden for one in mine),
        **{key: sum(getattr(one, key) for one in mine) for key in ("submitted", "evaluations", "built_on", "answered")},
    }


def _effect(found: Sequence[FleetResult], design: Design, arm: str, place: Path) -> dict[str, Any]:
    """Return what the arm adds, by the trainers' own statistics."""
    by_arm = {(one.arm, one.seed): one.hidden for one in found}
    seeds = range(1, design.seeds + 1)
    path = place / "differences.json"
    path.write_bytes(orjson.dumps({design.workload: [by_arm[arm, seed] - by_arm[CONTROL, seed] for seed in seeds]}))
    effect: dict[str, Any] = orjson.loads(kernel_trainer("experiment", "effect", str(path), "--json"))
    return effect


def _in_one_process(design: Design) -> dict[str, Any]:
    arms = [word for arm in design.arms for word in ("--arm", arm)]
    told = orjson.loads(
        kernel_trainer(
            "experiment", "sharing", "--kind", design.kind, "--workloads", design.workload, "--setting", "classics",
            "--nodes", str(design.nodes), "--evaluations", str(design.evaluations), "--seeds", str(design.seeds),
            "--processes", "1", "--json", *arms, seconds_max=TWIN_S_MAX,
        )
    )  # fmt: skip
    hidden = {arm: fmean(told["scores"]["classics"][arm][design.workload]) for arm in design.arms}
    return {"hidden": hidden, "effects": told["effects"]["classics"]}


def _text(told: dict[str, Any]) -> str:
    about = f"{told['kind']} {told['workload']}: {told['nodes']} trainers, {told['evaluations']} evaluations each"
    lines = [
        f"{about}, {told['seeds']} seeds; share of the gap closed on the hidden part",
        f"{'':<12}{'fleet':>7}  {'adds, 95 % over seeds':<24}{'built on':>9}{'answers':>9}{'one process':>13}  adds",
    ]
    for arm in told["arms"]:
        sums, twin = told["fleet"]["arms"][arm], told["process"]
        lines.append(
            f"{arm:<12}{sums['hidden']:7.3f}  {_interval(told['fleet']['effects'].get(arm)):<24}"
            f"{sums['built_on']:>9}{sums['answered']:>9}"
            + (f"{twin['hidden'][arm]:13.3f}  {_interval(twin['effects'].get(arm))}" if twin else "")
        )
    return "\n".join(line.rstrip() for line in lines)


def _interval(effect: dict[str, Any] | None) -> str:
    if effect is None:
        return ""
    return f"{effect['mean']:+.3f} [{effect['seeds']['low']:+.3f} {effect['seeds']['high']:+.3f}]"
