"""WebAssembly, C, interpreter and canonical source are the same program."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

import trainers.arenas.page_replacement as arena
from tests.policy.faces import compiler, disagreement, wasm_functions
from trainers.arenas.page_replacement.kind import FORM as PAGES
from trainers.policy import PolicyError, canonical, component_id, interpret, parse, simplify, to_c
from trainers.policy.tree import NODES_MAX, size

SEEDS = st.integers(0, 2**32)


def test_wasm_c_and_interpreter_agree_on_random_programs_and_extreme_inputs(programs: Any, tmp_path: Path) -> None:
    """A part of what ``scripts/compare_faces 10000`` compares."""
    assert disagreement(programs, range(150), tmp_path) == (150 * 24 * 3, "")


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_wasm_and_interpreter_agree(programs: Any, seed: int) -> None:
    component = programs.component(seed)
    reference, wasm = interpret(component), wasm_functions(component, wasmtime.Engine())
    for features in programs.inputs(seed, 8):
        assert {name: wasm[name](features) for name in wasm} == {name: reference[name](features) for name in wasm}


@given(SEEDS)
@settings(max_examples=200, deadline=None)
def test_reading_canonical_source_gives_the_same_tree(programs: Any, seed: int) -> None:
    component = programs.component(seed)
    if size(component) > NODES_MAX:
        return
    again = parse(canonical(component), component.form)
    assert again == component
    assert canonical(again) == canonical(component)
    assert component_id(again) == component_id(component)


@given(SEEDS)
@settings(max_examples=200, deadline=None)
def test_simplifying_keeps_the_behaviour_and_never_grows(programs: Any, seed: int) -> None:
    component = programs.component(seed)
    simple = simplify(component)
    assert size(simple) <= size(component)
    assert simplify(simple) == simple
    assert parse(canonical(simple), simple.form) == simple
    before, after = interpret(component), interpret(simple)
    kept = [name for name in component.form.functions if name in simple.functions]
    for features in programs.inputs(seed, 12):
        for name in kept:
            value, expected = after[name](features), before[name](features)
            if value != expected:  # only a mark that nobody reads may differ
                assert name == "decide"
                assert value >> 8 == expected >> 8


CLASSICS = Path(arena.__file__).parent / "classics"


@pytest.mark.parametrize("name", ["gcc", "clang"])
def test_generated_c_compiles_without_a_warning(programs: Any, tmp_path: Path, name: str) -> None:
    command = compiler(name)
    components = [programs.component(seed) for seed in range(6)]
    components += [parse(path.read_text(), PAGES) for path in sorted(CLASSICS.glob("*.policy"))]
    for number, component in enumerate(components):
        source = tmp_path / f"{number}.c"
        source.write_text(to_c(component))
        flags = ["-ffreestanding", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
        built = subprocess.run([command, *flags, source], check=False, capture_output=True, text=True)
        assert built.returncode == 0, built.stderr[:4000]


def test_the_reference_shows_programs_and_errors_that_are_real() -> None:
    text = (Path(__file__).parents[2] / "docs" / "policy-language.md").read_text()
    program = text.split("```python\n")[1].split("```")[0]
    component = parse(program, PAGES)
    assert canonical(component) == program
    assert simplify(component) == component
    with pytest.raises(PolicyError) as caught:
        parse("def on_hit(mark):\n    return keep(marc)\n", PAGES)
    assert f"`{caught.value}`" in " ".join(text.split())


def test_c_reads_as_a_kernel_developer_would_write_it() -> None:
    source = """
def on_hit(mark, register):
    if mark > 3 and register == 0:
        return head(1, 0)
    return keep(mark * 2 + register)

def pick_queue(size0, capacity):
    return 0 if size0 * 10 > capacity else 2
"""
    text = to_c(parse(source, PAGES))
    expected = """s64 on_hit(s64 register_, s64 mark)
{
\tif (mark > 3 && register_ == 0)
\t\treturn head(1, 0);
\treturn keep(mark * 2 + register_);
}
"""
    assert expected in text
    assert "\treturn size0 * 10 > capacity ? 0 : 2;\n" in text
    assert "add_wrap" not in text
