"""What every component kind fulfils, whoever wrote it: the arena is its reference, the bound is a bound."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from trainers.arenas.classics import classics
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.arenas.kind import Kind
from trainers.search.variation import mutate
from trainers.workloads.format import Workload, halves, read, write

ROOT = Path(__file__).parents[2]
ROWS_MAX = 250  # of a slice: the references are slow
COUNTERS_MAX = 15  # with fuel they are what a claim's counters have room for


def slices(workload: Workload) -> list[tuple[int, int]]:
    """Return a slice at the start and one in the middle, where the kind lets it begin."""
    return [(0, min(ROWS_MAX, workload.rows)), (workload.rows // 2, min(workload.rows // 2 + ROWS_MAX, workload.rows))]


def behaviour(outcome: Counters | Failure) -> object:
    assert isinstance(outcome, Counters), outcome
    return dict(outcome.values), outcome.digest


def test_it_is_all_there(kind: Kind) -> None:
    for name in (
        "arena.c",
        "arena.wasm",
        "baselines.c",
        "baselines.wasm",
        "arena.sha256",
        "reference.py",
        "baselines.py",
    ):
        assert (kind.folder / name).is_file(), name
    assert classics(kind.name), "search needs a program to start from"
    assert {found.part for found in bundled(kind.name)} >= {"train", "hidden"}
    assert (kind.folder / "workloads" / "README.md").is_file(), "how the workloads were made"


def test_the_names_fit_together(kind: Kind) -> None:
    assert kind.form.kind == kind.name
    assert kind.baseline in kind.baselines
    assert kind.bound in kind.native
    assert len(set(kind.runs)) == len(kind.runs)
    assert set(kind.runs) - set(kind.native) <= classics(kind.name).keys()
    assert set(kind.native) <= set(kind.runs)
    names = [counter.name for counter in kind.counters]
    assert len(set(names)) == len(names) <= COUNTERS_MAX
    assert "fuel" not in names
    slots = {feature.name: feature.slot for function in kind.form.functions.values() for feature in function.features}
    assert sorted(slots.values()) == list(range(len(slots)))
    assert kind.specializations


def test_the_modules_are_those_whose_hash_is_committed(kind: Kind) -> None:
    for line in (kind.folder / "arena.sha256").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((kind.folder / name).read_bytes()).hexdigest() == digest


def test_workloads_are_read_as_they_were_written_and_can_be_cut(kind: Kind) -> None:
    for found in bundled(kind.name):
        assert read(write(found)) == found
        assert kind.capacity.low <= found.capacity <= kind.capacity.high
        for part in halves(found):
            assert read(write(part)) == part
        cuts = [kind.cut(found.words, found.rows * place // 4) for place in range(5)]
        assert all(0 <= before <= after <= found.rows for before, after in pairwise(cuts))


def test_arena_and_reference_are_one_machine(kind: Kind, evaluator: Evaluator, reference: Evaluator) -> None:
    """Classics, and what mutation makes of them, on slices from the start and the middle."""
    rng = random.Random(kind.name)
    programs = list(classics(kind.name).values())
    while len(programs) < len(classics(kind.name)) + 25:
        programs.append(mutate(rng.choice(programs), kind.form, rng))
    workloads = bundled(kind.name)
    for number, program in enumerate(programs):
        made = workloads[number % len(workloads)]
        evaluator.load(made)
        reference.load(made)
        capacity = rng.choice((kind.capacity.low, made.capacity))
        start, stop = slices(made)[number % 2]
        fast, slow = (
            running.run(program, made.id, capacity, start=start, stop=stop) for running in (evaluator, reference)
        )
        assert behaviour(fast) == behaviour(slow), (made.name, capacity, start, program)


def test_native_baselines_equal_their_second_writing(kind: Kind, evaluator: Evaluator, reference: Evaluator) -> None:
    for made in bundled(kind.name)[:4]:
        evaluator.load(made)
        reference.load(made)
        for name in kind.native:
            for capacity in {kind.capacity.low, made.capacity}:
                for start, stop in slices(made):
                    fast, slow = (
                        running.baseline(name, made.id, capacity, start=start, stop=stop)
                        for running in (evaluator, reference)
                    )
                    assert behaviour(fast) == behaviour(slow), (made.name, name, capacity, start)


def test_nothing_is_better_than_the_bound(kind: Kind, evaluator: Evaluator) -> None:
    for made in bundled(kind.name):
        evaluator.load(made)
        yardstick = evaluator.baseline(kind.baseline, made.id, made.capacity).values
        least = kind.value(evaluator.baseline(kind.bound, made.id, made.capacity).values, yardstick)
        programs = (evaluator.run(program, made.id, made.capacity) for program in classics(kind.name).values())
        natives = (evaluator.baseline(name, made.id, made.capacity) for name in (*kind.baselines, *kind.oracles))
        for outcome in (*programs, *natives):
            assert isinstance(outcome, Counters)
            value = kind.value(outcome.values, yardstick)
            assert type(value) is int
            assert value >= least, made.name


def test_no_rows_are_a_run_too(kind: Kind, evaluator: Evaluator, reference: Evaluator) -> None:
    made = bundled(kind.name)[0]
    program = next(iter(classics(kind.name).values()))
    for running in (evaluator, reference):
        running.load(made)
        outcome = running.run(program, made.id, made.capacity, start=1, stop=1)
        assert isinstance(outcome, Counters)
        yardstick = running.baseline(kind.baseline, made.id, made.capacity, start=1, stop=1)
        assert type(kind.value(outcome.values, yardstick.values)) is int


def test_a_kind_s_page_of_the_documents_names_what_it_has(kind: Kind) -> None:
    if not kind.package.startswith("trainers."):
        return
    text = (ROOT / "docs" / f"{kind.name.replace('_', '-')}.md").read_text()
    features = {feature.name for function in kind.form.functions.values() for feature in function.features}
    for name in {*features, *kind.form.functions, *kind.form.actions, *kind.runs}:
        assert f"`{name}" in text, name


def test_rebuilding_the_example_gives_the_same_bytes() -> None:
    pytest.importorskip("ziglang")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "build_arenas", "--check", ROOT / "tests" / "kinds" / "disk_sleep"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
