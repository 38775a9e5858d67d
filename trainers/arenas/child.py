"""The process in which candidates run: it holds nothing worth taking and can be killed at any moment.

::

    parent ── frame ──▶ load | run | baseline ──▶ a sandbox: memory, wiped ── arena.wasm, instantiated anew
           ◀── frame ── counters | failure                  store, fuel       candidate, a module a function

Compiling costs more than running on a short slice, so functions are compiled once (a mutant brings one that is new),
and a search runs the same few slices, so stores and memories are used again.

A frame is two little-endian u32, the lengths of what follows: a JSON object, then bytes. This file is run as a
script and imports wasmtime and the standard library only; it has no environment, no descriptors but its two
pipes, and limits on memory, processor time and open files that it sets before it looks at any candidate. Then it
forbids itself every system call but a few (``barriers.py``), and tries a module that traps, so that a platform on
which the runtime does not work like this is found out before the first candidate.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import json
import resource
import struct
import sys
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

DATA_BYTES_MAX = 3 << 30  # of this process; reserved address space does not count
STACK_BYTES_MAX = 256 << 10  # of wasm calls
DESCRIPTORS_MAX = 8
MODULES_MAX = 512  # compiled functions kept, about 20 KB each
SANDBOXES_MAX = 4  # kept, the largest of them:
SANDBOX_BYTES_MAX = 16 << 20  # of memory; a larger one is made for a run
RUNS_MAX = 128  # in one sandbox: instances live as long as their store
FUEL_TO_READ = 1 << 40  # for counters and digest: no candidate has a part in them
WASM_PAGE = 1 << 16
WORDS_AT = 2 * WASM_PAGE  # below: the arena's stack, the features and its data

FUEL_TO_TRAP = 1_000
# (module (func (export "f") unreachable))
TRAPS = b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\7\5\1\1f\0\0\x0a\5\1\3\0\0\x0b"

Reply = dict[str, Any]


def read_frame(stream: IO[bytes]) -> tuple[Reply, bytes] | None:
    """Return the next frame's object and bytes, or None where the stream has ended."""
    lengths = stream.read(8)
    if len(lengths) < 8:
        return None
    header, blob = struct.unpack("<II", lengths)
    return json.loads(stream.read(header)), stream.read(blob)


def write_frame(stream: IO[bytes], header: Reply, blob: bytes | memoryview = b"") -> None:
    """Send one frame."""
    text = json.dumps(header).encode()
    stream.write(struct.pack("<II", len(text), len(blob)) + text)
    stream.write(blob)
    stream.flush()


class Sandbox:
    """One store with one memory, for many runs of one size; nothing of a run is there in the next.

    The memory is wiped and the arena is another instance. Functions stay: what `trainers.policy.wasm` writes has no
    state and stores nothing. Modules of any other origin get a sandbox of their own.
    """

    def __init__(self, wasmtime: Any, engine: Any, units: int) -> None:
        self._wasmtime = wasmtime
        self.bytes = units * WASM_PAGE
        self.store = wasmtime.Store(engine)
        self.store.set_limits(
            memory_size=self.bytes, instances=32 * RUNS_MAX, tables=32 * RUNS_MAX, memories=4, table_elements=1000
        )
        self.memory = wasmtime.Memory(self.store, wasmtime.MemoryType(wasmtime.Limits(units, units)))
        self.address = ctypes.addressof(self.memory.data_ptr(self.store).contents)  # it never grows, so it stays
        self._functions: dict[Any, Any] = {}  # exports by compiled module
        self.runs = 0

    def begin(self, fuel: int) -> None:
        """Make it as new, with fuel for one run."""
        if self.runs:
            ctypes.memset(self.address, 0, self.bytes)
        self.runs += 1
        self.store.set_fuel(fuel)

    def functions(self, modules: list[Any]) -> dict[str, Any]:
        """Return what the modules export, by name."""
        found: dict[str, Any] = {}
        for module in modules:
            if module not in self._functions:
                self._functions[module] = self.instance(module, [self.memory])
            found.update(self._functions[module])
        return found

    def instance(self, module: Any, imports: list[Any]) -> Any:
        """Instantiate a module and return its exports."""
        return self._wasmtime.Instance(self.store, module, imports).exports(self.store)


