"""The experiment as a table for people, and as one object for machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from trainers.experiment.arms import CONTROL
from trainers.experiment.settings import Setting
from trainers.experiment.sharing import Design, Record, effects, fleet_effects, imports, scores, worths
from trainers.experiment.statistics import Effect

__all__ = ["as_json", "as_text"]


def as_text(design: Design, found: Sequence[Record]) -> str:
    """Return a table a setting: each arm's mean hidden score, and what it adds with two intervals."""
    blocks = []
    for setting in design.settings:
        lines = [
            f"{setting}: {_what(setting)}",
            f"  {CONTROL:<10} {_mean(found, setting, CONTROL):6.3f}  of the gap closed on hidden parts",
        ]
        fleets = _of_fleets(found, setting)
        for arm, added in effects(found, setting).items():
            counts = {what: sum(counted.values()) for what, counted in imports(found, setting, arm).items()}
            lines.append(
                f"  {arm:<10} {_mean(found, setting, arm):6.3f}  {_effect(added)}  used {counts['used']:,} times"
                + (f" ({counts['adopted']:,} of {counts['adopted'] + counts['refused']:,})" * bool(counts["refused"]))
                + (f", fleet {_effect(fleets[arm])}" if arm in fleets else "")
            )
        lines += [f"  {node}'s gifts    {_effect(worth)}" for node, worth in worths(found, setting).items()]
        blocks.append("\n".join(lines))
    blocks.append(
        f"{design.nodes} nodes, {design.evaluations} evaluations each, {design.seeds} seeds,"
        f" {len(design.pairs)} workloads. In brackets: 95 % over seeds, for these workloads; then over workloads too.\n"
        "+ or -: zero lies outside of the first. Used: new bests that go back to something imported.\n"
        "Fleet: the same of the one node whose own evidence is best, which is what a fleet would hand over."
    )
    return "\n\n".join(blocks)


def as_json(design: Design, found: Sequence[Record]) -> dict[str, Any]:
    """Return the design, every score (by setting, arm and workload, one a seed) and all that follows from them."""
    return {
        "kind": design.pairs[0].train.kind,
        "workloads": [
            {"name": pair.train.name, "train": pair.train.id, "hidden": pair.hidden.id} for pair in design.pairs
        ],
        "nodes": design.nodes,
        "evaluations": design.evaluations,
        "seeds": design.seeds,
        "effects": _by_setting(design, lambda setting: _told(effects(found, setting))),
        "fleet_effects": _by_setting(design, lambda setting: _told(_of_fleets(found, setting))),
        "gifts": _by_setting(design, lambda setting: _told(worths(found, setting))),
        "imports": _by_setting(design, lambda setting: {arm: imports(found, setting, arm) for arm in design.arms}),
        "scores": _by_setting(design, lambda setting: {arm: scores(found, setting, arm) for arm in design.arms}),
        "scores_without": _by_setting(
            design, lambda setting: {node: scores(found, setting, "all", node) for node in worths(found, setting)}
        ),
    }


def _by_setting(design: Design, of: Callable[[Setting], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what is told of each setting, without what was not run in it."""
    return {str(setting): {name: told for name, told in of(setting).items() if told} for setting in design.settings}


def _told(effects_: Mapping[str, Effect]) -> dict[str, Any]:
    return {name: asdict(effect) for name, effect in effects_.items()}


def _of_fleets(found: Sequence[Record], setting: Setting) -> dict[str, Effect]:
    """Return what arms add to what a fleet hands over, where its nodes search for the same."""
    return fleet_effects(found, setting) if setting in {Setting.SAME, Setting.CLASSICS} else {}


def _mean(found: Sequence[Record], setting: Setting, arm: str) -> float:
    return fmean(score for some in scores(found, setting, arm).values() for score in some)


def _effect(added: Effect) -> str:
    return (
        f"{added.mean:+.3f} [{added.seeds.low:+.3f} {added.seeds.high:+.3f}]"
        f" [{added.workloads.low:+.3f} {added.workloads.high:+.3f}] {added.seeds.beyond_zero()}"
    ).rstrip()


def _what(setting: Setting) -> str:
    return {
        Setting.SAME: "one workload, the same classics to start from",
        Setting.CLASSICS: "one workload, each from classics of its own",
        Setting.WORKLOADS: "a workload each, the same classics to start from",
        Setting.LATE: "a newcomer with an eighth of the budget, when the others are done; it alone counts",
    }[setting]
