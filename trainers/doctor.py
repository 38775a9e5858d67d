"""`kernel-trainer doctor`: what a node needs on this machine, tried out; nothing is changed.

::

    versions ▶ evaluation (a real child process runs a real policy, held to the interpreter) ▶ workloads ▶ home ▶ broker
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.protocol.findings import Check, Finding
from trainers.arenas.classics import classics
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.registry import kinds
from trainers.workloads.format import Workload

__all__ = ["checks"]

TRIED_ROWS = 1_000
FREE_BYTES_MIN = 128 << 20  # an outbox at its bound, and workloads
CONNECT_S_MAX = 3.0


def checks(home: Path | None = None, broker: tuple[str, int] | None = None) -> list[Check]:
    """Return the checks of this machine, and of a node's home and its broker where they are named."""
    wanted: list[Check] = [("versions", _versions), ("evaluation", _evaluation), ("workloads", _workloads)]
    if home is not None:
        wanted.append(("home", lambda: _home(home)))
    if broker is not None:
        wanted.append(("broker", lambda: _broker(*broker)))
    return wanted


def _versions() -> Iterator[Finding]:
    yield Finding(
        "versions", "ok", f"Python {platform.python_version()} on {platform.machine()}, {os.cpu_count()} processors"
    )


def _evaluation() -> Iterator[Finding]:
    """Run a classic of every kind in the engine that a node would use, and in the reference interpreter."""
    for kind in kinds():
        workload, (name, component) = next(iter(bundled(kind)), None), next(iter(classics(kind).items()))
        if workload is None:
            yield Finding("evaluation", "ok", f"{kind}: comes without a workload to try it on")
            continue
        with Evaluator(kind) as evaluator, Evaluator(kind, engine="reference") as reference:
            engine = evaluator.engine
            ours, truth = (_behaviour(runner, workload, component) for runner in (evaluator, reference))
            missing = {name: why for name, why in evaluator.barriers().items() if why}
        if ours != truth:
            advice = "this machine must not take part: reinstall wasmtime, or use another one"
            yield Finding("evaluation", "problem", f"{kind}: {name} gives {ours}, the interpreter {truth}", advice)
        elif engine == "wasm":
            yield Finding("evaluation", "ok", f"{kind}: wasmtime agrees with the interpreter")
        else:
            advice = "pip install wasmtime, where it has a wheel: the interpreter is a hundred times slower"
            yield Finding("evaluation", "warning", f"{kind}: no wasmtime here, the interpreter stands in", advice)
        yield _barriers(kind, missing)


def _barriers(kind: str, missing: dict[str, str]) -> Finding:
    """Say what stands between a candidate and this machine: `Evaluator.barriers`."""
    if not missing:
        return Finding("evaluation", "ok", f"{kind}: candidates have no system calls, files or network")
    without = "; ".join(f"{name} ({why})" for name, why in missing.items())
    advice = "candidates are kept in by the language, WebAssembly and the other barriers alone: docs/security.md"
    return Finding("evaluation", "warning", f"{kind}: candidates run without {without}", advice)


def _behaviour(evaluator: Evaluator, workload: Workload, component: object) -> object:
    evaluator.load(workload)
    stop = min(TRIED_ROWS, workload.rows)
    outcome = evaluator.run(component, workload.id, workload.capacity, stop=stop)  # type: ignore[arg-type]
    return (dict(outcome.values), outcome.digest) if isinstance(outcome, Counters) else outcome


def _workloads() -> Iterator[Finding]:
    found = [workload for kind in kinds() for workload in bundled(kind)]  # reading them checks every number
    yield Finding("workloads", "ok", f"{len(found)} bundled files are whole")


def _home(home: Path) -> Iterator[Finding]:
    if not home.is_dir() or not os.access(home, os.W_OK):
        raise ConfigurationError(f"{home} is no directory that this user may write", hint="kernel-trainer run makes it")
    free = shutil.disk_usage(home).free
    if free < FREE_BYTES_MIN:
        yield Finding(
            "home", "problem", f"{free >> 20} MiB free in {home}", "make room: a full outbox stops the search"
        )
    else:
        yield Finding("home", "ok", f"{home}: {free >> 20} MiB free")


def _broker(host: str, port: int) -> Iterator[Finding]:
    """Connect and no more: a login of this node's would take over the session of the one that runs."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_S_MAX).close()
    except OSError as error:
        advice = "is the hub running there, and no firewall in between?"
        yield Finding("broker", "problem", f"{host}:{port}: {error.strerror or error}", advice)
    else:
        yield Finding("broker", "ok", f"{host}:{port} is listened on")
