"""The machine again in plain Python: the truth for differential tests, and the stand-in where wasmtime has no wheel.

Read it beside ``machine.h``: same steps, same names, same counters for every program, a hundred times slower.
A `Policy` answers the five questions; `Interpreted` asks a component, so this needs no WebAssembly.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from trainers.arenas.cpu_scheduling.counting import SEED, Tally, mixed
from trainers.arenas.cpu_scheduling.form import CPUS_MAX, FORM, REGISTER_MAX, SLICE_MAX, TICK, VISIBLE
from trainers.policy.arithmetic import INT64_MAX, clamp
from trainers.policy.interpret import interpret
from trainers.policy.tree import Component

__all__ = ["WIDTH", "Cpu", "Interpreted", "Machine", "Policy", "Row", "Task", "rows_of", "run"]

WIDTH = 6  # words a row
SWITCH = 20  # units that a CPU needs to change its task
PERIOD = 100  # ticks
LOAD_SHIFT = 8  # the load forgets with a factor of 255/256 a tick
LOAD_HALF_LIFE = 177  # which is one half in as many ticks
NEVER = 1 << 32

_SLOTS = {feature.name: feature.slot for function in FORM.functions.values() for feature in function.features}


@dataclass(frozen=True, slots=True)
class Row:
    """One burst of one task."""

    time: int  # when it was ready in the trace: a task's first row arrives then
    task: int
    source: int
    weight: int  # 16 is one
    sleep: int  # units between the end of the task's burst before it and this one
    burst: int  # units of computing


@dataclass(slots=True, eq=False)
class Task:
    """A task: its rows in the slice, and the burst it is at."""

    rows: list[int]  # numbers of those rows, in order
    at: int = 0  # which of them
    reg: int = 0
    ready: int = 0  # when this burst could begin
    since: int = 0  # when it began to wait
    order: int = 0  # its place in the queue: the lowest is the head
    used: int = 0
    total: int = 0
    ewma: int = 0
    last_burst: int = 0
    bursts: int = 0
    slept: int = 0


@dataclass(slots=True, eq=False)
class Cpu:
    """A CPU, who sits on it, and who did last."""

    number: int
    task: Task | None = None
    last: Task | None = None
    slice: int = 0  # units
    stint: int = 0  # units since the task was seated, switching included
    ran: int = 0  # units that it was served since
    switching: int = 0  # units of switching to go


class Policy(Protocol):
    """Who answers the machine's questions; registers and slices are clamped by the machine."""

    def score(self, machine: Machine, task: Task, time: int, wait: int, current: int, slice_used: int) -> int:
        """Return how much this task should run."""

    def slice(self, machine: Machine, task: Task, time: int) -> int:
        """Return ticks."""

    def wake(self, machine: Machine, task: Task) -> int:
        """Return the register of a task that arrives or wakes."""

    def ran(self, machine: Machine, task: Task, time: int, ran: int, expired: int) -> int:
        """Return the register of a task that stops running."""

    def period(self, machine: Machine, task: Task, wait: int) -> int:
        """Return the register of a task that runs or waits."""


class Interpreted:
    """Answers by the reference interpreter."""

    def __init__(self, component: Component) -> None:
        self._functions: Mapping[str, Callable[[Sequence[int]], int]] = interpret(component)
        self._features = [0] * len(_SLOTS)

    def score(self, machine: Machine, task: Task, time: int, wait: int, current: int, slice_used: int) -> int:
        """Ask `run_score`."""
        return self._ask("run_score", machine, task, time, wait=wait, current=current, slice_used=slice_used)

    def slice(self, machine: Machine, task: Task, time: int) -> int:
        """Ask `slice`."""
        return self._ask("slice", machine, task, time, wait=time - task.since)

    def wake(self, machine: Machine, task: Task) -> int:
        """Ask `on_wake`."""
        return self._ask("on_wake", machine, task, machine.now)

    def ran(self, machine: Machine, task: Task, time: int, ran: int, expired: int) -> int:
        """Ask `on_run`."""
        return self._ask("on_run", machine, task, time, ran=ran, expired=expired)

    def period(self, machine: Machine, task: Task, wait: int) -> int:
        """Ask `on_period`."""
        return self._ask("on_period", machine, task, machine.now, wait=wait)

    def _ask(self, name: str, machine: Machine, task: Task, time: int, **own: int) -> int:
        done = machine.tally.bursts
        shown = {
            "now": time,
            "n_run": machine.visible,
            "min_reg": machine.min_reg,
            "mean_reg": machine.mean_reg,
            "mean_burst": machine.served // done if done else 0,
            "cpus": len(machine.cpus),
            "load": machine.load >> 10,
            "reg": task.reg,
            "used": task.used,
            "total": task.total,
            "ewma": task.ewma,
            "last_burst": task.last_burst,
            "weight": machine.row(task).weight,
            "bursts": task.bursts,
            "since_wake": time - task.ready,
            "slept": task.slept,
            **own,
        }
        for feature, value in shown.items():
            self._features[_SLOTS[feature]] = value
        return self._functions[name](self._features)


