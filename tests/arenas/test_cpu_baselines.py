"""The textbook of cpu_scheduling, written twice; what is known of it in theory; the bound against brute force."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator

import pytest

from tests.arenas.cpu_rows import made, mixed_rows, single_rows
from trainers.arenas.classics import classics
from trainers.arenas.cpu_scheduling import baselines
from trainers.arenas.cpu_scheduling.counting import SEED
from trainers.arenas.cpu_scheduling.form import TICK
from trainers.arenas.cpu_scheduling.kind import BASELINES, BOUND, KIND, ORACLE
from trainers.arenas.cpu_scheduling.reference import SWITCH, Cpu, Machine, Task, rows_of
from trainers.arenas.evaluator import Evaluator
from trainers.workloads.format import Workload
from trainers.workloads.jobs import Row


@pytest.fixture(scope="module")
def fast() -> Iterator[Evaluator]:
    with Evaluator(KIND.name, engine="wasm") as running:
        yield running


def baseline(running: Evaluator, name: str, workload: Workload, cpus: int = 1) -> dict[str, int]:
    running.load(workload)
    return dict(running.baseline(name, workload.id, cpus).values)


def to_tick(time: int) -> int:
    return -(-time // TICK) * TICK


def test_every_baseline_is_a_program_or_native_and_written_twice() -> None:
    assert set(baselines.POLICIES) == {*BASELINES, ORACLE}
    assert set(BASELINES) <= classics(KIND.name).keys()


@pytest.mark.parametrize("name", [*BASELINES, ORACLE, BOUND])
def test_every_baseline_equals_its_second_writing_to_the_last_switch(name: str, fast: Evaluator) -> None:
    rng = random.Random(name)
    for turn in range(12):
        workload = made(mixed_rows(rng) if turn % 2 else single_rows(rng))
        fast.load(workload)
        for cpus in (1, rng.randint(2, 4)):
            quick = fast.baseline(name, workload.id, cpus)
            values, digest = baselines.run(name, workload.words, workload.size, cpus)
            assert ([*quick.values.values()], quick.digest) == (values, digest)


def test_fcfs_is_lindley_s_recursion(fast: Evaluator) -> None:
    """On one CPU a job starts when it is there and the one before it is done; then comes a switch, and itself."""
    rng = random.Random(1)
    for _ in range(15):
        rows = single_rows(rng, burst_max=3000)
        done = waited = responses = 0
        for time, _task, _source, _weight, _sleep, burst in rows:
            at = time - rows[0][0]
            start = max(to_tick(at), done)
            done = start + SWITCH + burst
            waited, responses = max(waited, start - at), responses + done - at
        found = baseline(fast, "fcfs", made(rows))
        assert (found["weighted_response"], found["longest_wait"]) == (16 * responses, waited)
        assert (found["switches"], found["preemptions"]) == (len(rows), 0)


def test_round_robin_is_a_ring(fast: Evaluator) -> None:
    """A deque, walked tick by tick, on one CPU."""
    rng = random.Random(2)
    for _ in range(15):
        rows = single_rows(rng, burst_max=2000)
        coming = deque((time - rows[0][0], burst) for time, *_, burst in rows)
        ring: deque[list[int]] = deque()  # [arrival, units of switching and computing to go, number]
        now = responses = stint = 0
        seated: list[int] | None = None
        last, number = -1, 0
        while coming or ring or seated:
            if seated and stint >= 4 * TICK:
                ring.append(seated)
                seated = None
            while coming and coming[0][0] <= now:
                at, burst = coming.popleft()
                ring.append([at, burst, number])
                number += 1
            room = TICK
            while room and (seated or ring):
                if seated is None:
                    seated = ring.popleft()
                    seated[1] += SWITCH * (seated[2] != last)
                    last, stint = seated[2], 0
                spent = min(room, seated[1])
                seated[1] -= spent
                room, stint = room - spent, stint + spent
                if not seated[1]:
                    responses += now + TICK - room - seated[0]
                    seated = None
            now += TICK
        assert baseline(fast, "rr", made(rows))["weighted_response"] == 16 * responses


def event_driven_srpt(rows: list[Row]) -> int:
    """Return the sum of response times on one CPU, from event to event; a switch is paid for by who comes."""
    coming = deque((to_tick(time - rows[0][0]), time - rows[0][0], burst) for time, *_, burst in rows)
    waiting: list[tuple[int, int, int]] = []  # (rest, number, arrival)
    clock = total = number = switching = 0
    seated: tuple[int, int, int] | None = None
    last = -1
    while coming or waiting or seated:
        until = coming[0][0] if coming else None
        if seated is None and waiting and (until is None or clock < until):
            seated = min(waiting)
            waiting.remove(seated)
            switching, last = SWITCH * (seated[1] != last), seated[1]
        if seated and (until is None or clock < until):
            rest, name, arrival = seated
            done = clock + switching + rest
            if until is None or done <= until:
                clock, total, seated = done, total + done - arrival, None
                continue
            spent = until - clock
            seated = (rest - max(0, spent - switching), name, arrival)
            switching = max(0, switching - spent)
        clock = max(clock, until or 0)
        while coming and coming[0][0] <= clock:
            _, arrival, burst = coming.popleft()
            waiting.append((burst, number, arrival))
            number += 1
        if seated and waiting and min(waiting)[0] < seated[0]:
            waiting.append(seated)
            seated = None
    return total


def test_the_oracle_is_event_driven_srpt(fast: Evaluator) -> None:
    rng = random.Random(3)
    for _ in range(30):
        rows = single_rows(rng, burst_max=rng.choice((300, 900, 4000)))
        assert baseline(fast, ORACLE, made(rows))["weighted_response"] == 16 * event_driven_srpt(rows)


class Scripted(baselines.LeastAttained):
    """A policy of one-tick slices whose machine seats whomever a script says."""


class Enumerated(Machine):
    """A machine that makes the choices of a script, and writes down how many there were."""

    def follow(self, script: list[int]) -> list[int]:
        self.script, self.options = script, list[int]()
        self.run()
        return self.options

    def choose(self, cpu: Cpu, time: int) -> Task:
        del cpu, time
        place = len(self.options)
        self.options.append(len(self.queue))
        taken = self.script[place] if place < len(self.script) else 0
        return sorted(self.queue, key=lambda task: task.rows[0])[taken]


def every_schedule(rows: list[Row], cpus: int, runs_max: int) -> Iterator[dict[str, int]]:
    """Yield the counters of every order in which tasks can be seated with slices of one tick."""
    script: list[int] | None = []
    for _ in range(runs_max):
        machine = Enumerated(rows_of([word for row in rows for word in row]), Scripted(), [Cpu(n) for n in range(cpus)])
        options = machine.follow(script or [])
        yield machine.tally.counters()
        taken = [*(script or []), *[0] * (len(options) - len(script or []))]
        while taken and taken[-1] + 1 == options[len(taken) - 1]:
            taken.pop()
        if not taken:
            return
        taken[-1] += 1
        script = taken


def test_no_schedule_of_a_tiny_instance_goes_below_the_bound() -> None:
    rng = random.Random(11)
    for turn in range(24):
        rows = single_rows(rng, 4, 230) if turn % 2 else mixed_rows(rng, 5)
        rows = [(*row[:5], min(row[5], 230)) for row in rows]
        cpus = rng.randint(1, 2)
        values, _ = baselines.run(BOUND, [word for row in rows for word in row], 30, cpus)
        bound = dict(zip((counter.name for counter in KIND.counters), values, strict=True))
        for counters in every_schedule(rows, cpus, 300):
            assert all(bound[name] <= counters[name] for name in bound), (rows, cpus)
            assert counters["bursts"] == bound["bursts"]


def test_the_bound_is_reached_where_nothing_is_lost_to_ticks() -> None:
    """Jobs that fill their ticks, all there at once: shortest first is optimal, and the bound says so."""
    rows: list[Row] = [(0, number, 0, 16, 0, burst) for number, burst in enumerate((280, 80, 180))]
    words = [word for row in rows for word in row]
    best = min(counters["weighted_response"] for counters in every_schedule(rows, 1, 5000))
    values, digest = baselines.run(BOUND, words, 3, 1)
    assert best == values[1] == 16 * (100 + 300 + 600)
    assert digest == SEED


@pytest.mark.parametrize("name", [*BASELINES, ORACLE])
def test_no_baseline_goes_below_the_bound(name: str, fast: Evaluator) -> None:
    rng = random.Random(12)
    for turn in range(20):
        workload, cpus = made(mixed_rows(rng) if turn % 2 else single_rows(rng)), rng.randint(1, 4)
        found, bound = (baseline(fast, which, workload, cpus) for which in (name, BOUND))
        assert all(bound[counter] <= found[counter] for counter in bound)
        assert KIND.value(bound, found) <= KIND.value(found, found)


def test_they_differ_in_what_they_do(fast: Evaluator) -> None:
    workload = made(mixed_rows(random.Random(13), 200))
    fast.load(workload)
    digests = {fast.baseline(name, workload.id, 1).digest for name in (*BASELINES, ORACLE)}
    assert len(digests) == len(BASELINES) + 1