class Arena:
    """The compiled arena and baselines, functions compiled so far, workloads loaded so far, sandboxes."""

    def __init__(self, wasmtime: Any, folder: Path) -> None:
        self._wasmtime = wasmtime
        config = wasmtime.Config()
        config.consume_fuel = True
        config.cranelift_nan_canonicalization = True
        config.wasm_simd = config.wasm_relaxed_simd = config.wasm_threads = False
        config.parallel_compilation = False
        config.max_wasm_stack = STACK_BYTES_MAX
        self._engine = wasmtime.Engine(config)
        self._arena = wasmtime.Module(self._engine, checked(folder, "arena.wasm"))
        self._wanted = dict.fromkeys(wanted.name for wanted in self._arena.imports).keys()
        self._baselines = wasmtime.Module(self._engine, checked(folder, "baselines.wasm"))
        self._compiled: OrderedDict[bytes, Any] = OrderedDict()
        self._sandboxes: OrderedDict[int, Sandbox] = OrderedDict()  # by size
        self._workloads: dict[str, bytes] = {}

    def load(self, order: Reply, blob: bytes) -> Reply:
        """Keep the words of a workload: u32, little-endian."""
        self._workloads[order["workload"]] = blob
        return {}

    def run(self, order: Reply, blob: bytes) -> Reply:
        """Run the candidate whose modules are in ``blob`` and return its counters."""
        modules, at = [], 0
        for length in order["modules"]:
            modules.append(self._compile(blob[at : at + length]))
            at += length
        sandbox = self._sandbox(order)
        given = {**sandbox.functions(modules), "memory": sandbox.memory}
        if lacks := self._wanted - given.keys():
            return {"failure": "invalid", "detail": f"no function {', '.join(sorted(lacks))}"}
        exports = sandbox.instance(self._arena, [given[name] for name in self._wanted])
        return self._measure(order, sandbox, exports)

    def baseline(self, order: Reply, _blob: bytes) -> Reply:
        """Run a native policy by its number and return its counters."""
        sandbox = self._sandbox(order)
        return self._measure(order, sandbox, sandbox.instance(self._baselines, [sandbox.memory]), order["policy"])

    def try_trap(self) -> None:
        """Compile and run a module that traps; raises ValueError where that does not end in a trap."""
        wasmtime = self._wasmtime
        store = wasmtime.Store(self._engine)
        store.set_fuel(FUEL_TO_TRAP)
        instance = wasmtime.Instance(store, wasmtime.Module(self._engine, TRAPS), [])
        try:
            instance.exports(store)["f"](store)
        except wasmtime.Trap:
            return
        raise ValueError("a trap is none here")

    def _compile(self, blob: bytes) -> Any:
        if blob in self._compiled:
            self._compiled.move_to_end(blob)
        else:
            self._compiled[blob] = self._wasmtime.Module(self._engine, blob)
            if len(self._compiled) > MODULES_MAX:
                self._compiled.popitem(last=False)
        return self._compiled[blob]

    def _sandbox(self, order: Reply) -> Sandbox:
        """Take a sandbox with fuel, and a memory just large enough, or make one; `_measure` puts it back."""
        words_bytes = 4 * order["width"] * (order["stop"] - order["start"])
        units = (WORDS_AT + words_bytes + 8 + order["work_bytes"]) // WASM_PAGE + 1
        sandbox = self._sandboxes.pop(units, None) if order["trusted"] else None
        if sandbox is None:
            sandbox = Sandbox(self._wasmtime, self._engine, units)
        sandbox.begin(order["fuel"])
        return sandbox

    def _measure(self, order: Reply, sandbox: Sandbox, exports: Any, *policy: int) -> Reply:
        words, row_bytes = self._workloads[order["workload"]], 4 * order["width"]
        start, stop, fuel, store = order["start"], order["stop"], order["fuel"], sandbox.store
        size = (stop - start) * row_bytes
        if not 0 <= start <= stop <= len(words) // row_bytes or WORDS_AT + size > sandbox.bytes:
            raise ValueError("no such rows, or they do not fit the memory")
        first = ctypes.cast(ctypes.c_char_p(words), ctypes.c_void_p).value or 0
        ctypes.memmove(sandbox.address + WORDS_AT, first + start * row_bytes, size)
        work_at = (WORDS_AT + size + 7) & ~7
        ended = exports["run"](store, WORDS_AT, stop - start, order["size"], order["capacity"], work_at, *policy)
        if ended:
            return {"failure": "trap", "detail": f"the arena gave up: {ended}"}
        used = fuel - store.get_fuel()
        store.set_fuel(FUEL_TO_READ)
        counters = [exports["counter"](store, index) for index in range(order["counters"])]
        digest = exports["digest"](store) & (1 << 64) - 1
        if order["trusted"]:
            self._keep(sandbox)
        return {"counters": counters, "fuel": used, "digest": digest}

    def _keep(self, sandbox: Sandbox) -> None:
        """Keep a sandbox whose run ended well; one that did not is never used again."""
        if sandbox.bytes > SANDBOX_BYTES_MAX or sandbox.runs >= RUNS_MAX:
            return
        self._sandboxes[sandbox.bytes // WASM_PAGE] = sandbox
        if len(self._sandboxes) > SANDBOXES_MAX:
            self._sandboxes.popitem(last=False)


def checked(folder: Path, name: str) -> bytes:
    """Return a module's bytes, whose hash must be the one in ``arena.sha256``: fuel depends on every byte."""
    data = (folder / name).read_bytes()
    if f"{hashlib.sha256(data).hexdigest()}  {name}" not in (folder / "arena.sha256").read_text().splitlines():
        raise ValueError(f"{name} is not the one whose hash is in arena.sha256")
    return data


def limit(seconds: int) -> None:
    """Give this process ``seconds`` more of processor time, and the fixed limits on memory and descriptors."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES_MAX, DATA_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS_MAX, DESCRIPTORS_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def answer(arena: Arena, wasmtime: Any, order: Reply, blob: bytes) -> Reply:
    """Do what one frame asks; a candidate's end is a reply like any other."""
    try:
        return {"load": arena.load, "run": arena.run, "baseline": arena.baseline}[order["op"]](order, blob)
    except wasmtime.Trap as trap:
        fuel = trap.trap_code == wasmtime.TrapCode.OUT_OF_FUEL
        return {"failure": "fuel" if fuel else "trap", "detail": str(trap.message).strip().splitlines()[-1]}
    except wasmtime.WasmtimeError as error:
        return {"failure": "invalid", "detail": str(error).strip().splitlines()[-1]}
    except MemoryError:
        return {"failure": "crash", "detail": "out of memory"}


def main() -> None:
    """Serve frames until the parent closes the pipe.

    Arguments: the arena's folder, where wasmtime is, and ``unfiltered`` to do without the system call filter.
    """
    folder, packages, *unfiltered = sys.argv[1:]
    sys.path += [packages, str(Path(__file__).parent)]
    frames_in, frames_out = sys.stdin.buffer, sys.stdout.buffer
    try:
        wasmtime = importlib.import_module("wasmtime")
        barriers = importlib.import_module("barriers")
        arena = Arena(wasmtime, Path(folder))
    except (ImportError, OSError, ValueError) as error:
        write_frame(frames_out, {"failure": str(error)})
        return
    limit(0)
    missing = barriers.raise_barriers(filtered=not unfiltered)
    arena.try_trap()
    write_frame(frames_out, {"missing": missing})
    while (frame := read_frame(frames_in)) is not None:
        order, blob = frame
        limit(order.get("seconds", 1))
        write_frame(frames_out, answer(arena, wasmtime, order, blob))


if __name__ == "__main__":
    main()
