"""I/O scheduling: the arena in C and the reference in Python are one machine, for any program on any load."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.arenas.io_instances import counters, instances, make
from tests.arenas.programs import crossed, random_component
from trainers.arenas.evaluator import Evaluator
from trainers.arenas.io_scheduling.form import FORM, REGISTER_MAX
from trainers.policy.parse import parse
from trainers.workloads.format import workload
from trainers.workloads.generate_io import generate


@pytest.fixture(scope="module")
def wasm() -> Iterator[Evaluator]:
    with Evaluator("io_scheduling", engine="wasm") as running:
        yield running


@pytest.fixture(scope="module")
def reference() -> Iterator[Evaluator]:
    with Evaluator("io_scheduling", engine="reference") as running:
        yield running


@pytest.mark.parametrize("family", ["random", "crossed"])
def test_wasm_and_reference_give_equal_counters(family: str, wasm: Evaluator, reference: Evaluator) -> None:
    rng = random.Random(family)
    for made in instances(family, 40, wasm, reference):
        program = random_component(FORM, rng) if family == "random" else crossed(FORM, rng)
        fast, slow = counters(wasm, program, made), counters(reference, program, made)
        assert (fast.values, fast.digest) == (slow.values, slow.digest)


def test_every_feature_has_the_same_value_in_both(wasm: Evaluator, reference: Evaluator) -> None:
    """Each feature alone decides in turn, so a wrong value shows in the order of service."""
    by_register = {
        "pick_score": "",
        "on_stream": "def pick_score(sreg, wait):\n    return sreg * 7 % 1009 + wait\n",
        "on_serve": "def pick_score(sreg, wait):\n    return sreg * 7 % 1009 + wait\n",
        "next0": "def pick_score(g0, forward):\n    return (forward + g0) * 11 % 1013\n",
        "next1": "def pick_score(g1, forward):\n    return (forward + g1) * 11 % 1013\n",
    }
    loads = list(instances("each feature", 6, wasm, reference, rows_max=120))
    for function in FORM.functions.values():
        for feature in function.features:
            body = f"{feature.name} * 5 % 1021" if function.name == "pick_score" else feature.name
            text = f"{by_register[function.name]}def {function.name}({feature.name}):\n    return {body}\n"
            for made in loads:
                fast = counters(wasm, parse(text, FORM), made)
                slow = counters(reference, parse(text, FORM), made)
                assert (fast.values, fast.digest) == (slow.values, slow.digest), (function.name, feature.name)


def test_registers_are_clamped_in_both(wasm: Evaluator, reference: Evaluator) -> None:
    """A register that runs away stops at 2^40, to either side; a score is a whole 64-bit integer."""
    text = (
        "def pick_score(sreg, g0, g1, cost):\n    return (sreg + g0 - g1) * 9223372 - cost\n"
        "def on_stream(sreg, len):\n    return sreg - len * (1 << 36)\n"
        "def on_serve(sreg):\n    return sreg * 3 + (1 << 60)\n"
        f"def next0(g0):\n    return g0 + {REGISTER_MAX // 3}\ndef next1(g1):\n    return g1 * 2 - (1 << 39)\n"
    )
    for made in instances("clamp", 10, wasm, reference):
        fast, slow = counters(wasm, parse(text, FORM), made), counters(reference, parse(text, FORM), made)
        assert (fast.values, fast.digest) == (slow.values, slow.digest)


def test_a_part_is_run_as_if_it_were_the_whole(wasm: Evaluator) -> None:
    """Times count from the part's first row, and nothing before it is known."""
    program = parse("def pick_score(cost, wait):\n    return wait // 8 - cost\n", FORM)
    made = make(random.Random(1), 300)
    words = [made.words[at : at + 5] for at in range(0, len(made.words), 5)]
    start, stop = len(words) // 4, len(words) // 2
    part = workload("part", words[start:stop], kind="io_scheduling", capacity=made.capacity)
    wasm.load(made)
    wasm.load(part)
    sliced, whole = counters(wasm, program, made, start=start, stop=stop), counters(wasm, program, part)
    assert (sliced.values, sliced.digest, sliced.fuel) == (whole.values, whole.digest, whole.fuel)


def test_renaming_streams_changes_nothing(wasm: Evaluator) -> None:
    rng = random.Random(4)
    for made in instances("rename", 10, wasm):
        names = rng.sample(range(500), 20)
        rows = [made.words[at : at + 5].tolist() for at in range(0, len(made.words), 5)]
        renamed = workload(
            "renamed",
            [(time, sector, sectors, names[stream], write) for time, sector, sectors, stream, write in rows],
            kind="io_scheduling",
            capacity=made.capacity,
        )
        wasm.load(renamed)
        program = crossed(FORM, rng)
        one, other = counters(wasm, program, made), counters(wasm, program, renamed)
        assert (one.values, one.digest) == (other.values, other.digest)


def test_a_full_queue_of_costly_scores_stays_within_the_fuel(wasm: Evaluator) -> None:
    """The worst that the search may write, 40 nodes of division, on 64 visible requests all the time."""
    term = "cost"
    for name in ("wait", "len", "sgap", "sreg", "squeued", "backlog", "distance", "n_reads", "g0"):
        term = f"({term} * 3 // ({name} + 1))"
    names = "cost, wait, len, sgap, sreg, squeued, backlog, distance, n_reads, g0"
    program = parse(f"def pick_score({names}):\n    return {term}\n", FORM)
    rows = [(0, *row[1:]) for row in generate("overload", 1, 4, 1000)]
    made = workload("burst", rows, kind="io_scheduling", capacity=4)
    wasm.load(made)
    outcome = counters(wasm, program, made)
    assert outcome.fuel < wasm.kind.fuel_per_step * made.rows
