"""The textbook, the oracle and the bound once more, naively: what the programs and ``baselines.c`` must agree with.

::

    fcfs rr mlfq hrrn las sjf cfs eevdf    a class each, with the state its textbook has, on reference.py's machine
    srpt                                   knows the rest of every burst
    bound                                  no machine: what no schedule can go below

``run`` plays the part of ``baselines.c`` where there is no wasmtime.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil

from trainers.arenas.cpu_scheduling.counting import SEED, Tally
from trainers.arenas.cpu_scheduling.form import SLICE_MAX, TICK
from trainers.arenas.cpu_scheduling.reference import SWITCH, Cpu, Machine, Policy, Row, Task, rows_of

__all__ = ["POLICIES", "run"]


class RoundRobin:
    """Everybody alike, four ticks at a time; also what the others do where they say nothing else."""

    def score(self, machine: Machine, task: Task, time: int, wait: int, current: int, slice_used: int) -> int:
        """Return 0: the head of the queue runs, and nobody is preempted."""
        del machine, task, time, wait, current, slice_used
        return 0

    def slice(self, machine: Machine, task: Task, time: int) -> int:
        """Return four ticks."""
        del machine, task, time
        return 4

    def wake(self, machine: Machine, task: Task) -> int:
        """Leave the register alone."""
        del machine
        return task.reg

    def ran(self, machine: Machine, task: Task, time: int, ran: int, expired: int) -> int:
        """Leave the register alone."""
        del machine, time, ran, expired
        return task.reg

    def period(self, machine: Machine, task: Task, wait: int) -> int:
        """Leave the register alone."""
        del machine, wait
        return task.reg


class _Patient(RoundRobin):
    """Lets a burst run to its end."""

    def slice(self, machine: Machine, task: Task, time: int) -> int:
        """Return as much as there is."""
        del machine, task, time
        return SLICE_MAX


class FirstCome(_Patient):
    """Numbers bursts as they become ready; the lowest number runs."""

    def __init__(self) -> None:
        self.numbers: dict[Task, int] = {}
        self.next = 0

    def score(self, machine: Machine, task: Task, time: int, wait: int, current: int, slice_used: int) -> int:
        """Return the negative number."""
        del machine, time, wait, current, slice_used
        return -self.numbers[task]

    def wake(self, machine: Machine, task: Task) -> int:
        """Number the burst."""
        del machine
        self.numbers[task] = self.next
        self.next += 1
        return task.reg


class Feedback(RoundRobin):
    """Four levels; who uses up a slice sinks by one, and every hundred ticks all rise to the top."""

    def __init__(self) -> None:
        self.levels: dict[Task, int] = {}

    def score(self, machine: Machine, task: Task, time: int, wait: int, current: int, slice_used: int) -> int:
        """Return more for a higher level."""
        del machine, time, wait, current, slice_used
        return 3 - self.levels.get(task, 0)

    def slice(self, machine: Machine, task: Task, time: int) -> int:
        """Return 2, 4, 8 or 16 ticks."""
        del machine, time
        return (2, 4, 8, 16)[self.levels.get(task, 0)]

    def ran(self, machine: Machine, task: Task, time: int, ran: int, expired: int) -> int:
        """Sink."""
        del machine, time, ran
        if expired and self.levels.get(task, 0) < 3:
            self.levels[task] = self.levels.get(task, 0) + 1
        return task.reg

    def period(self, machine: Machine, task: Task, wait: int) -> int:
        """Rise."""
        del machine, wait
        self.levels[task] = 0
        return task.reg


def _guess(machine: Machine, task: Task) -> int:
    """Guess a burst's length by what the task, its source or everybody did before; by itself where it is longer."""
    everybody = machine.served // machine.tally.bursts if machine.tally.bursts else 0
    return max(task.ewma or everybody, task.used)


class ShortestFirst(RoundRobin):
    """The shortest guess first."""

    def score(self, machine: Machine, task: Task, time: int, wait: int, current: int, slice_used: int) -> int:
        """Return the negative guess."""
        del time, wait, current, slice_used
        return -_guess(machine, task)


class HighestRatio(RoundRobin):
    """The highest ratio of response time to guess first."""

    def score(self, machine: Machine, task: Task, time: int, wait: int, current: int, slice_used: int) -> int:
        """Return the ratio in parts of 1024."""
        del wait, current, slice_used
        guess = max(1, _guess(machine, task))
        return int(Fraction(time - task.ready + guess, guess) * 1024)


class LeastAttained(RoundRobin):
    """Who was served least of its burst, tick by tick."""

    def score(self, machine: Machine, task: Task, time: int, wait: int, current: int, slice_used: int) -> int:
        """Return the negative service."""
        del machine, time, wait, current, slice_used
        return -task.used

    def slice(self, machine: Machine, task: Task, time: int) -> int:
        """Return a tick."""
        del machine, task, time
        return 1


def _virtual(units: int, task: Task, machine: Machine) -> int:
    """Return units of computing as virtual time in sixteenths: the heavier the task, the slower it passes."""
    return 16 * 16 * units // machine.row(task).weight


