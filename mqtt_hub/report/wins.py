"""Hidden workload by hidden workload: what was chosen, beside what one would have used without it. Losses too.

::

    default ── picked on train ── best classic ── best seed ── chosen ── best ── bound
    the field's  best baseline on   of the          of the       ours, its      ours, hidden   proven
    own choice   the half one has   baselines,      programs     author saw     score in       for every
                                    in hindsight    to start     the train      view           policy
                                                    from         half only
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from mqtt_hub.archive.queries import findings

__all__ = ["HiddenRow", "best_of", "closed", "default_of", "figure", "hidden_rows", "is_ratio", "unit", "verdict"]

MILLIONTHS = "_millionths"


@dataclass(frozen=True, slots=True)
class HiddenRow:
    """One hidden workload, in the kind's metric (lower is better).

    ``best`` is the best of all accepted components, chosen with the hidden score in view; ``chosen`` is the
    accepted component that its author chose for this workload on the train part alone, the last one.
    """

    workload: str
    kind: str
    metric: str
    requests: int
    bound: float
    baselines: Mapping[str, float]
    programs: Mapping[str, float]  # the textbook as programs in the components' form: where search starts
    picked: str
    best: Mapping[str, Any]
    chosen: Mapping[str, Any] | None
    workload_id: str = ""
    capacity: int = 0


def hidden_rows(db: Database) -> list[HiddenRow]:
    """Return every hidden workload that an accepted component was counted on, by kind and name."""
    return [
        HiddenRow(
            workload=row["workload"],
            kind=row["kind"],
            metric=row["metric"],
            requests=row["requests"],
            bound=row["bound"],
            baselines=row["baselines"],
            programs=row["programs"],
            picked=row["picked"],
            best=_scored(row),
            chosen=_scored(row["chosen"]) if row["chosen"] else None,
            workload_id=row["workload_id"],
            capacity=row["capacity"],
        )
        for row in findings.limits(db)
    ]


def is_ratio(row: HiddenRow) -> bool:
    """Tell whether the metric is a ratio to the field's default, in millionths."""
    return row.metric.endswith(MILLIONTHS)


def unit(row: HiddenRow) -> str:
    """Say what the figures are: counts per request, or the metric, whose name ends in its unit."""
    return row.metric.removesuffix(MILLIONTHS) if is_ratio(row) else f"{row.metric} per request"


def figure(row: HiddenRow, value: float) -> float:
    """Return a value in that unit."""
    return value / (1e6 if is_ratio(row) else max(1, row.requests))


def default_of(row: HiddenRow) -> str:
    """Return the baseline that is the field's default, empty where none is known.

    LRU for pages; where the metric is a ratio to the default, the one that has exactly 1.
    """
    if "lru" in row.baselines:
        return "lru"
    return next((name for name, value in row.baselines.items() if is_ratio(row) and value == 1e6), "")


def best_of(scores: Mapping[str, float]) -> str:
    """Return the name with the lowest value, the first by name of several; empty where there is none."""
    return min(scores, key=lambda name: (scores[name], name), default="")


def closed(row: HiddenRow, value: float) -> float | None:
    """Return the share of the way from the best baseline to the bound; below 0 a loss; None where there is no way."""
    best = min(row.baselines.values(), default=row.bound)
    return (best - value) / (best - row.bound) if best > row.bound else None


def verdict(row: HiddenRow) -> str:
    """Say in words how the chosen component does."""
    if row.chosen is None:
        return "nothing accepted for it"
    value, default = row.chosen["value"], default_of(row)
    if value < _least([row.baselines, row.programs]):
        return "beats all classics and seeds"
    if value < _least([row.baselines]):
        return "beats all classics"
    if value < row.baselines.get(row.picked, -float("inf")):
        return "beats the picked classic"
    if not default:
        return "loses to the picked classic"
    return f"{'beats only' if value < row.baselines[default] else 'loses to'} {default.upper()}"


def _least(groups: Iterable[Mapping[str, float]]) -> float:
    return min((value for group in groups for value in group.values()), default=float("inf"))


def _scored(row: dict[str, Any]) -> dict[str, Any]:
    return {"component": row["component"], "value": row["value"]}
