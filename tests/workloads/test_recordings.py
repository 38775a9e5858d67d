"""The recordings that come with the project: small, with room to improve in both halves, as their README says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from trainers.arenas.evaluate import bundled, classics
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.page_replacement import kind
from trainers.arenas.page_replacement.kind import BASELINES, BOUND
from trainers.workloads.format import Workload, read, write

FOLDER = Path(kind.__file__).parent / "workloads"
README = (FOLDER / "README.md").read_text()


@pytest.fixture(scope="module")
def evaluator() -> Iterator[Evaluator]:
    with Evaluator() as running:
        for made in bundled():
            running.load(made)
        yield running


def test_there_are_at_least_four_each_with_a_train_and_a_hidden_part() -> None:
    names = {made.name for made in bundled()}
    assert len(names) >= 4
    assert {(made.name, made.part) for made in bundled()} == {(n, p) for n in names for p in ("train", "hidden")}


def test_they_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 1 << 20
    assert max(len(made.words) for made in bundled()) <= 60_000


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.workload")), ids=lambda path: path.name)
def test_a_file_is_named_for_its_content_and_holds_nothing_of_the_machine(path: Path) -> None:
    made = read(path)
    assert path.name == f"{made.name}.{made.part}.workload"
    assert read(write(made)) == made
    assert "/home" not in made.origin
    assert "/tmp" not in made.origin  # noqa: S108 — a path that must not be there


@pytest.mark.parametrize("made", bundled(), ids=lambda made: f"{made.name}-{made.part}")
def test_there_is_room_between_lru_and_the_bound(made: Workload, evaluator: Evaluator) -> None:
    lru, bound = (evaluator.baseline(name, made.id, made.capacity).values["misses"] for name in ("lru", BOUND))
    assert (lru - bound) / len(made.words) >= 0.05


@pytest.mark.parametrize("made", bundled(), ids=lambda made: f"{made.name}-{made.part}")
def test_the_readme_s_table_is_measured(made: Workload, evaluator: Evaluator) -> None:
    def ratio(counters: Counters) -> str:
        return f"{counters.values['misses'] / counters.values['requests']:.3f}"

    native = {name: evaluator.baseline(name, made.id, made.capacity) for name in (*BASELINES, BOUND)}
    programs = {}
    for name, component in classics(made.kind).items():
        outcome = evaluator.run(component, made.id, made.capacity)
        assert isinstance(outcome, Counters)
        programs[name] = outcome
    best = min(BASELINES, key=lambda name: native[name].values["misses"])
    program = min(programs, key=lambda name: programs[name].values["misses"])
    row = (
        f"| {made.name} | {made.part} | {len(made.words)} | {made.size} | {made.capacity} | {ratio(native['lru'])} "
        f"| {ratio(native[best])} {best} | {ratio(programs[program])} {program} | {ratio(native[BOUND])} |"
    )
    assert row in README


def test_no_baseline_is_best_everywhere(evaluator: Evaluator) -> None:
    best = {
        min(BASELINES, key=lambda name: evaluator.baseline(name, made.id, made.capacity).values["misses"])
        for made in bundled()
    }
    assert len(best) >= 3
