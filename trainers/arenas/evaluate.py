"""Score one policy or baseline on one workload, beside the bound: what ``kernel-trainer evaluate`` prints.

::

    workload file ─▶ read ─▶ Evaluator.run | Evaluator.baseline ─▶ counters ─┐
                                        Evaluator.baseline(bound) ───────────┴▶ {"miss_ratio": …, "bound_miss_ratio": …}
"""

from __future__ import annotations

import sys
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from trainers.arenas.classics import classics
from trainers.arenas.errors import EvaluationError
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.arenas.registry import DEFAULT, kind_of
from trainers.policy.parse import parse
from trainers.policy.tree import Component
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import Workload, read

__all__ = ["Evaluation", "baselines", "bundled", "capacity_of", "classics", "evaluate", "source_of"]

# kind, workload, capacity; the kind's counters and its value (page_replacement: misses is both); the value as it is
# shown and the bound's (miss_ratio, bound_miss_ratio); fuel, 0 for baselines and without wasmtime; whose score it
# is: policy or baseline.
Evaluation: TypeAlias = dict[str, Any]


def baselines(kind: str) -> tuple[str, ...]:
    """Return the names of a kind's baselines; the bound is not among them."""
    return kind_of(kind).baselines


@cache
def bundled(kind: str = DEFAULT) -> tuple[Workload, ...]:
    """Return the recordings that come with a kind, train before hidden, by name."""
    found = [read(path) for path in (kind_of(kind).folder / "workloads").glob("*.workload")]
    return tuple(sorted(found, key=lambda workload: (workload.name, -ord(workload.part[0]))))


def capacity_of(workload: Workload, capacity: int | None = None, percent: str | float | None = None) -> int:
    """Return the capacity: as given, or as a percentage of the workload's size (pages), or the workload's own.

    A percentage is rounded down, to one at least. Raises `EvaluationError` where both are given, the percentage
    is not within 0..100, or the kind's capacity has nothing to do with the size.
    """
    if capacity is not None and percent is not None:
        raise EvaluationError("capacity is given twice", hint="as a number or as a percentage, not both")
    if percent is None:
        return workload.capacity if capacity is None else capacity
    kind = kind_of(workload.kind)
    if kind.capacity.unit != kind.size:
        raise EvaluationError(f"{kind.capacity.unit} are no percentage of {kind.size}", hint="give the number")
    try:
        share = Fraction(str(percent)) / 100
    except ValueError as error:
        raise EvaluationError(f"{percent!r} is no percentage") from error
    if not 0 < share <= 1:
        raise EvaluationError(f"{percent} % of the {kind.size} is no capacity", hint="more than 0 and at most 100")
    return max(1, int(workload.size * share))


def evaluate(
    kind: str | None,
    workload_path: Path,
    *,
    policy: Path | None = None,
    baseline: str | None = None,
    capacity: int | None = None,
    capacity_percent: str | float | None = None,
    evaluator: Evaluator | None = None,
) -> Evaluation:
    """Run a policy file or a baseline on a workload file and return its score; ``kind`` None: the workload's.

    Raises `EvaluationError`, `WorkloadError` or `PolicyError`. ``evaluator`` saves starting one a call.
    """
    if kind is not None:
        kind_of(kind)
    if (policy is None) == (baseline is None):
        raise EvaluationError("what shall be evaluated?", hint="give a policy or a baseline, one of them")
    workload = read(workload_path)
    if kind not in (None, workload.kind):
        raise WorkloadError(f"{workload_path}: a workload for {workload.kind}, not {kind}")
    capacity = capacity_of(workload, capacity, capacity_percent)
    component = None if policy is None else parse(source_of(policy), kind_of(workload.kind).form)
    if evaluator is None:
        with Evaluator(workload.kind) as own:
            return _score(own, workload, capacity, component, str(policy), baseline)
    return _score(evaluator, workload, capacity, component, str(policy), baseline)


def _score(
    evaluator: Evaluator,
    workload: Workload,
    capacity: int,
    component: Component | None,
    policy: str,
    baseline: str | None,
) -> Evaluation:
    kind = evaluator.kind
    evaluator.load(workload)
    outcome: Counters | Failure
    if component is None:
        outcome = evaluator.baseline(baseline or kind.baseline, workload.id, capacity)
    else:
        outcome = evaluator.run(component, workload.id, capacity)
    if isinstance(outcome, Failure):
        raise EvaluationError(f"{policy}: no result: {outcome.reason}, {outcome.detail}")
    reference, bound = (evaluator.baseline(name, workload.id, capacity).values for name in (kind.baseline, kind.bound))
    value, least = (kind.value(counters, reference) for counters in (outcome.values, bound))
    return {
        "kind": kind.name,
        "workload": workload.name,
        "capacity": capacity,
        **outcome.values,
        kind.metric: value,
        kind.shown.name: kind.shown.of(value, workload.rows),
        f"bound_{kind.shown.name}": kind.shown.of(least, workload.rows),
        "fuel": outcome.fuel,
        **({"policy": policy} if baseline is None else {"baseline": baseline}),
    }


def source_of(path: Path) -> str:
    """Return what a file with a component's source holds, ``-`` for standard input; the language bounds its length.

    Raises `EvaluationError` where it cannot be read.
    """
    try:
        with sys.stdin.buffer if str(path) == "-" else path.open("rb") as file:
            return file.read(1 << 16).decode("utf-8")
    except OSError as error:
        raise EvaluationError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path}: byte {error.start}: this is no UTF-8 text") from error
