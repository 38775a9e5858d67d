"""The system call filter: what the evaluation process may do, and nothing else, on both machines it is made for."""

from __future__ import annotations

import errno
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from trainers.arenas import barriers, child, evaluator
from trainers.arenas.evaluator import BARRIERS, Counters, Evaluator
from trainers.arenas.process import Child
from trainers.workloads.format import workload

ON_LINUX = sys.platform == "linux"
ATTEMPTS = """
import ctypes, importlib, json, os, resource, signal, socket, subprocess, sys
sys.path.append(sys.argv[1])
module = importlib.import_module("barriers")
other = os.open("/dev/null", os.O_WRONLY)
attempts = {
    "open a file": lambda: open("/etc/hostname"),
    "make a file": lambda: open("/tmp/made-by-a-candidate", "w"),
    "list a directory": lambda: os.listdir("/"),
    "open a socket": lambda: socket.socket(),
    "open a local socket": lambda: socket.socket(socket.AF_UNIX),
    "make a pipe": lambda: os.pipe(),
    "start a process": lambda: os.fork(),
    "become a program": lambda: os.execv("/bin/true", ["true"]),
    "signal another process": lambda: os.kill(os.getppid(), 0),
    "change the limits of another": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE, (0, 0)),
    "write elsewhere": lambda: os.write(other, b"x"),
    "read elsewhere": lambda: os.read(other, 1),
    "trace another process": lambda: os.strerror(ctypes.get_errno()) if libc.ptrace(16, os.getppid(), 0, 0) else None,
    "leave the filter": lambda: os.strerror(ctypes.get_errno()) if libc.prctl(22, 0, 0, 0, 0) else None,
}
libc = ctypes.CDLL(None, use_errno=True)
missing = module.raise_barriers()
outcomes = {}
for name, attempt in attempts.items():
    try:
        answer = attempt()
        outcomes[name] = answer if isinstance(answer, str) else "done"
    except OSError as error:
        outcomes[name] = os.strerror(error.errno)
sys.stdout.write(json.dumps([missing, outcomes]))
sys.stdout.flush()
os._exit(0)
"""


def decided(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Run a filter as the kernel does; returns what it decides about a system call."""
    data = struct.pack("=IIQ", number, architecture, 0) + b"".join(struct.pack("=Q", value) for value in arguments)
    data = data.ljust(64, b"\0")
    loaded = at = 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("=HBBI", program, at * 8)
        at += 1
        if code == barriers.RETURN:
            return int(value)
        if code == barriers.LOAD:
            (loaded,) = struct.unpack_from("=I", data, value)
        else:
            at += if_true if (loaded == value if code == barriers.EQUAL else loaded >= value) else if_false


@pytest.mark.parametrize("machine", list(barriers._MACHINES))
def test_the_filter_allows_what_is_listed_with_its_first_argument_and_nothing_else(machine: str) -> None:
    architecture, column = barriers._MACHINES[machine]
    program = barriers.program(architecture, column)
    listed = {call[column]: call[0] for call in barriers.CALLS.values()}
    for number in range(600):
        for argument in (0, 1, 2, 1 << 32, (1 << 32) + 1):
            allowed = number in listed and listed[number] in (barriers.ANY, argument)
            expected = barriers.ALLOW if allowed else barriers.REFUSE
            assert decided(program, architecture, number, argument) == expected, (number, argument)
    assert decided(program, architecture ^ 1, 0, 0) == barriers.KILL
    assert decided(program, architecture, barriers.X32 | 0, 0) == barriers.REFUSE


@pytest.mark.parametrize(("machine", "header"), [("x86_64", "x86-linux-any/asm/unistd_64.h"), ("aarch64", "")])
def test_the_numbers_are_those_of_the_kernels_own_headers(machine: str, header: str) -> None:
    ziglang = pytest.importorskip("ziglang")
    include = Path(ziglang.__file__).parent / "lib" / "libc" / "include"
    text = (include / (header or "any-linux-any/asm-generic/unistd.h")).read_text()
    numbers = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text))
    column = barriers._MACHINES[machine][1]
    assert {name: int(numbers[name]) for name in barriers.CALLS} == {
        name: call[column] for name, call in barriers.CALLS.items()
    }


@pytest.mark.skipif(not ON_LINUX, reason="Linux has them")
def test_behind_the_filter_there_is_no_file_no_socket_and_no_other_process() -> None:
    command = [sys.executable, "-I", "-c", ATTEMPTS, str(Path(barriers.__file__).parent)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    missing, outcomes = json.loads(done.stdout)
    if missing["system_calls"]:
        pytest.skip(f"no filter here: {missing['system_calls']}")
    assert set(missing.values()) == {""}
    assert outcomes == dict.fromkeys(outcomes, os.strerror(errno.EPERM))
    assert not Path("/tmp/made-by-a-candidate").exists()  # noqa: S108 — the place that was tried


@pytest.mark.skipif(not ON_LINUX, reason="Linux has them")
def test_the_process_that_runs_candidates_says_which_barriers_stand_and_the_kernel_agrees() -> None:
    with Evaluator(engine="wasm") as running:
        stands = running.barriers()
        assert tuple(stands) == BARRIERS
        assert running._child is not None
        status = Path(f"/proc/{running._child.pid}/status").read_text()
        assert ("NoNewPrivs:\t1" in status) == (not stands["no_new_privs"])
        assert ("Seccomp:\t2" in status) == (not stands["system_calls"])
        assert "Threads:\t1\n" in status, "a thread that was there before would be without the filter"


def test_an_interpreter_in_the_nodes_own_process_is_no_barrier_and_says_so() -> None:
    with Evaluator(engine="reference") as running:
        assert all("own process" in why for why in running.barriers().values())


def test_where_the_runtime_does_not_work_under_the_filter_it_runs_without_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class FailsUnderTheFilter(Child):
        def __init__(self, folder: Path, *, filtered: bool = True) -> None:
            super().__init__(tmp_path if filtered else folder, filtered=filtered)

    monkeypatch.setattr(evaluator, "Child", FailsUnderTheFilter)
    made = workload("small", [number % 7 for number in range(100)])
    with Evaluator(engine="wasm") as running:
        running.load(made)
        assert isinstance(running.baseline("lru", made.id, 5), Counters)
        assert "does not work under it" in running.barriers()["system_calls"]
        assert running.restarts == 0


def test_only_the_standard_library_is_imported_before_the_filter() -> None:
    for module in (child, barriers):
        names = re.findall(r"^(?:import|from) (\w+)", Path(module.__file__ or "").read_text(), re.MULTILINE)
        assert set(names) <= {*sys.stdlib_module_names, "__future__"}
