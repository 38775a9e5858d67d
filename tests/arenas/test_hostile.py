"""Hostile modules end as failures, the evaluator goes on, and nothing of the parent is within their reach."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import wasmtime

from trainers.arenas import child
from trainers.arenas.evaluate import classics
from trainers.arenas.evaluator import Counters, Evaluator, Failure
from trainers.workloads.format import Workload, workload

FUNCTIONS = ("on_insert", "on_hit", "pick_queue", "on_scan", "adapt")
EVICT = "(i64.const 196608)"


def module(extra: str = "", imports: str = '(import "env" "memory" (memory 1))', **bodies: str) -> bytes:
    """Return a module that behaves, except where ``extra`` or the bodies say otherwise."""
    usual = {"on_scan": EVICT} | bodies
    exported = "".join(
        f'(func (export "{name}") (result i64) {usual.get(name, "(i64.const 0)")})'
        for name in FUNCTIONS
        if usual.get(name) != "missing"
    )
    return bytes(wasmtime.wat2wasm(f"(module {imports} {extra} {exported})"))


LOOP = "(loop (br 0)) (i64.const 0)"
HOSTILE = {
    "endless loop": (module(on_hit=LOOP), "fuel"),
    "endless loop at start": (module(extra="(func $s (loop (br 0))) (start $s)"), "fuel"),
    "endless recursion": (module(extra="(func $r (result i64) (call $r))", on_insert="(call $r)"), "trap"),
    "trap": (module(on_insert="(unreachable)"), "trap"),
    "division by zero": (module(adapt="(i64.div_s (i64.const 1) (i64.const 0))"), "trap"),
    "read outside the memory": (module(adapt="(i64.load (i32.const -8))"), "trap"),
    "no such action": (module(on_hit="(i64.const 458752)"), "trap"),
    "eviction on insert": (module(on_insert=EVICT), "trap"),
    "queue 200": (module(on_insert="(i64.const 51200)"), "trap"),
    "missing function": (module(adapt="missing"), "invalid"),
    "wrong signature": (
        module(adapt="missing", extra='(func (export "adapt") (param i32) (result i64) (i64.const 0))'),
        "invalid",
    ),
    "foreign import": (
        module(imports='(import "env" "memory" (memory 1)) (import "wasi_snapshot_preview1" "fd_write" (func))'),
        "invalid",
    ),
    "more memory than there is": (module(imports='(import "env" "memory" (memory 60000))'), "invalid"),
    "memory of its own, 4 GiB": (module(imports="(memory 65536)"), "invalid"),
    "huge table": (module(extra="(table 100000000 funcref)"), "invalid"),
    "threads": (module(imports='(import "env" "memory" (memory 1 1 shared))'), "invalid"),
    "garbage": (b"\x00asm\x01\x00\x00\x00garbage", "invalid"),
    "nothing": (b"", "invalid"),
}


@pytest.fixture
def made() -> Workload:
    return workload("small", [number // 2 % 7 for number in range(300)])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_module_is_a_failure_and_the_next_candidate_runs(
    name: str, evaluator: Evaluator, made: Workload
) -> None:
    evaluator.load(made)
    blob, reason = HOSTILE[name]
    before = evaluator.restarts
    outcome = evaluator.run([blob], made.id, 5)
    assert isinstance(outcome, Failure), outcome
    assert (outcome.reason, bool(outcome.detail)) == (reason, True), outcome
    assert isinstance(evaluator.run([module()], made.id, 5), Counters)
    assert evaluator.restarts == before, "no hostile module should cost a process"


def test_memory_cannot_be_grown(evaluator: Evaluator, made: Workload) -> None:
    evaluator.load(made)
    refused = module(adapt="(i64.const -1)")
    greedy = module(adapt="(i64.extend_i32_s (memory.grow (i32.const 30000)))")
    same_as_minus_one = module(
        on_insert="(i64.load (i32.const 4104))",  # the register: -1 is no action, so it traps
        adapt="(i64.extend_i32_s (memory.grow (i32.const 30000)))",
    )
    outcome = evaluator.run([greedy], made.id, 5)
    expected = evaluator.run([refused], made.id, 5)
    assert isinstance(outcome, Counters)
    assert isinstance(expected, Counters)
    assert outcome.values["misses"] == expected.values["misses"]
    assert isinstance(evaluator.run([same_as_minus_one], made.id, 5), Failure)


@pytest.mark.parametrize("value", [0, 1, 127, 255])
@pytest.mark.parametrize("start", [0, 4096, 8192, 131072])
def test_scribbling_over_the_arena_hurts_nobody_else(
    value: int, start: int, evaluator: Evaluator, made: Workload
) -> None:
    """A module may spoil its own run (the language cannot even write), and then the next one is unharmed."""
    evaluator.load(made)
    expected = evaluator.run([module()], made.id, 5)
    scribble = f"(memory.fill (i32.const {start}) (i32.const {value}) (i32.const 4096)) (i64.const 0)"
    outcome = evaluator.run([module(on_hit=scribble)], made.id, 5)
    assert isinstance(outcome, Counters) or outcome.reason in ("trap", "fuel")
    assert evaluator.run([module()], made.id, 5) == expected


def test_wall_clock_ends_what_fuel_does_not(made: Workload) -> None:
    with Evaluator(engine="wasm", timeout_s=0.5, fuel_per_step_max=1 << 50) as short:
        short.load(made)
        outcome = short.run([module(on_hit=LOOP)], made.id, 5)
        assert isinstance(outcome, Failure)
        assert outcome.reason == "timeout"
        assert isinstance(short.run([module()], made.id, 5), Counters), "a new child takes over, workloads and all"
        assert short.restarts == 1


def child_of(evaluator: Evaluator) -> int:
    running = evaluator._child
    assert running is not None
    return running.pid


def test_a_killed_child_is_replaced(made: Workload) -> None:
    with Evaluator(engine="wasm") as running:
        running.load(made)
        expected = running.baseline("lru", made.id, 5)
        os.kill(child_of(running), signal.SIGKILL)
        outcome = running.run(classics("page_replacement")["lru"], made.id, 5)
        assert isinstance(outcome, Failure)
        assert outcome.reason == "crash"
        again = running.run(classics("page_replacement")["lru"], made.id, 5)
        assert isinstance(again, Counters)
        assert again.values["misses"] == expected.values["misses"]


def test_a_baseline_survives_a_killed_child(made: Workload) -> None:
    with Evaluator(engine="wasm") as running:
        running.load(made)
        expected = running.baseline("arc", made.id, 5)
        os.kill(child_of(running), signal.SIGKILL)
        assert running.baseline("arc", made.id, 5) == expected


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")
def test_the_child_has_no_environment_and_no_descriptor_but_its_pipes(
    made: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "not for candidates")
    with Path(__file__).open() as opened, Evaluator(engine="wasm") as running:
        os.set_inheritable(opened.fileno(), True)
        running.load(made)
        running.baseline("lru", made.id, 5)
        process = Path(f"/proc/{child_of(running)}")
        assert b"SECRET_TOKEN" not in (process / "environ").read_bytes()
        targets = {str(entry.readlink()) for entry in (process / "fd").iterdir()}
        assert not any(str(Path(__file__)) in target or "socket" in target for target in targets)
        limits = (process / "limits").read_text()
        assert "Max open files            8 " in limits
        assert "Max core file size        0 " in limits


def test_the_child_ends_when_its_parent_does() -> None:
    command = [sys.executable, "-I", child.__file__, str(Path(child.__file__).parent / "page_replacement"), ""]
    done = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=60)
    assert done.returncode == 0


def test_an_arena_whose_bytes_changed_is_refused(tmp_path: Path) -> None:
    folder = Path(child.__file__).parent / "page_replacement"
    for name in ("arena.wasm", "baselines.wasm", "arena.sha256"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    changed = bytearray((tmp_path / "arena.wasm").read_bytes())
    changed[-1] ^= 1
    (tmp_path / "arena.wasm").write_bytes(changed)
    command = [sys.executable, "-I", child.__file__, str(tmp_path), ""]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        frame = child.read_frame(process.stdout)
        assert frame is not None
        assert "arena.sha256" in frame[0]["failure"]


@pytest.fixture(autouse=True)
def _no_zombies() -> Iterator[None]:
    yield
    try:
        finished, _status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        finished = 0
    assert finished == 0, "a child that ended was not waited for"
