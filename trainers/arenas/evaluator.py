"""Run candidates where they can do no harm, and count what they miss.

::

    Evaluator ── wasm bytes ──▶ child process (child.py): wasmtime, fuel, memory limit, no environment
         │   ◀── Counters or Failure
         └─ on wall-clock timeout or a crash: kill the child, start another, load the workloads again

A candidate that never ends, traps or breaks the child is a normal outcome, so it is a value (`Failure`) and
no exception. Where wasmtime has no wheel the plain-Python reference takes the child's place: same counters,
no fuel. An evaluator serves one thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Self

from trainers.arenas.errors import EvaluationError
from trainers.arenas.page_replacement import baselines, reference
from trainers.arenas.page_replacement.kind import BASELINES, BOUND, KIND
from trainers.arenas.process import Child, wasmtime_folder
from trainers.policy.tree import Component
from trainers.policy.wasm import to_wasm
from trainers.workloads.format import Workload

__all__ = ["CAPACITY_MAX", "Counters", "Evaluator", "Failure"]

CAPACITY_MAX = 1 << 24
WORKLOADS_MAX = 1024  # kept by one evaluator
ENGINES = ("auto", "wasm", "reference")
START_S_MAX = 60.0  # for a child to say that it is ready
FUEL_OF_BASELINES = 1 << 62
FUEL_TO_START = 100_000


@dataclass(frozen=True, slots=True)
class Counters:
    """What a run came to. ``digest`` hashes its evictions in order: equal for programs that behave alike."""

    requests: int
    misses: int
    fuel: int
    digest: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a candidate has no counters: ``fuel``, ``timeout``, ``trap``, ``invalid`` (no such module) or ``crash``."""

    reason: str
    detail: str


class Evaluator:
    """One child process that runs candidates; a context manager.

    ``engine`` is ``wasm`` (a child with wasmtime), ``reference`` (plain Python, in this process) or ``auto``:
    wasm where wasmtime works.
    """

    def __init__(
        self,
        kind: str = KIND.name,
        *,
        timeout_s: float = 20.0,
        fuel_per_request_max: int = 4000,
        engine: str = "auto",
    ) -> None:
        if kind != KIND.name:
            raise EvaluationError(f"there is no component kind {kind!r}", hint=f"known: {KIND.name}")
        if engine not in ENGINES:
            raise EvaluationError(f"there is no engine {engine!r}", hint=f"known: {', '.join(ENGINES)}")
        self.kind = kind
        self.timeout_s = timeout_s
        self.fuel_per_request_max = fuel_per_request_max
        self.engine = ("wasm" if wasmtime_folder() else "reference") if engine == "auto" else engine
        self.restarts = 0  # children started after the first
        self._workloads: dict[str, Workload] = {}
        self._child: Child | None = None
        self._started = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, workload: Workload) -> None:
        """Make a workload known; the child gets it when it is first used.

        Raises `EvaluationError` beyond ``WORKLOADS_MAX`` workloads.
        """
        if len(self._workloads) >= WORKLOADS_MAX and workload.id not in self._workloads:
            raise EvaluationError(f"{WORKLOADS_MAX} workloads are loaded", hint="close this evaluator, open another")
        self._workloads[workload.id] = workload

    def run(
        self,
        candidate: Component | bytes,
        workload_id: str,
        capacity: int,
        *,
        start: int = 0,
        stop: int | None = None,
    ) -> Counters | Failure:
        """Run a candidate on requests ``start..stop`` from an empty cache of ``capacity`` pages."""
        workload, stop = self._bounds(workload_id, capacity, start, stop)
        if self.engine == "reference":
            if not isinstance(candidate, Component):
                raise EvaluationError("without wasmtime only source can be run", hint="give a component, not bytes")
            return Counters(*reference.run(candidate, workload.requests[start:stop], capacity))
        blob = to_wasm(candidate) if isinstance(candidate, Component) else candidate
        fuel = FUEL_TO_START + self.fuel_per_request_max * (stop - start)
        return self._order("run", workload, blob, capacity=capacity, start=start, stop=stop, fuel=fuel)

    def baseline(
        self, name: str, workload_id: str, capacity: int, *, start: int = 0, stop: int | None = None
    ) -> Counters:
        """Run a baseline, or the bound ``belady``; fuel 0.

        Raises `EvaluationError` where the name is unknown or the child fails twice.
        """
        workload, stop = self._bounds(workload_id, capacity, start, stop)
        names = (*BASELINES, BOUND)
        if name not in names:
            raise EvaluationError(f"there is no baseline {name!r}", hint=f"known: {', '.join(names)}")
        if self.engine == "reference":
            return Counters(*baselines.run(name, workload.requests[start:stop], capacity))
        for _attempt in range(2):  # a child killed from outside, once, is chance
            outcome = self._order(
                "baseline",
                workload,
                policy=names.index(name),
                capacity=capacity,
                start=start,
                stop=stop,
                fuel=FUEL_OF_BASELINES,
            )
            if isinstance(outcome, Counters):
                break
        if isinstance(outcome, Failure):
            raise EvaluationError(f"baseline {name} failed: {outcome.reason}, {outcome.detail}")
        return Counters(outcome.requests, outcome.misses, 0, outcome.digest)

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def _bounds(self, workload_id: str, capacity: int, start: int, stop: int | None) -> tuple[Workload, int]:
        workload = self._workloads.get(workload_id)
        if workload is None:
            raise EvaluationError(f"workload {workload_id[:12]} is not loaded", hint="load it first")
        if not 1 <= capacity <= CAPACITY_MAX:
            raise EvaluationError(f"capacity {capacity} is not within 1..{CAPACITY_MAX} pages")
        stop = len(workload.requests) if stop is None else stop
        if not 0 <= start <= stop <= len(workload.requests):
            raise EvaluationError(f"requests {start}..{stop} are not within 0..{len(workload.requests)}")
        return workload, stop

    def _order(self, operation: str, workload: Workload, blob: bytes = b"", **order: int) -> Counters | Failure:
        """Send one order; a child that does not answer in time, or at all, is replaced at the next order."""
        header: dict[str, Any] = {"op": operation, "workload": workload.id, "seconds": int(self.timeout_s) + 1, **order}
        child = self._ready_child()
        deadline = time.monotonic() + self.timeout_s
        try:
            if workload.id not in child.loaded:
                child.ask({"op": "load", "workload": workload.id, "pages": workload.pages}, workload.words(), deadline)
                child.loaded.add(workload.id)
            reply = child.ask(header, blob, deadline)
        except TimeoutError:
            self.close()
            return Failure("timeout", f"no answer within {self.timeout_s:g} s")
        except (OSError, EOFError) as error:
            self._child = None
            status = child.end()
            return Failure("crash", f"the evaluation process ended ({status}): {error}")
        if "failure" in reply:
            return Failure(reply["failure"], reply["detail"])
        return Counters(reply["requests"], reply["misses"], reply["fuel"], reply["digest"])

    def _ready_child(self) -> Child:
        if self._child is None:
            self._child = Child(self.kind)
            self.restarts += self._started > 0
            self._started += 1
            try:
                failure = self._child.receive(time.monotonic() + START_S_MAX).get("failure")
            except (OSError, EOFError) as error:
                failure = str(error) or "no answer"
            if failure:
                self.close()
                raise EvaluationError(
                    f"the evaluation process does not start: {failure}", hint="install mqtt-hub[trainer] again"
                )
        return self._child
