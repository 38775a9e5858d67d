"""docs/cpu-scheduling.md is true: its table is measured, its names are the code's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from trainers.arenas.cpu_scheduling import counting
from trainers.arenas.cpu_scheduling.form import FORM, VISIBLE
from trainers.arenas.cpu_scheduling.kind import BASELINES, BOUND, KIND, ORACLE
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluator import Evaluator
from trainers.workloads.format import Workload

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cpu-scheduling.md").read_text()
RUNS = (*BASELINES, ORACLE, BOUND)


@pytest.fixture(scope="module")
def evaluator() -> Iterator[Evaluator]:
    with Evaluator(KIND.name) as running:
        yield running


def table_row(evaluator: Evaluator, workload: Workload) -> str:
    """Return J in thousandths of every run, the best of the textbook in bold."""
    evaluator.load(workload)
    counters = {name: evaluator.baseline(name, workload.id, workload.capacity).values for name in RUNS}
    values = {name: KIND.value(found, counters["rr"]) for name, found in counters.items()}
    best = min(values[name] for name in BASELINES)
    cells = (
        f"**{value // 1000:,}**" if value == best and name in BASELINES else f"{value // 1000:,}"
        for name, value in values.items()
    )
    return f"| {workload.name} {workload.part} | {workload.capacity} | {' | '.join(cells)} |"


def test_the_table_has_a_column_a_run() -> None:
    assert f"| workload | CPUs | {' | '.join(RUNS)} |" in DOCUMENT


@pytest.mark.parametrize("workload", bundled(KIND.name), ids=lambda found: f"{found.name}-{found.part}")
def test_the_table_is_measured(workload: Workload, evaluator: Evaluator) -> None:
    assert table_row(evaluator, workload) in DOCUMENT


def test_every_name_is_told() -> None:
    names = {feature.name for function in FORM.functions.values() for feature in function.features}
    counters = {name for name, _, _ in counting.COUNTERS if not name.startswith("slowdown")}
    for name in {*names, *FORM.functions, *RUNS, *counters}:
        assert f"`{name}`" in DOCUMENT, name


def test_every_number_is_the_code_s() -> None:
    text = " ".join(DOCUMENT.split())
    assert f"At most {VISIBLE} tasks run or are in the queue" in text
    assert f"longest wait / {counting.SECOND:,} units" in text
    assert f"`slowdown0` … `slowdown{counting.CLASSES - 1}`" in text


@cache
def goes_first(name: str) -> int:
    """Return on how many workloads a policy is the best of the textbook."""
    place = 2 + RUNS.index(name)
    rows = (line.split(" | ") for line in DOCUMENT.splitlines() if line.count(" | ") == len(RUNS) + 1)
    return sum(row[place].startswith("**") for row in rows)


def test_no_classic_is_best_everywhere() -> None:
    count = len(bundled(KIND.name))
    assert all(goes_first(name) < count / 2 for name in BASELINES)
    assert sum(goes_first(name) > 0 for name in BASELINES) >= 4
