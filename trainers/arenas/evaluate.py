"""Score one policy or baseline on one workload, beside the bound: what ``kernel-trainer evaluate`` prints.

::

    workload file ─▶ read ─▶ Evaluator.run | Evaluator.baseline ─▶ misses ─┐
                                        Evaluator.baseline(bound) ─────────┴▶ {"miss_ratio": …, "bound_miss_ratio": …}
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypedDict

from trainers.arenas.errors import EvaluationError
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.arenas.page_replacement.kind import KIND, Kind
from trainers.policy.parse import parse
from trainers.policy.tree import Component
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import Workload, read

__all__ = ["KINDS", "Evaluation", "baselines", "bundled", "capacity_of", "classics", "evaluate", "kind_of"]

KINDS: dict[str, Kind] = {KIND.name: KIND}


class _Score(TypedDict):
    kind: str
    workload: str
    capacity: int
    requests: int
    misses: int
    miss_ratio: float
    bound_miss_ratio: float
    fuel: int


class Evaluation(_Score, total=False):
    """A score; ``policy`` or ``baseline`` says whose. ``fuel`` is 0 for baselines and without wasmtime."""

    policy: str
    baseline: str


def kind_of(name: str) -> Kind:
    """Return the kind of that name. Raises `EvaluationError` where there is none."""
    if name not in KINDS:
        raise EvaluationError(f"there is no component kind {name!r}", hint=f"known: {', '.join(KINDS)}")
    return KINDS[name]


def baselines(kind: str) -> tuple[str, ...]:
    """Return the names of a kind's baselines; the bound is not among them."""
    return kind_of(kind).baselines


@cache
def classics(kind: str) -> dict[str, Component]:
    """Return the textbook's policies that are programs in the kind's form, by name."""
    folder = files("trainers.arenas") / kind_of(kind).name / "classics"
    texts = {entry.name.removesuffix(".policy"): entry.read_text("utf-8") for entry in folder.iterdir()}
    return {name: parse(text, kind_of(kind).form) for name, text in sorted(texts.items())}


@cache
def bundled(kind: str = KIND.name) -> tuple[Workload, ...]:
    """Return the recordings that come with the project, train before hidden, by name."""
    folder = files("trainers.arenas") / kind_of(kind).name / "workloads"
    found = [read(entry.read_bytes()) for entry in folder.iterdir() if entry.name.endswith(".workload")]
    return tuple(sorted(found, key=lambda workload: (workload.name, -ord(workload.part[0]))))


def capacity_of(workload: Workload, capacity: int | None = None, percent: str | float | None = None) -> int:
    """Return the capacity in pages: as given, or as a percentage of the workload's pages, or the workload's own.

    A percentage is rounded down, to one page at least. Raises `EvaluationError` where both are given or the
    percentage is not within 0..100.
    """
    if capacity is not None and percent is not None:
        raise EvaluationError("capacity is given twice", hint="in pages or as a percentage, not both")
    if percent is None:
        return workload.capacity if capacity is None else capacity
    try:
        share = Fraction(str(percent)) / 100
    except ValueError as error:
        raise EvaluationError(f"{percent!r} is no percentage") from error
    if not 0 < share <= 1:
        raise EvaluationError(f"{percent} % of the pages is no capacity", hint="more than 0 and at most 100")
    return max(1, int(workload.pages * share))


def evaluate(
    kind: str,
    workload_path: Path,
    *,
    policy: Path | None = None,
    baseline: str | None = None,
    capacity: int | None = None,
    capacity_percent: str | float | None = None,
    evaluator: Evaluator | None = None,
) -> Evaluation:
    """Run a policy file or a baseline on a workload file and return its score.

    Raises `EvaluationError`, `WorkloadError` or `PolicyError`. ``evaluator`` saves starting one a call.
    """
    declared = kind_of(kind)
    if (policy is None) == (baseline is None):
        raise EvaluationError("what shall be evaluated?", hint="give a policy or a baseline, one of them")
    workload = read(workload_path)
    if workload.kind != kind:
        raise WorkloadError(f"{workload_path}: a workload for {workload.kind}, not {kind}")
    pages = capacity_of(workload, capacity, capacity_percent)
    component = None if policy is None else parse(_source(policy), declared.form)
    if evaluator is None:
        with Evaluator(kind) as own:
            return _score(own, declared, workload, pages, component, str(policy), baseline)
    return _score(evaluator, declared, workload, pages, component, str(policy), baseline)


def _score(
    evaluator: Evaluator,
    kind: Kind,
    workload: Workload,
    capacity: int,
    component: Component | None,
    policy: str,
    baseline: str | None,
) -> Evaluation:
    evaluator.load(workload)
    outcome: Counters | Failure
    if component is None:
        outcome = evaluator.baseline(baseline or kind.baseline, workload.id, capacity)
    else:
        outcome = evaluator.run(component, workload.id, capacity)
    if isinstance(outcome, Failure):
        raise EvaluationError(f"{policy}: no result: {outcome.reason}, {outcome.detail}")
    bound = evaluator.baseline(kind.bound, workload.id, capacity)
    score: Evaluation = {
        "kind": kind.name,
        "workload": workload.name,
        "capacity": capacity,
        "requests": outcome.requests,
        "misses": outcome.misses,
        "miss_ratio": outcome.misses / outcome.requests,
        "bound_miss_ratio": bound.misses / bound.requests,
        "fuel": outcome.fuel,
    }
    if baseline is not None:
        return {**score, "baseline": baseline}
    return {**score, "policy": policy}


def _source(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(1 << 16).decode("utf-8")
    except OSError as error:
        raise EvaluationError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path}: byte {error.start}: this is no UTF-8 text") from error