class Fair(RoundRobin):
    """CFS-like: the least virtual run time first."""

    def score(self, machine: Machine, task: Task, time: int, wait: int, current: int, slice_used: int) -> int:
        """Return the negative virtual time, a millisecond less for who would not need a switch."""
        del time, wait
        return -(task.reg + _virtual(slice_used, task, machine) - 16 * TICK * current)

    def slice(self, machine: Machine, task: Task, time: int) -> int:
        """Return an equal share of 24 ticks, three at least."""
        del task, time
        return max(3, 24 * len(machine.cpus) // machine.visible)

    def wake(self, machine: Machine, task: Task) -> int:
        """Put a new task at the least virtual time, a sleeper at most six ticks below."""
        if not task.bursts:
            return machine.min_reg
        return max(task.reg, machine.min_reg - 6 * TICK * 16)

    def ran(self, machine: Machine, task: Task, time: int, ran: int, expired: int) -> int:
        """Let virtual time pass."""
        del time, expired
        return task.reg + _virtual(ran, task, machine)


class EarliestDeadline(Fair):
    """EEVDF-like: the earliest virtual deadline of those that have had no more than the mean."""

    def score(self, machine: Machine, task: Task, time: int, wait: int, current: int, slice_used: int) -> int:
        """Return the negative deadline; whoever is not eligible comes after all who are."""
        del time, wait, current
        eligible = task.reg + _virtual(slice_used, task, machine) <= machine.mean_reg
        return -(task.reg + _virtual(3 * TICK, task, machine)) - (0 if eligible else 1 << 50)

    def slice(self, machine: Machine, task: Task, time: int) -> int:
        """Return three ticks."""
        del machine, task, time
        return 3

    def wake(self, machine: Machine, task: Task) -> int:
        """Put it at most a slice below the mean."""
        return max(task.reg, machine.mean_reg - 3 * TICK * 16)


class ShortestRemaining(_Patient):
    """The oracle: the least rest of a burst first."""

    def score(self, machine: Machine, task: Task, time: int, wait: int, current: int, slice_used: int) -> int:
        """Return the negative rest."""
        del time, wait, current, slice_used
        return task.used - machine.row(task).burst


POLICIES: Mapping[str, type[Policy]] = {
    "fcfs": FirstCome,
    "rr": RoundRobin,
    "mlfq": Feedback,
    "hrrn": HighestRatio,
    "las": LeastAttained,
    "sjf": ShortestFirst,
    "cfs": Fair,
    "eevdf": EarliestDeadline,
    "srpt": ShortestRemaining,
}


def run(name: str, words: Sequence[int], _tasks: int, cpus: int) -> tuple[list[int], int]:
    """Serve the rows by a policy of the textbook, or find their bound; return the counters and the digest."""
    rows = rows_of(words)
    if name == "bound":
        return list(_least(rows, cpus).values()), SEED
    machine = Machine(rows, POLICIES[name](), [Cpu(number) for number in range(cpus)])
    machine.run()
    return list(machine.tally.counters().values()), machine.trail


def _least(rows: Sequence[Row], cpus: int) -> dict[str, int]:
    """Return counters that no schedule of these rows can go below."""
    tally, done = Tally(), dict[int, int]()
    for row in rows:
        arrives = row.time - rows[0].time
        if row.task in done:
            ready = begins = done[row.task] + row.sleep
        else:
            ready, begins = arrives, _to_tick(arrives) + SWITCH
            tally.switches += 1
            tally.waited(_to_tick(arrives) - arrives)
        done[row.task] = begins + row.burst
        tally.done(row.burst, row.weight, ready, done[row.task])
    least = tally.counters()
    if len(done) == len(rows) and len({row.weight for row in rows}) == 1:
        response = _shortest_first(rows, cpus) * rows[0].weight
        least["weighted_response"] = max(least["weighted_response"], response)
    return least


def _to_tick(time: int) -> int:
    return -(-time // TICK) * TICK


def _shortest_first(rows: Sequence[Row], cpus: int) -> int:
    """Return the least sum of response times on one CPU that is ``cpus`` times as fast, from arrival to arrival."""
    start = rows[0].time
    coming = [(_to_tick(row.time - start), Fraction(row.burst + SWITCH, cpus), row.time - start) for row in rows]
    left: list[tuple[Fraction, int]] = []  # (rest, arrival), the shortest last
    clock, total = Fraction(0), Fraction(0)
    while coming or left:
        until = Fraction(coming[0][0]) if coming else None
        while left and (until is None or clock < until):
            rest, arrival = left.pop()
            runs = rest if until is None else min(rest, until - clock)
            clock += runs
            if runs < rest:
                left.append((rest - runs, arrival))
            else:
                total += clock - arrival
        if coming:
            release, rest, arrival = coming.pop(0)
            clock = max(clock, Fraction(release))
            left.append((rest, arrival))
            left.sort(reverse=True)
    return ceil(total)
