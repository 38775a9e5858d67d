"""The process in which candidates run: it holds nothing worth taking and can be killed at any moment.

::

    parent ── frame ──▶ load | run | baseline ──▶ wasmtime: arena.wasm + candidate, fuel, memory limit
           ◀── frame ── counters | failure

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
MODULES_MAX = 32  # compiled candidates kept
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


class Arena:
    """The compiled arena and baselines, the workloads loaded so far, and one store a run."""

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
        self._baselines = wasmtime.Module(self._engine, checked(folder, "baselines.wasm"))
        self._compiled: OrderedDict[bytes, Any] = OrderedDict()
        self._workloads: dict[str, bytes] = {}

    def load(self, order: Reply, blob: bytes) -> Reply:
        """Keep the words of a workload: u32, little-endian."""
        self._workloads[order["workload"]] = blob
        return {}

    def run(self, order: Reply, blob: bytes) -> Reply:
        """Run the candidate in ``blob`` and return its counters."""
        candidate = self._compile(blob)
        store, memory, linker = self._store(order)
        linker.define_instance(store, "candidate", linker.instantiate(store, candidate))
        return self._measure(order, store, memory, linker.instantiate(store, self._arena))

    def baseline(self, order: Reply, _blob: bytes) -> Reply:
        """Run a native policy by its number and return its counters."""
        store, memory, linker = self._store(order)
        return self._measure(order, store, memory, linker.instantiate(store, self._baselines), order["policy"])

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
        key = hashlib.sha256(blob).digest()
        if key not in self._compiled:
            self._compiled[key] = self._wasmtime.Module(self._engine, blob)
            if len(self._compiled) > MODULES_MAX:
                self._compiled.popitem(last=False)
        return self._compiled[key]

    def _store(self, order: Reply) -> tuple[Any, Any, Any]:
        """Return a store with fuel and limits, a memory just large enough, and a linker that knows it."""
        wasmtime = self._wasmtime
        words_bytes = 4 * order["width"] * (order["stop"] - order["start"])
        units = (WORDS_AT + words_bytes + 8 + order["work_bytes"]) // WASM_PAGE + 1
        store = wasmtime.Store(self._engine)
        store.set_limits(memory_size=units * WASM_PAGE, instances=4, tables=4, memories=4, table_elements=1000)
        store.set_fuel(order["fuel"])
        memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(units, units)))
        linker = wasmtime.Linker(self._engine)
        linker.define(store, "env", "memory", memory)
        return store, memory, linker

    def _measure(self, order: Reply, store: Any, memory: Any, instance: Any, *policy: int) -> Reply:
        words, row_bytes = self._workloads[order["workload"]], 4 * order["width"]
        start, stop, fuel = order["start"], order["stop"], order["fuel"]
        size = (stop - start) * row_bytes
        base = ctypes.addressof(memory.data_ptr(store).contents)
        if not 0 <= start <= stop <= len(words) // row_bytes or WORDS_AT + size > memory.data_len(store):
            raise ValueError("no such rows, or they do not fit the memory")
        first = ctypes.cast(ctypes.c_char_p(words), ctypes.c_void_p).value or 0
        ctypes.memmove(base + WORDS_AT, first + start * row_bytes, size)
        work_at = (WORDS_AT + size + 7) & ~7
        exports = instance.exports(store)
        ended = exports["run"](store, WORDS_AT, stop - start, order["size"], order["capacity"], work_at, *policy)
        if ended:
            return {"failure": "trap", "detail": f"the arena gave up: {ended}"}
        used = fuel - store.get_fuel()
        counters = [exports["counter"](store, index) for index in range(order["counters"])]
        return {"counters": counters, "fuel": used, "digest": exports["digest"](store) & (1 << 64) - 1}


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
