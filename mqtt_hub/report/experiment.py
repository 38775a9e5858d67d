"""The sharing experiment as `kernel-trainer experiment sharing --json` writes it, read for a report.

Only the effects and the design are taken, and only what has the form that docs/experiments.md tells: the file may
come from anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import orjson

from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["read_experiment"]

FILE_BYTES_MAX = 256 * 1024 * 1024
ROWS_MAX = 60  # of effects; of gifts as many
NAME_CHARACTERS_MAX = 64
CONTROL = "isolated"


def read_experiment(path: Path) -> dict[str, Any]:
    """Return design, effects with both intervals, and gifts; raises `ConfigurationError` saying what does not fit."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigurationError(f"{path} has more than {FILE_BYTES_MAX:,} bytes", hint="that is no experiment")
        said = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from error
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"{path} is no JSON: {error}", hint=_HINT) from error
    try:
        hidden = _hidden(said.get("scores", {}))
        return {
            "kind": _name(said["kind"]),
            "nodes": int(said["nodes"]),
            "evaluations": int(said["evaluations"]),
            "seeds": int(said["seeds"]),
            "workloads": [_name(workload["name"]) for workload in said["workloads"]][:ROWS_MAX],
            "controls": [
                {"setting": setting, "hidden": mean} for (setting, arm), mean in hidden.items() if arm == CONTROL
            ],
            "effects": _rows(said["effects"], "arm", hidden),
            "gifts": _rows(said.get("gifts", {}), "node", {}),
        }
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        wrong = f"{type(error).__name__} {error}"[:200]
        raise ConfigurationError(f"{path} is no sharing experiment: {wrong}", hint=_HINT) from error


_HINT = "kernel-trainer experiment sharing --json --output FILE writes one"


def _rows(told: Mapping[str, Any], name: str, hidden: Mapping[tuple[str, str], float]) -> list[dict[str, Any]]:
    """Return one row for each setting and arm (or node), in the file's order."""
    rows = []
    for setting, by_name in told.items():
        for one, effect in by_name.items():
            row: dict[str, Any] = {"setting": _name(setting), name: _name(one), "hidden": hidden.get((setting, one))}
            row |= {"mean": _number(effect["mean"]), "pairs": int(effect["pairs"])}
            row |= {
                over: {end: _number(effect[over][end]) for end in ("low", "high")} for over in ("seeds", "workloads")
            }
            rows.append(row)
    return rows[:ROWS_MAX]


def _hidden(scores: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """Return the mean hidden score by setting and arm: workloads count alike, and seeds within them."""
    return {
        (_name(setting), _name(arm)): fmean(fmean(map(_number, values)) for values in by_workload.values())
        for setting, by_arm in scores.items()
        for arm, by_workload in by_arm.items()
    }


def _number(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(float(value)):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no name")
    return value[:NAME_CHARACTERS_MAX]
