"""What there is to beat: every baseline, oracle and textbook program beside the bound, workload by workload.

::

    kernel-trainer baselines ──▶ standing(yardstick, workload) ──▶ text, JSON
    scripts/build_kinds      ──▶ markdown(kind, standings)     ──▶ docs/kinds.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trainers.arenas.kind import Kind
from trainers.workloads.format import Workload
from trainers.yardstick import Yardstick

__all__ = ["Standing", "markdown", "standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Values on one workload, lower is better."""

    kind: Kind
    workload: Workload
    baselines: dict[str, int]
    oracles: dict[str, int]  # know the future, but are no bound
    programs: dict[str, int]  # the textbook in the kind's form: where search starts
    bound: int

    @property
    def best(self) -> str:
        """Return the baseline that is best here."""
        return min(self.baselines, key=lambda name: (self.baselines[name], name))

    @property
    def beyond(self) -> list[str]:
        """Return what is below the bound: nothing, or the bound is none."""
        everything = {**self.baselines, **self.oracles, **self.programs}
        return [name for name, value in everything.items() if value < self.bound]

    def shown(self, value: int) -> float:
        """Return a value as people read it."""
        return self.kind.shown.of(value, self.workload.rows)

    def json(self) -> dict[str, Any]:
        """Return all of it."""
        made = self.workload
        facts: dict[str, Any] = {"kind": self.kind.name, "workload": made.name, "part": made.part, "id": made.id}
        facts |= {self.kind.rows: made.rows, self.kind.size: made.size, "capacity": made.capacity}
        facts |= {"metric": self.kind.metric, "bound": self.bound, "best": self.best, "beyond_the_bound": self.beyond}
        return facts | {name: getattr(self, name) for name in ("baselines", "oracles", "programs")}

    def text(self) -> str:
        """Return a line for people."""
        values = " ".join(f"{name} {self.shown(value):.4f}" for name, value in self.baselines.items())
        oracles = "".join(f" ({name} {self.shown(value):.4f})" for name, value in self.oracles.items())
        head = f"{self.workload.name:<14} {self.workload.part:<7}"
        return f"{head} {values}{oracles} bound {self.shown(self.bound):.4f}, best {self.best}"


def standing(yardstick: Yardstick, workload: Workload) -> Standing:
    """Count everything on one workload."""
    kind = yardstick.kind
    baselines = yardstick.baselines(workload)
    bound = baselines.pop(kind.bound)
    return Standing(kind, workload, baselines, yardstick.oracles(workload), yardstick.programs(workload), bound)


def markdown(kind: Kind, standings: Sequence[Standing]) -> str:
    """Return a table: a row a workload, the best baseline bold, oracles in italics, the bound last."""
    columns = (*kind.baselines, *(f"*{name}*" for name in kind.oracles), f"{kind.bound} (bound)")
    lines = [f"| {kind.shown.name} | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for told in standings:
        cells = [
            f"**{told.shown(v):.3f}**" if n == told.best else f"{told.shown(v):.3f}" for n, v in told.baselines.items()
        ]
        cells += [f"*{told.shown(value):.3f}*" for value in told.oracles.values()]
        lines.append(
            f"| {told.workload.name}, {told.workload.part} | {' | '.join(cells)} | {told.shown(told.bound):.3f} |"
        )
    return "\n".join(lines)