@dataclass(slots=True)
class Machine:
    """CPUs, queue and sleepers, driven by one policy."""

    rows: Sequence[Row]
    policy: Policy
    cpus: list[Cpu]
    tally: Tally = field(default_factory=Tally)
    trail: int = SEED
    now: int = 0
    min_reg: int = 0
    mean_reg: int = 0
    load: int = 0  # runnable tasks a CPU in parts of 2^20
    served: int = 0  # units of bursts that are done
    queue: list[Task] = field(default_factory=list)
    arriving: list[tuple[int, Task]] = field(default_factory=list)  # (time, task), the next one last
    asleep: list[tuple[int, int, Task]] = field(default_factory=list)  # heap of (time to wake, number, task)
    sources: dict[int, int] = field(default_factory=dict)  # ewma of the bursts of each source
    orders: int = 0
    fallen: int = 0

    def __post_init__(self) -> None:
        """Chain every task's rows; each task arrives at its first one."""
        tasks: dict[int, Task] = {}
        for number, row in enumerate(self.rows):
            tasks.setdefault(row.task, Task([])).rows.append(number)
        start = self.rows[0].time if self.rows else 0
        self.arriving = [(self.rows[task.rows[0]].time - start, task) for task in reversed(tasks.values())]

    @property
    def visible(self) -> int:
        """How many tasks run or are in the queue."""
        return len(self.queue) + sum(cpu.task is not None for cpu in self.cpus)

    def row(self, task: Task) -> Row:
        """Return the burst that a task is at."""
        return self.rows[task.rows[task.at]]

    def run(self) -> None:
        """Serve every burst."""
        while self.visible or self.asleep or self.arriving:
            if not self.visible:
                self._idle()
            self._tick()

    def _tick(self) -> None:
        self._expire()
        self._survey()
        woke = self._wake()
        if self.now % (PERIOD * TICK) == 0:
            for task in self.queue:
                task.reg = _register(self.policy.period(self, task, self.now - task.since))
            for cpu in self.cpus:
                if cpu.task is not None:
                    cpu.task.reg = _register(self.policy.period(self, cpu.task, 0))
        for cpu in self.cpus:
            if cpu.task is None and self.queue:
                self.seat(cpu, self.choose(cpu, self.now), self.now)
        if woke and self.queue:
            self._preempt()
        for cpu in self.cpus:
            self._compute(cpu)
        self.load += ((self.visible << 20) // len(self.cpus) - self.load) >> LOAD_SHIFT
        self.now += TICK

    def _idle(self) -> None:
        """Pass the ticks in which there is nobody to ask."""
        idle = max(0, -(-self._next_event()[0] // TICK) - self.now // TICK)
        self.load >>= idle // LOAD_HALF_LIFE
        self.now += idle * TICK

    def _expire(self) -> None:
        for cpu in self.cpus:
            task = cpu.task
            if task is not None and cpu.stint >= cpu.slice:
                task.reg = _register(self.policy.ran(self, task, self.now, cpu.ran, 1))
                task.order, task.since = self._next_order(), self.now
                self.queue.append(task)
                cpu.task = None

    def _survey(self) -> None:
        registers = [task.reg for task in (*self.queue, *(cpu.task for cpu in self.cpus)) if task is not None]
        if registers:  # with nobody to ask the last answer stands
            self.min_reg, self.mean_reg = min(registers), sum(registers) // len(registers)

    def _next_event(self) -> tuple[int, bool]:
        """Return when the next sleeper wakes or the next task arrives, and whether it is a sleeper."""
        wakes = self.asleep[0][0] if self.asleep else NEVER
        arrives = self.arriving[-1][0] if self.arriving else NEVER
        return min(wakes, arrives), wakes <= arrives

    def _wake(self) -> bool:
        woke = False
        while self.visible < VISIBLE:
            time, sleeper = self._next_event()
            if time > self.now:
                break
            if sleeper:
                task = heapq.heappop(self.asleep)[2]
            else:
                task = self.arriving.pop()[1]
                task.ewma = self.sources.get(self.row(task).source, 0)
            task.ready = task.since = time
            task.order = self._next_order()
            self.queue.append(task)
            task.reg = _register(self.policy.wake(self, task))
            woke = True
        return woke

    def choose(self, cpu: Cpu, time: int) -> Task:
        """Return the waiting task of the highest score; of equals the one nearest to the queue's head."""

        def rank(task: Task) -> tuple[int, int]:
            current = int(cpu.last is task)
            return -self.policy.score(self, task, time, time - task.since, current, 0), task.order

        return min(self.queue, key=rank)

    def seat(self, cpu: Cpu, task: Task, time: int) -> None:
        """Take a task from the queue to a CPU."""
        self.tally.waited(time - task.since)
        cpu.slice = clamp(self.policy.slice(self, task, time), 1, SLICE_MAX) * TICK
        cpu.switching = 0 if cpu.last is task else SWITCH
        cpu.stint = cpu.ran = 0
        if cpu.last is not task:
            self.tally.switches += 1
            self.trail = mixed(self.trail, time << 32 | (task.rows[task.at] * CPUS_MAX + cpu.number))
        self.queue.remove(task)
        cpu.task = cpu.last = task

    def _preempt(self) -> None:
        """Let the best that wait take the place of the lowest that run, where they are strictly better."""
        score = {id(task): self.policy.score(self, task, self.now, self.now - task.since, 0, 0) for task in self.queue}
        held = {cpu.number: self._held(cpu) for cpu in self.cpus}
        candidates = sorted(self.queue, key=lambda task: (-score[id(task)], task.order))
        for task, _ in zip(candidates, self.cpus, strict=False):
            low = min(self.cpus, key=lambda cpu: (held[cpu.number], cpu.number))
            if score[id(task)] <= held[low.number]:
                break
            out = low.task
            if out is None:
                raise AssertionError
            out.reg = _register(self.policy.ran(self, out, self.now, low.ran, 0))
            out.since = self.now  # and keeps its place in the queue
            held[low.number] = INT64_MAX  # neither is looked at again in this tick
            self.tally.preemptions += 1
            self._swap(low, out, task)

    def _held(self, cpu: Cpu) -> int:
        if cpu.task is None:
            raise AssertionError
        return self.policy.score(self, cpu.task, self.now, 0, 1, cpu.stint)

    def _swap(self, cpu: Cpu, out: Task, task: Task) -> None:
        cpu.task = None
        self.queue.append(out)
        self.seat(cpu, task, self.now)

    def _compute(self, cpu: Cpu) -> None:
        """Spend one tick of one CPU: switch, compute, and pick whenever a burst is done."""
        room = TICK
        while room:
            if cpu.task is None:
                if not self.queue:
                    return
                time = self.now + TICK - room
                self.seat(cpu, self.choose(cpu, time), time)
            task = cpu.task
            if task is None:
                raise AssertionError
            left = self.row(task).burst - task.used
            switching = min(room, cpu.switching)
            running = min(room - switching, left)
            cpu.switching -= switching
            cpu.ran += running
            cpu.stint += switching + running
            task.used += running
            task.total += running
            room -= switching + running
            if running == left:
                self._finish(cpu, task, self.now + TICK - room)

    def _finish(self, cpu: Cpu, task: Task, time: int) -> None:
        """Count a burst that is done; the task sleeps until its next one, or has gone."""
        row = self.row(task)
        self.tally.done(row.burst, row.weight, task.ready, time)
        self.served += row.burst
        goes_on = task.at + 1 < len(task.rows)
        if goes_on:
            task.reg = _register(self.policy.ran(self, task, time, cpu.ran, 0))
        task.ewma = (task.ewma + row.burst) // 2 if task.ewma else row.burst
        known = self.sources.get(row.source)
        self.sources[row.source] = row.burst if known is None else (known + row.burst) // 2
        task.last_burst, task.used = row.burst, 0
        task.bursts += 1
        cpu.task = None
        if goes_on:
            task.at += 1
            task.slept = self.row(task).sleep
            heapq.heappush(self.asleep, (time + task.slept, self.fallen, task))
            self.fallen += 1

    def _next_order(self) -> int:
        self.orders += 1
        return self.orders


def _register(value: int) -> int:
    return clamp(value, -REGISTER_MAX, REGISTER_MAX)


def rows_of(words: Sequence[int]) -> list[Row]:
    """Return the rows that a workload's words spell."""
    return [Row(*words[at : at + WIDTH]) for at in range(0, len(words), WIDTH)]


def run(component: Component, words: Sequence[int], _tasks: int, cpus: int) -> tuple[list[int], int]:
    """Serve the rows on ``cpus`` CPUs; return the counters in their order, and the digest."""
    machine = Machine(rows_of(words), Interpreted(component), [Cpu(number) for number in range(cpus)])
    machine.run()
    return list(machine.tally.counters().values()), machine.trail
