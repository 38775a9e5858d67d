"""The arena compiled for this machine with the candidate's C inlined: the limit of what WebAssembly can reach.

::

    arena.c, its headers ─┐  FEATURES, IMPORT and EXPORT, which every arena defines for WebAssembly, mean other things
    to_c(component) ──────┼─▶ cc -O2 -Wall -Wextra -Werror ──▶ a program: words in, counters, digest and time out
    native.c (main) ──────┘

Nothing limits what runs here but the arena's own bounds, so it is for trusted machines: tests hold the C face to the
WebAssembly with it on whole workloads, and the benchmark takes it as its yardstick. No node uses it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from trainers.arenas.errors import EvaluationError
from trainers.arenas.evaluator import Counters, Failure
from trainers.arenas.kind import Kind
from trainers.arenas.registry import kind_of
from trainers.policy.c_helpers import HEADER, helper_names, helpers
from trainers.policy.kernel_c import to_c_functions
from trainers.policy.tree import Component
from trainers.workloads.format import Workload

__all__ = ["COMPILERS", "Native", "compiled"]

COMPILERS = ("gcc", "clang")
FLAGS = ("-std=gnu11", "-O2", "-march=native", "-fno-builtin", "-Wall", "-Wextra", "-Werror")
SECONDS_MAX = 300.0  # for a run
FEATURES_MAX = 512

_HERE = Path(__file__).parent
_MACROS = re.compile(r"^#define (FEATURES\b|IMPORT\(|EXPORT\().*$", re.MULTILINE)
_PRELUDE = f"""static long long features_of_arena[{FEATURES_MAX}];
#define FEATURES features_of_arena
#define IMPORT(function) static s64 function(void)
#define EXPORT(function)
"""


@dataclass(frozen=True, slots=True)
class Native:
    """A program that is an arena and one component."""

    kind: Kind
    program: Path

    def run(self, workload: Workload, capacity: int, *, start: int = 0, stop: int | None = None) -> Counters | Failure:
        """Run on rows ``start..stop`` and return the counters; fuel is 0, as nothing counts it."""
        return self.timed(workload, capacity, start=start, stop=stop)[0]

    def timed(
        self, workload: Workload, capacity: int, *, start: int = 0, stop: int | None = None, runs: int = 1
    ) -> tuple[Counters | Failure, list[float]]:
        """Run several times, each in a process of its own; return the counters and processor seconds of each."""
        stop, width = workload.rows if stop is None else stop, self.kind.codec.width
        rows = stop - start
        # Twice the work area: pointers may be wider here.
        numbers = (rows, width, workload.size, capacity, 2 * self.kind.work_bytes(rows, workload.size), runs)
        done = subprocess.run(
            [self.program, *map(str, (*numbers, len(self.kind.counters)))],
            input=workload.little_endian()[4 * width * start : 4 * width * stop],
            capture_output=True,
            check=False,
            timeout=SECONDS_MAX,
        )
        if done.returncode:
            return Failure("trap", f"the native arena ended with {done.returncode}"), []
        lines = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
        names = (counter.name for counter in self.kind.counters)
        *values, digest, _ = lines[0]
        return Counters(dict(zip(names, values, strict=True)), 0, digest), [line[-1] / 1e9 for line in lines]


@contextmanager
def compiled(component: Component, *, compiler: str = "gcc") -> Iterator[Native]:
    """Yield the component compiled with its kind's arena, in a scratch folder that is gone afterwards.

    Raises `EvaluationError` where the compiler is missing or takes offence.
    """
    command = shutil.which(compiler)
    if command is None:
        raise EvaluationError(f"{compiler} is not installed", hint="Debian: apt install gcc clang")
    kind = kind_of(component.form.kind)
    with TemporaryDirectory(prefix="mqtt-hub-native-") as name:
        folder = Path(name)
        for header in kind.folder.glob("*.h"):
            (folder / header.name).write_text(_MACROS.sub("", header.read_text()))
        (folder / "arena.c").write_text(source(kind, component))
        program = folder / "arena"
        words = [command, *FLAGS, "-o", str(program), "arena.c", str(_HERE / "native.c")]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EvaluationError(f"{compiler} refuses the C of {kind.name}: {done.stderr[:2000]}")
        yield Native(kind, program)


def source(kind: Kind, component: Component) -> str:
    """Return arena and candidate as one C file: the candidate reads its features from the arena's array."""
    text, used, prototypes = to_c_functions(component, prefix="policy_")
    form, renames = kind.form, sorted(helper_names(kind.form))  # an arena may have a `head` of its own
    calls = []
    for name, prototype in zip(form.functions, prototypes, strict=True):
        slots = {feature.name: feature.slot for feature in form.functions[name].features}
        arguments = ", ".join(f"FEATURES[{slots[parameter]}]" for parameter in prototype.parameters)
        calls.append(f"static s64 {name}(void) {{ return {prototype.name}({arguments}); }}")
    return "\n".join(
        [
            *(f"#define {name} candidate_{name}" for name in renames),
            HEADER,
            *helpers(form, used),
            re.sub(r"^s64 policy_", "static inline s64 policy_", text, flags=re.MULTILINE),
            *(f"#undef {name}" for name in renames),
            _PRELUDE,
            _MACROS.sub("", (kind.folder / "arena.c").read_text()),
            *calls,
            "",
        ]
    )
