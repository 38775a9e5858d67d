"""The C of a component is the component: compiled with its arena it counts what the WebAssembly counts, everywhere."""

from __future__ import annotations

import random

import pytest

from tests.real_parts import need
from trainers.arenas.classics import classics
from trainers.arenas.errors import EvaluationError
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.arenas.kind import Kind
from trainers.arenas.native import COMPILERS, compiled
from trainers.search.variation import mutate


@pytest.mark.parametrize("compiler", COMPILERS)
def test_native_and_wasm_agree_on_every_bundled_workload(kind: Kind, evaluator: Evaluator, compiler: str) -> None:
    need(compiler)
    rng = random.Random(compiler)
    program = mutate(rng.choice(list(classics(kind.name).values())), kind.form, rng)
    with compiled(program, compiler=compiler) as native:
        for made in bundled(kind.name):
            evaluator.load(made)
            expected, found = evaluator.run(program, made.id, made.capacity), native.run(made, made.capacity)
            assert isinstance(expected, Counters)
            assert isinstance(found, Counters)
            assert (found.values, found.digest) == (expected.values, expected.digest), (made.name, made.part)


@pytest.mark.long
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_classic_compiles_without_a_warning(kind: Kind, compiler: str) -> None:
    need(compiler)
    made = bundled(kind.name)[0]
    for program in classics(kind.name).values():
        with compiled(program, compiler=compiler) as native:
            part, runs = native.timed(made, made.capacity, stop=50, runs=3)
            assert isinstance(part, Counters)
            assert len(runs) == 3


def test_a_compiler_that_is_missing_and_an_arena_that_traps_are_said(kind: Kind) -> None:
    need("gcc")
    program, made = next(iter(classics(kind.name).values())), bundled(kind.name)[0]
    with pytest.raises(EvaluationError, match="is not installed"), compiled(program, compiler="no-such-cc"):
        pass
    with compiled(program) as native:
        assert isinstance(native.run(made, 0), Failure), "the arena asserts that there is a machine"
