"""What evaluating candidates costs: ``scripts/bench/arenas [--json] [--quick] [--pairs N] [--libcachesim PYTHON]``.

::

    native.py     the arena in C, the candidate's C inlined: the limit     ┐
    Evaluator     WebAssembly, fuel, a process of its own                  ├─ the same rows, the same counters
    reference.py  the same machine in CPython                              │
    plugin_hook   libcachesim calls Python for every event                 ┘

Figures are processor time, not time on the wall, so they hold on a busy machine: interleaved pairs, medians.
libcachesim comes into an environment of its own, made for the run; where it cannot be had, that line says so.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import resource
import statistics
import struct
import subprocess
import sys
import time
import venv
from importlib.metadata import version
from pathlib import Path

from common import ROOT, Report, free_port, program, running, scratch

sys.path.insert(0, str(ROOT))

from trainers.arenas.classics import classics
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.kind import Kind
from trainers.arenas.native import compiled
from trainers.arenas.registry import kinds
from trainers.policy import Component, canonical, parse
from trainers.search.island import Island
from trainers.search.objective import Objective
from trainers.workloads.codecs import Pages
from trainers.workloads.format import Workload, workload

ROWS_LONG, ROWS_SLICE, ROWS_REFERENCE = 200_000, 20_000, 2_000
SEED = 1


def cpu_s(pid: int) -> float:
    """Return the processor seconds that a process has used, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def child_of(evaluator: Evaluator) -> int:
    """Return the evaluation process."""
    if evaluator._child is None:  # noqa: SLF001 — its processor time is what is measured
        raise SystemExit("Error: the evaluation process does not run")
    return evaluator._child.pid  # noqa: SLF001 — as above


