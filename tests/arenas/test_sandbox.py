"""A sandbox is used again and again, and every run in it is a first run."""

from __future__ import annotations

import random
from typing import Any

import pytest
import wasmtime

from trainers.arenas import child
from trainers.arenas.evaluate import bundled, classics
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.page_replacement.kind import KIND
from trainers.policy import Component, to_wasm
from trainers.workloads.format import Workload

CLASSICS = list(classics(KIND.name).values())


@pytest.fixture
def made() -> Workload:
    return next(found for found in bundled(KIND.name) if found.name == "notes")


@pytest.fixture
def arena(made: Workload) -> child.Arena:
    built = child.Arena(wasmtime, KIND.folder)
    built.load({"workload": made.id}, bytes(made.little_endian()))
    return built


def order(made: Workload, program: Component, start: int, stop: int) -> tuple[child.Reply, bytes]:
    modules = tuple(to_wasm(program).values())
    header = {
        "op": "run", "workload": made.id, "size": made.size, "width": 1, "capacity": 50, "start": start, "stop": stop,
        "work_bytes": KIND.work_bytes(stop - start, made.size), "counters": len(KIND.counters), "fuel": 10**9,
        "modules": [len(module) for module in modules], "trusted": True,
    }  # fmt: skip
    return header, b"".join(modules)


def run(arena: child.Arena, made: Workload, stop: int = 10, program: Component = CLASSICS[0], **change: object) -> Any:
    header, modules = order(made, program, 0, stop)
    return child.answer(arena, wasmtime, {**header, **change}, modules)


def test_a_run_finds_nothing_of_the_runs_before_it(made: Workload) -> None:
    rng = random.Random(5)
    slices = [(start, start + length) for start in (0, 700) for length in (900, 2000, 30)]
    todo = [(program, part) for program in CLASSICS for part in slices]
    expected: dict[tuple[int, int, int], Counters] = {}
    with Evaluator(KIND.name, engine="wasm") as running:
        running.load(made)
        for number in range(2):
            rng.shuffle(todo)
            for program, (start, stop) in todo:
                outcome = running.run(program, made.id, 50, start=start, stop=stop)
                assert isinstance(outcome, Counters)
                assert expected.setdefault((id(program), start, stop), outcome) == outcome, number
    with Evaluator(KIND.name, engine="reference") as slow:
        slow.load(made)
        for program, (start, stop) in todo[:6]:
            told, found = slow.run(program, made.id, 50, start=start, stop=stop), expected[id(program), start, stop]
            assert isinstance(told, Counters)
            assert (told.values, told.digest) == (found.values, found.digest)


def test_a_mutant_costs_the_compilation_of_what_is_new_in_it(arena: child.Arena, made: Workload) -> None:
    run(arena, made)
    run(arena, made, program=CLASSICS[1])
    assert len(arena._compiled) == len({*to_wasm(CLASSICS[0]).values(), *to_wasm(CLASSICS[1]).values()})


def test_sandboxes_and_functions_kept_are_bounded(
    arena: child.Arena, made: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "RUNS_MAX", 3)
    monkeypatch.setattr(child, "MODULES_MAX", 2)
    for stop in range(0, child.WASM_PAGE * (child.SANDBOXES_MAX + 2) // 4, child.WASM_PAGE // 4):
        run(arena, made, 0, work_bytes=4 * stop)
        assert len(arena._sandboxes) <= child.SANDBOXES_MAX
        assert len(arena._compiled) <= 2
    runs = []
    for _ in range(7):
        run(arena, made)
        runs.append(max((sandbox.runs for sandbox in arena._sandboxes.values()), default=0))
    assert max(runs) < 3
    arena._sandboxes.clear()
    run(arena, made, work_bytes=child.SANDBOX_BYTES_MAX)
    assert not arena._sandboxes, "a large memory is given back at once"


def test_what_comes_from_anywhere_gets_a_sandbox_of_its_own(arena: child.Arena, made: Workload) -> None:
    expected = run(arena, made)
    assert len(arena._sandboxes) == 1
    kept = next(iter(arena._sandboxes.values()))
    assert run(arena, made, trusted=False) == expected
    assert (list(arena._sandboxes.values()), kept.runs) == ([kept], 1)


def test_a_sandbox_in_which_a_run_failed_is_not_used_again(arena: child.Arena, made: Workload) -> None:
    expected = run(arena, made)
    assert run(arena, made, fuel=10)["failure"] == "fuel"
    assert not arena._sandboxes
    assert run(arena, made) == expected
