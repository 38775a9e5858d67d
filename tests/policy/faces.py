"""The faces of a component as functions of Python, to be held to each other.

::

    component ─┬─ interpret    ──┐
               ├─ to_wasm, run ──┼─▶ {function: features ─▶ integer}
               └─ to_c, gcc    ──┘
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from trainers.policy import Component, canonical, interpret, to_wasm
from trainers.policy.c_helpers import HEADER, helpers
from trainers.policy.kernel_c import Prototype, to_c_functions

__all__ = ["c_functions", "compiler", "disagreement", "wasm_functions"]

STRICT = [
    "-std=gnu11",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fsanitize-undefined-trap-on-error",
    "-fsanitize=undefined",
]


def wasm_functions(component: Component, engine: wasmtime.Engine) -> dict[str, Callable[[Sequence[int]], int]]:
    store = wasmtime.Store(engine)
    memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, None)))
    linker = wasmtime.Linker(engine)
    linker.define(store, "env", "memory", memory)
    exports = {
        name: linker.instantiate(store, wasmtime.Module(engine, module)).exports(store)[name]
        for name, module in to_wasm(component).items()
    }

    def bound(name: str) -> Callable[[Sequence[int]], int]:
        def call(features: Sequence[int]) -> int:
            data = b"".join(value.to_bytes(8, "little", signed=True) for value in features)
            memory.write(store, data, component.form.features_at)
            return int(exports[name](store))

        return call

    return {name: bound(name) for name in component.form.functions}


def compiler(name: str) -> str:
    """Return a C compiler; on the project's own machines its absence is a failure, elsewhere a skip."""
    found = shutil.which(name)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed")
    if found is None:
        pytest.skip(f"{name} is not installed: the C face is not compared here")
    return found


def c_functions(components: Sequence[Component], folder: Path) -> list[dict[str, Callable[[Sequence[int]], int]]]:
    """Compile all components as one shared object."""
    gcc = compiler("gcc")
    texts, used, prototypes = [], frozenset[str](), list[tuple[Prototype, ...]]()
    for number, component in enumerate(components):
        text, needs, heads = to_c_functions(component, prefix=f"p{number}_")
        texts.append(text)
        used |= needs
        prototypes.append(heads)
    form = components[0].form
    source, library = folder / "batch.c", folder / "batch.so"
    source.write_text("\n".join([HEADER, *helpers(form, used), *texts]))
    built = subprocess.run(
        [gcc, *STRICT, "-shared", "-fPIC", "-o", library, source], check=False, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr[:4000]
    loaded = ctypes.CDLL(str(library))

    def bound(name: str, prototype: Prototype) -> Callable[[Sequence[int]], int]:
        function: Any = loaded[prototype.name]
        function.restype = ctypes.c_int64
        function.argtypes = [ctypes.c_int64] * len(prototype.parameters)
        slots = {feature.name: feature.slot for feature in form.functions[name].features}
        places = [slots[parameter] for parameter in prototype.parameters]
        return lambda features: int(function(*(features[place] for place in places)))

    return [{name: bound(name, head) for name, head in zip(form.functions, heads, strict=True)} for heads in prototypes]


def disagreement(programs: Any, seeds: Sequence[int], folder: Path, inputs: int = 24) -> tuple[int, str]:
    """Return how many results were compared, and the first on which interpreter, WebAssembly and C do not agree."""
    components = [programs.component(seed) for seed in seeds]
    engine = wasmtime.Engine()
    compared = 0
    for seed, component, native in zip(seeds, components, c_functions(components, folder), strict=True):
        reference, wasm = interpret(component), wasm_functions(component, engine)
        for features in programs.inputs(seed, inputs):
            for name in component.form.functions:
                results = reference[name](features), wasm[name](features), native[name](features)
                if len(set(results)) > 1:
                    return compared, f"program {seed}, {name}{features}: {results}\n{canonical(component)}"
                compared += 1
    return compared, ""