def lengthened(kind: Kind, rows: int) -> Workload:
    """Return the longest train part; pages can be asked for again and again, so they are lengthened to ``rows``."""
    longest = max((part for part in bundled(kind.name) if part.part == "train"), key=lambda part: part.rows)
    if not isinstance(kind.codec, Pages):
        return longest
    words = (list(longest.words) * (rows // longest.rows + 1))[:rows]
    return workload(longest.name, words, kind=kind.name, part="train", capacity=longest.capacity)


def against_native(kind: Kind, made: Workload, pairs: int) -> tuple[float, float]:
    """Return (share of native C's rows/s, rows/s in WebAssembly), the median over textbook programs and pairs."""
    shares, rates = [], []
    with Evaluator(kind.name, engine="wasm") as evaluator:
        evaluator.load(made)
        for component in classics(kind.name).values():
            expected = evaluator.run(component, made.id, made.capacity)  # compiled, and the sandbox is there
            with compiled(component) as native:
                for _ in range(pairs):
                    before = cpu_s(child_of(evaluator))
                    outcome = evaluator.run(component, made.id, made.capacity)
                    wasm_s = cpu_s(child_of(evaluator)) - before
                    counted, (native_s,) = native.timed(made, made.capacity)
                    if not isinstance(counted, Counters) or not isinstance(outcome, Counters) or outcome != expected:
                        raise SystemExit(f"Error: {kind.name} did not run: {counted}, {outcome}")
                    if (counted.values, counted.digest) != (outcome.values, outcome.digest):
                        raise SystemExit(f"Error: {kind.name}: native C counts something else")
                    shares.append(native_s / wasm_s)
                    rates.append(made.rows / wasm_s)
    return statistics.median(shares), statistics.median(rates)


def against_reference(kind: Kind, made: Workload, pairs: int) -> float:
    """Return how many times the rows/s of the same machine in CPython."""
    ratios = []
    stop = min(ROWS_REFERENCE, made.rows)
    with Evaluator(kind.name, engine="wasm") as evaluator, Evaluator(kind.name, engine="reference") as reference:
        for machine in (evaluator, reference):
            machine.load(made)
        for component in list(classics(kind.name).values())[: 2 * pairs]:
            evaluator.run(component, made.id, made.capacity, stop=stop)
            before = cpu_s(child_of(evaluator))
            for _ in range(5):
                fast = evaluator.run(component, made.id, made.capacity, stop=stop)
            wasm_s = (cpu_s(child_of(evaluator)) - before) / 5
            began = time.process_time()
            slow = reference.run(component, made.id, made.capacity, stop=stop)
            ratios.append((time.process_time() - began) / wasm_s)
            if not isinstance(fast, Counters) or not isinstance(slow, Counters) or fast.digest != slow.digest:
                raise SystemExit(f"Error: {kind.name}: the reference counts something else")
    return statistics.median(ratios)


def candidates(kind: Kind, made: Workload, count: int) -> list[Component]:
    """Return what a real search evaluates, in order, from its own sources."""
    seen: list[Component] = []

    class Watched(Evaluator):
        def run(self, candidate: Component, *place: object, **rows: object) -> object:  # type: ignore[override]
            seen.append(candidate)
            return super().run(candidate, *place, **rows)  # type: ignore[arg-type]

    with Watched(kind.name, engine="wasm") as watched:
        watched.load(made)
        objective = Objective(watched, kind, made.id, made.capacity, stop=min(ROWS_REFERENCE, made.rows))
        Island(kind.form, list(classics(kind.name).values())[:3], objective, random.Random(SEED)).run(count)
    return [parse(canonical(component), kind.form) for component in seen[-count:]]


def candidates_per_s(kind: Kind, made: Workload, count: int, slow_count: int) -> tuple[float, float]:
    """Return (candidates/s of one core, how many times CPython's) on a slice: both processes' time, compiling too."""
    stop = min(ROWS_SLICE, made.rows)
    programs = candidates(kind, made, count)
    with Evaluator(kind.name, engine="wasm") as evaluator:
        evaluator.load(made)
        evaluator.baseline(kind.baseline, made.id, made.capacity, stop=stop)
        before, began = cpu_s(child_of(evaluator)), time.process_time()
        for component in programs:
            evaluator.run(component, made.id, made.capacity, stop=stop)
        fast = (time.process_time() - began + cpu_s(child_of(evaluator)) - before) / count
    reference = Evaluator(kind.name, engine="reference")
    reference.load(made)
    began = time.process_time()
    for component in programs[:: max(1, count // slow_count)][:slow_count]:
        reference.run(component, made.id, made.capacity, stop=stop)
    slow = (time.process_time() - began) / slow_count
    return 1 / fast, slow / fast


def plugin_python(folder: Path) -> str | None:
    """Return a Python with libcachesim, in an environment made for it; None where it cannot be had."""
    venv.create(folder / "venv", with_pip=True)
    python = str(folder / "venv" / "bin" / "python")
    done = subprocess.run([python, "-m", "pip", "install", "-q", "libcachesim"], capture_output=True, check=False)
    return None if done.returncode else python


def against_plugin(kind: Kind, made: Workload, python: str, folder: Path, pairs: int) -> dict[str, float]:
    """Return by policy how many times the requests/s of the plugin hook; LRU must miss as often, exactly."""
    trace = folder / "trace.oracleGeneral"
    trace.write_bytes(b"".join(struct.pack("<IQIq", at, page + 1, 1, -1) for at, page in enumerate(made.words)))
    ratios: dict[str, list[float]] = {}
    with Evaluator(kind.name, engine="wasm") as evaluator:
        evaluator.load(made)
        for _ in range(pairs):
            words = [python, str(Path(__file__).with_name("plugin_hook.py")), str(trace), str(made.capacity)]
            told = json.loads(subprocess.run(words, capture_output=True, check=True).stdout.splitlines()[-1])
            for name, theirs in told.items():
                component = classics(kind.name)[name]
                evaluator.run(component, made.id, made.capacity)
                before = cpu_s(child_of(evaluator))
                ours = evaluator.run(component, made.id, made.capacity)
                took = cpu_s(child_of(evaluator)) - before
                if not isinstance(ours, Counters):
                    raise SystemExit(f"Error: {name} did not run: {ours}")
                if name == "lru" and ours.values["misses"] != round(theirs["miss_ratio"] * made.rows):
                    raise SystemExit(f"Error: LRU misses {ours.values['misses']} times here, {theirs} there")
                ratios.setdefault(name, []).append(theirs["seconds"] / took)
    return {name: statistics.median(values) for name, values in ratios.items()}


def help_ms(runs: int) -> float:
    """Return the processor time of ``kernel-trainer --help`` in ms."""
    spent = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "trainers", "--help"], cwd=ROOT, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return 1000 * statistics.median(spent)


def hello_s(folder: Path, runs: int) -> float:
    """Return the processor seconds of a trainer from its start to its HELLO at an open broker."""
    from paho.mqtt import client as mqtt  # noqa: PLC0415 — only here

    spent = []
    port = free_port()
    broker = [sys.executable, "-m", "mqtt_hub", "broker", "--open", "--port", str(port)]
    with running(broker, port):
        for number in range(runs):
            came: list[float] = []
            watch = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
            watch.on_message = lambda *_, came=came: came.append(time.monotonic())
            watch.connect("127.0.0.1", port)
            watch.subscribe("kernel/v1/hello/#", 1)
            watch.loop_start()
            home = folder / f"node{number}"
            token = folder / "token"
            token.write_text("x" * 40)
            words = ["run", "--name", "A", "--token-file", str(token), "--port", str(port), "--home", str(home)]
            with subprocess.Popen([sys.executable, "-m", "trainers", *words], cwd=ROOT, stderr=subprocess.PIPE) as node:
                end = time.monotonic() + 60
                while not came and node.poll() is None and time.monotonic() < end:
                    time.sleep(0.002)
                if not came:
                    raise SystemExit(f"Error: no HELLO: {node.stderr.read().decode() if node.stderr else ''}")
                spent.append(sum(cpu_s(int(task.name)) for task in Path(f"/proc/{node.pid}/task").iterdir()))
                node.kill()
            watch.loop_stop()
            watch.disconnect()
    return statistics.median(spent)


def versions() -> dict[str, str]:
    """Return the versions of what is compared."""
    found = {"python": platform.python_version(), "wasmtime": version("wasmtime")}
    gcc = program("gcc")
    if gcc:
        found["gcc"] = subprocess.run(
            [gcc, "-dumpfullversion"], capture_output=True, text=True, check=True
        ).stdout.strip()
    return found


def options() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quick", action="store_true", help="one pair each, few candidates: coarse")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved pairs of which the median counts")
    parser.add_argument("--libcachesim", metavar="PYTHON", help="a Python that has libcachesim; otherwise one is made")
    parser.add_argument("--kinds", nargs="*", default=list(kinds()), help="only these")
    return parser.parse_args()


def figures(report: Report, kind: Kind, *, pairs: int, quick: bool) -> None:
    """Measure one kind."""
    made = lengthened(kind, ROWS_LONG)
    share, rate = against_native(kind, made, pairs) if program("gcc") else (None, None)
    if rate:
        report.figures[f"{kind.name}: {kind.rows}/s of one core"] = f"{rate:,.0f}"
    report.at_least(f"{kind.name}: share of native C, policy inlined", share, 0.6)
    report.at_least(f"{kind.name}: times the same machine in CPython", against_reference(kind, made, pairs), 40)
    part = lengthened(kind, ROWS_SLICE)
    per_s, times = candidates_per_s(kind, part, 60 if quick else 300, 1 if quick else 4)
    report.figures[f"{kind.name}: candidates/s, {min(ROWS_SLICE, part.rows)} {kind.rows}"] = f"{per_s:,.0f}"
    report.at_least(f"{kind.name}: candidates/s, times CPython", times, 40)


def main() -> None:
    """Measure everything and show it."""
    given = options()
    pairs = 1 if given.quick else given.pairs
    report = Report(versions())
    for name in given.kinds:
        figures(report, kinds()[name], pairs=pairs, quick=given.quick)
    pages = kinds()["page_replacement"]
    with scratch() as folder:
        python = given.libcachesim or plugin_python(folder)
        told = against_plugin(pages, lengthened(pages, ROWS_LONG), python, folder, pairs) if python else {}
        for name in ("lru", "s3-fifo"):
            report.at_least(f"page_replacement: {name}, times libcachesim's plugin hook", told.get(name), 60)
        report.at_most("kernel-trainer --help, ms of processor", help_ms(2 * pairs + 1), 150)
        report.at_most("first HELLO, s of processor", hello_s(folder, pairs), 1)
    report.show(as_json=given.json)


if __name__ == "__main__":
    main()
