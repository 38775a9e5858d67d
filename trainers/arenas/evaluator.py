"""Run candidates where they can do no harm, and return what they come to.

::

    Evaluator ── modules ──▶ child process (child.py): wasmtime, fuel, memory limit, no environment
         │   ◀── Counters or Failure
         └─ on wall-clock timeout or a crash: kill the child, start another, load the workloads again

A candidate that never ends, traps or breaks the child is a normal outcome, so it is a value (`Failure`) and
no exception. Where wasmtime has no wheel the plain Python beside the arena takes the child's place
(``reference.py``, ``baselines.py``): same counters, no fuel. An evaluator serves one kind and one thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol, Self, cast

from trainers.arenas.classics import classics
from trainers.arenas.errors import EvaluationError
from trainers.arenas.kind import Kind
from trainers.arenas.process import Child, engine_of
from trainers.arenas.registry import DEFAULT, kind_of
from trainers.policy.tree import Component
from trainers.policy.wasm import to_wasm
from trainers.workloads.format import Workload

__all__ = ["BARRIERS", "Counters", "Evaluator", "Failure"]

WORKLOADS_MAX = 4096  # kept by one evaluator; a study has up to seven
# Of the evaluation process: the first two and the limits are there wherever it runs, the others where the system
# has them.
BARRIERS = ("own_process", "no_environment", "resource_limits", "no_new_privs", "system_calls", "network")
START_S_MAX = 60.0  # for a child to say that it is ready
FUEL_OF_BASELINES = 1 << 62
FUEL_TO_START = 100_000
STEPS_MAX = 4_096  # slices whose number of steps is remembered


@dataclass(frozen=True, slots=True)
class Counters:
    """What a run came to: the kind's counters by name. ``digest`` is equal for programs that behave alike."""

    values: Mapping[str, int]
    fuel: int
    digest: int

    def __hash__(self) -> int:
        return hash((tuple(self.values.items()), self.fuel, self.digest))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a candidate has no counters: ``fuel``, ``timeout``, ``trap``, ``invalid`` (no such module) or ``crash``."""

    reason: str
    detail: str


class _Reference(Protocol):
    """``reference.py`` of a kind: counters in the ABI's order, and the digest."""

    def run(
        self, component: Component, words: Sequence[int], size: int, capacity: int
    ) -> tuple[Sequence[int], int]: ...


class _Baselines(Protocol):
    """``baselines.py`` of a kind, for the names in ``Kind.native``."""

    def run(self, name: str, words: Sequence[int], size: int, capacity: int) -> tuple[Sequence[int], int]: ...


