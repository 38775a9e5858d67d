"""The loads of I/O scheduling that come with the project: what the README says of them is measured again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluator import Evaluator
from trainers.arenas.io_scheduling.kind import BASELINES, BOUND, KIND
from trainers.arenas.io_scheduling.score import starved, value
from trainers.workloads.format import Workload, workload
from trainers.workloads.generate_io import FAMILIES, PART_SEEDS, generate

README = (KIND.folder / "workloads" / "README.md").read_text()
NAMES = [f"{made.name}-{made.part}" for made in bundled(KIND.name)]


@pytest.fixture(scope="module")
def evaluator() -> Iterator[Evaluator]:
    with Evaluator(KIND.name) as running:
        for made in bundled(KIND.name):
            running.load(made)
        yield running


Runs = dict[str, dict[str, int]]  # a baseline's or the bound's counters


@pytest.fixture(scope="module")
def runs(evaluator: Evaluator) -> dict[str, Runs]:
    """Run every baseline on every load, once."""
    return {
        made.id: {name: dict(evaluator.baseline(name, made.id, made.capacity).values) for name in (*BASELINES, BOUND)}
        for made in bundled(KIND.name)
    }


def row(made: Workload, counters: Runs) -> str:
    """Return a row of the README's table."""
    reference = counters["c-look"]
    writes = reference["write_small_count"] + reference["write_large_count"]
    busy = 100 * reference["busy"] // (reference["elapsed"] * reference["channels"])
    facts = [
        made.name, made.part, made.capacity, made.rows, made.size, f"{100 * writes // made.rows} %", f"{busy} %",
        f"{reference['latency_sum'] / made.rows / 1000:.1f}", f"{reference['latency_p99'] / 1000:.0f}",
    ]  # fmt: skip
    scores = {name: value(run, reference) / 1e6 for name, run in counters.items()}
    best = min(BASELINES, key=lambda name: scores[name])
    shown = [
        f"**{score:.3f}**" if name == best else f"{score:.3f}" for name, score in scores.items() if name != "c-look"
    ]
    return f"| {' | '.join(map(str, facts))} | {' | '.join(shown)} |"


@pytest.mark.parametrize("made", bundled(KIND.name), ids=NAMES)
def test_the_readme_s_table_is_measured(made: Workload, runs: dict[str, Runs]) -> None:
    counters = runs[made.id]
    assert row(made, counters) in README
    for name in BASELINES:
        assert value(counters[name], counters["c-look"]) >= value(counters[BOUND], counters["c-look"])
        assert all(counters[name][counter] >= least for counter, least in counters[BOUND].items())


@pytest.mark.parametrize("made", bundled(KIND.name), ids=NAMES)
def test_the_default_policy_starves_nobody(made: Workload, runs: dict[str, Runs]) -> None:
    reference = runs[made.id]["c-look"]
    assert starved(reference, reference) == ""
    assert starved({**reference, "wait_max": 10**9}, reference) != ""


def test_no_classic_is_best_everywhere(runs: dict[str, Runs]) -> None:
    best = {min(BASELINES, key=lambda name: value(run[name], run["c-look"])) for run in runs.values()}
    assert len(best) >= 3


GENERATED = [(family, channels) for family, declared in FAMILIES.items() for channels in declared.devices]


@pytest.mark.parametrize(("family", "channels"), GENERATED)
def test_a_generated_load_is_what_its_seed_gives(family: str, channels: int) -> None:
    name = f"{'disk-' if channels == 1 else ''}{family}"
    committed = {made.part: made for made in bundled(KIND.name) if made.name == name}
    assert set(committed) == set(PART_SEEDS)
    for part, seed in PART_SEEDS.items():
        rows = generate(family, seed, channels)
        again = workload("x", rows, kind=KIND.name, capacity=channels)
        assert committed[part].words == again.words
        assert committed[part].origin == f"generated: family {family}, seed {seed}"


def test_they_are_small_and_hold_nothing_of_the_machine() -> None:
    assert sum(path.stat().st_size for path in (KIND.folder / "workloads").iterdir()) <= 2_000_000
    for made in bundled(KIND.name):
        assert "/home" not in made.origin
        assert "/tmp" not in made.origin  # noqa: S108 — a path that must not be there


def test_at_least_four_are_recordings_for_each_device() -> None:
    recorded = {(made.name, made.capacity == 1) for made in bundled(KIND.name) if made.origin.startswith("recorded")}
    assert sum(not disk for _name, disk in recorded) >= 4
    assert sum(disk for _name, disk in recorded) >= 2


def test_the_document_names_everything() -> None:
    text = (Path(__file__).parents[2] / "docs" / "io-scheduling.md").read_text()
    names = {feature.name for function in KIND.form.functions.values() for feature in function.features}
    for name in {*names, *KIND.form.functions, *KIND.runs}:
        assert f"`{name}`" in text, name
