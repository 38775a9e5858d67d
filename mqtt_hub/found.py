"""What the fleet has found for one workload: the accepted component that its author chose last.

It was chosen on the train part. Not the one with the best hidden score: who picks by that no longer has a hidden part.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mqtt_hub.archive.queries import components
from mqtt_hub.archive.schema import open_read_only

__all__ = ["Found", "found"]


@dataclass(frozen=True, slots=True)
class Found:
    """A workload's component, None and empty where none is accepted yet; values are those on its hidden part."""

    workload: str
    submitted: int
    last_reason: str  # why the last one that was judged got its verdict
    kind: str = ""
    component: str | None = None
    authors: tuple[str, ...] = ()
    policy: str = ""
    c: str = ""
    metric: str = ""
    value: float | None = None
    bound: float | None = None
    best_baseline: str = ""
    best_baseline_value: float | None = None


def found(archive: Path, workload: str, kind: str | None = None) -> Found:
    """Ask the archive; raises `ArchiveError` where there is none."""
    with closing(open_read_only(archive)) as db:
        there = [row for row in components.submitted(db) if row["target"] == workload and kind in (None, row["kind"])]
        scores = {(row["component"], row["workload"]): row for row in components.hidden_results(db)}
    reason = next((row["reason"] for row in reversed(there) if row["reason"]), "")
    chosen = next((row for row in reversed(there) if row["verdict"] == "accepted"), None)
    if chosen is None:
        return Found(workload, len(there), reason)
    score = scores.get((chosen["id"], workload), {})
    return Found(
        workload,
        len(there),
        reason,
        kind=chosen["kind"],
        component=chosen["id"],
        authors=tuple(chosen["authors"]),
        policy=chosen["source"],
        c=chosen["c_source"] or "",
        metric=score.get("metric", ""),
        value=score.get("value"),
        bound=score.get("bound"),
        best_baseline=score.get("best_baseline", ""),
        best_baseline_value=score.get("best_baseline_value"),
    )