class Evaluator:
    """One child process that runs candidates; a context manager.

    ``engine`` is ``wasm`` (a child with wasmtime), ``reference`` (plain Python, in this process) or ``auto``:
    wasm where wasmtime works.
    """

    def __init__(
        self,
        kind: str = DEFAULT,
        *,
        timeout_s: float = 20.0,
        fuel_per_step_max: int | None = None,
        engine: str = "auto",
    ) -> None:
        self.kind = kind_of(kind)
        self.timeout_s = timeout_s
        self.fuel_per_step_max = self.kind.fuel_per_step if fuel_per_step_max is None else fuel_per_step_max
        self.engine = engine_of(engine)
        self.restarts = 0  # children started after the first
        self._workloads: dict[str, Workload] = {}
        self._steps: dict[tuple[str, int, int], int] = {}  # of a slice
        self._child: Child | None = None
        self._started = False
        self._filtered = True
        self._missing: dict[str, str] = {}  # barriers by name: why it is not there, empty where it is

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, workload: Workload) -> None:
        """Make a workload known; the child gets it when it is first used.

        Raises `EvaluationError` beyond ``WORKLOADS_MAX`` workloads, and for one of another kind.
        """
        if workload.kind != self.kind.name:
            raise EvaluationError(f"{workload.name} is a workload for {workload.kind}, not {self.kind.name}")
        if len(self._workloads) >= WORKLOADS_MAX and workload.id not in self._workloads:
            raise EvaluationError(f"{WORKLOADS_MAX} workloads are loaded", hint="close this evaluator, open another")
        self._workloads[workload.id] = workload

    def run(
        self,
        candidate: Component | Iterable[bytes],
        workload_id: str,
        capacity: int,
        *,
        start: int = 0,
        stop: int | None = None,
    ) -> Counters | Failure:
        """Run a candidate on rows ``start..stop``, cold, on a machine of ``capacity``.

        A candidate may also be modules that export the form's functions between them: they may have come from
        anywhere, so they get a sandbox of their own.
        """
        workload, stop = self._bounds(workload_id, capacity, start, stop)
        if self.engine == "reference":
            if not isinstance(candidate, Component):
                raise EvaluationError("without wasmtime only source can be run", hint="give a component")
            reference = cast("_Reference", _beside(self.kind, "reference"))
            return self._counters(*reference.run(candidate, *self._part(workload, start, stop), capacity))
        ours = isinstance(candidate, Component)
        modules = tuple(to_wasm(candidate).values()) if isinstance(candidate, Component) else tuple(candidate)
        fuel = FUEL_TO_START + self.fuel_per_step_max * self._steps_of(workload, start, stop)
        order = {"capacity": capacity, "start": start, "stop": stop, "fuel": fuel}
        return self._order("run", workload, modules, trusted=ours, **order)

    def baseline(
        self, name: str, workload_id: str, capacity: int, *, start: int = 0, stop: int | None = None
    ) -> Counters:
        """Run a baseline, an oracle or the bound, native or a program of the textbook; fuel 0.

        Raises `EvaluationError` where the name is unknown or the child fails twice.
        """
        if name not in self.kind.runs:
            raise EvaluationError(f"there is no baseline {name!r}", hint=f"known: {', '.join(self.kind.runs)}")
        outcome = self._baseline(name, workload_id, capacity, start, stop)
        if isinstance(outcome, Failure):  # a child killed from outside, once, is chance
            outcome = self._baseline(name, workload_id, capacity, start, stop)
        if isinstance(outcome, Failure):
            raise EvaluationError(f"baseline {name} failed: {outcome.reason}, {outcome.detail}")
        return Counters(outcome.values, 0, outcome.digest)

    def _baseline(self, name: str, workload_id: str, capacity: int, start: int, stop: int | None) -> Counters | Failure:
        if name not in self.kind.native:
            return self.run(classics(self.kind.name)[name], workload_id, capacity, start=start, stop=stop)
        workload, stop = self._bounds(workload_id, capacity, start, stop)
        if self.engine == "reference":
            baselines = cast("_Baselines", _beside(self.kind, "baselines"))
            return self._counters(*baselines.run(name, *self._part(workload, start, stop), capacity))
        number = self.kind.native.index(name)
        return self._order(
            "baseline", workload, policy=number, capacity=capacity, start=start, stop=stop, fuel=FUEL_OF_BASELINES
        )

    def barriers(self) -> dict[str, str]:
        """Return what keeps a candidate from the machine: each barrier, and why it is not there or an empty text.

        Starts the child where it does not run. Raises `EvaluationError` where it cannot be started.
        """
        if self.engine == "reference":
            return dict.fromkeys(BARRIERS, "candidates are interpreted by the node's own process: no wasmtime here")
        self._ready_child()
        return {name: self._missing.get(name, "") for name in BARRIERS}

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def _bounds(self, workload_id: str, capacity: int, start: int, stop: int | None) -> tuple[Workload, int]:
        workload = self._workloads.get(workload_id)
        if workload is None:
            raise EvaluationError(f"workload {workload_id[:12]} is not loaded", hint="load it first")
        has = self.kind.capacity
        if not has.low <= capacity <= has.high:
            raise EvaluationError(f"capacity {capacity} is not within {has.low}..{has.high} {has.unit}")
        stop = workload.rows if stop is None else stop
        if not 0 <= start <= stop <= workload.rows:
            raise EvaluationError(f"{self.kind.rows} {start}..{stop} are not within 0..{workload.rows}")
        return workload, stop

    def _part(self, workload: Workload, start: int, stop: int) -> tuple[Sequence[int], int]:
        """Return the slice's words, and the size, for the engines in Python."""
        width = self.kind.codec.width
        return workload.words[start * width : stop * width], workload.size

    def _steps_of(self, workload: Workload, start: int, stop: int) -> int:
        key = (workload.id, start, stop)
        if key not in self._steps:
            if len(self._steps) >= STEPS_MAX:
                del self._steps[next(iter(self._steps))]
            self._steps[key] = self.kind.steps(self._part(workload, start, stop)[0], self.kind.codec.width)
        return self._steps[key]

    def _counters(self, values: Sequence[int], digest: int, fuel: int = 0) -> Counters:
        names = (counter.name for counter in self.kind.counters)
        return Counters(dict(zip(names, values, strict=True)), fuel, digest)

    def _order(
        self, operation: str, workload: Workload, modules: tuple[bytes, ...] = (), *, trusted: bool = True, **order: int
    ) -> Counters | Failure:
        """Send one order; a child that does not answer in time, or at all, is replaced at the next order."""
        header: dict[str, Any] = {
            "op": operation,
            "workload": workload.id,
            "size": workload.size,
            "width": self.kind.codec.width,
            "work_bytes": self.kind.work_bytes(order["stop"] - order["start"], workload.size),
            "counters": len(self.kind.counters),
            "seconds": int(self.timeout_s) + 1,
            "modules": [len(module) for module in modules],
            "trusted": trusted,
            **order,
        }
        child = self._ready_child()
        deadline = time.monotonic() + self.timeout_s
        try:
            if workload.id not in child.loaded:
                child.ask({"op": "load", "workload": workload.id}, workload.little_endian(), deadline)
                child.loaded.add(workload.id)
            reply = child.ask(header, b"".join(modules), deadline)
        except TimeoutError:
            self.close()
            return Failure("timeout", f"no answer within {self.timeout_s:g} s")
        except (OSError, EOFError) as error:
            self._child = None
            status = child.end()
            return Failure("crash", f"the evaluation process ended ({status}): {error}")
        if "failure" in reply:
            return Failure(reply["failure"], reply["detail"])
        return self._counters(reply["counters"], reply["digest"], reply["fuel"])

    def _ready_child(self) -> Child:
        if self._child is None:
            failure = self._start()
            if failure and self._filtered:
                self._filtered = False  # a platform on which the runtime needs calls that the filter refuses
                failure = self._start()
            if failure:
                raise EvaluationError(
                    f"the evaluation process does not start: {failure}", hint="install mqtt-hub[trainer] again"
                )
            self.restarts += self._started
            self._started = True
        if self._child is None:
            raise AssertionError
        return self._child

    def _start(self) -> str:
        """Start a child; returns why it did not, or nothing."""
        self._child = Child(self.kind.folder, filtered=self._filtered)
        try:
            said = self._child.receive(time.monotonic() + START_S_MAX)
        except (OSError, EOFError) as error:
            failure = str(error) or "no answer"
        else:
            failure, self._missing = said.get("failure", ""), said.get("missing", {})
        if failure:
            self.close()
        return failure


@cache
def _beside(kind: Kind, module: str) -> Any:
    """Return ``reference.py`` or ``baselines.py`` of a kind."""
    return import_module(f"{kind.package}.{module}")
