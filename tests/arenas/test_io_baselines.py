"""I/O scheduling's textbook: every program equals its second, naive writing; the bound bounds; brute force agrees."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache

import pytest

from tests.arenas.io_instances import counters, instances, make
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.io_scheduling import baselines
from trainers.arenas.io_scheduling.baselines import Io, Queue
from trainers.arenas.io_scheduling.kind import BASELINES, BOUND, KIND
from trainers.arenas.io_scheduling.score import value
from trainers.policy.parse import parse
from trainers.workloads.format import Workload, workload

NAMES = tuple(counter.name for counter in KIND.counters)


@pytest.fixture(scope="module")
def evaluator() -> Iterator[Evaluator]:
    with Evaluator("io_scheduling", engine="wasm") as running:
        yield running


def naive(name: str, made: Workload) -> tuple[dict[str, int], int]:
    values, digest = baselines.run(name, made.words, made.size, made.capacity)
    return dict(zip(NAMES, values, strict=True)), digest


def test_every_baseline_is_written_twice() -> None:
    assert set(baselines.POLICIES) == set(BASELINES)


@pytest.mark.parametrize("name", [*BASELINES, BOUND])
def test_a_baseline_equals_its_naive_writing_to_the_last_request(name: str, evaluator: Evaluator) -> None:
    for made in instances(name, 60, evaluator):
        ours = evaluator.baseline(name, made.id, made.capacity)
        assert (ours.values, ours.digest) == naive(name, made), made.words


def test_no_counter_of_a_baseline_is_below_the_bound(evaluator: Evaluator) -> None:
    for made in instances("bound", 60, evaluator):
        runs = {name: evaluator.baseline(name, made.id, made.capacity).values for name in (*BASELINES, BOUND)}
        for name in BASELINES:
            assert all(runs[name][counter] >= runs[BOUND][counter] for counter in NAMES), (name, runs)
            assert value(runs[name], runs["c-look"]) >= value(runs[BOUND], runs["c-look"])


class Scripted:
    """A policy that makes the choices of a script, then the first one, and says how many there were each time."""

    def __init__(self, script: Sequence[int]) -> None:
        self.script = script
        self.offered: list[int] = []

    def __call__(self, queue: Queue) -> Io:
        """Choose by the script."""
        at = len(self.offered)
        self.offered.append(len(queue.pending))
        return queue.pending[self.script[at] if at < len(self.script) else 0]


def every_schedule(made: Workload) -> Iterator[Counters]:
    """Yield the counters of every schedule that never rests: each choice of each decision."""
    script: list[int] | None = []
    while script is not None:
        policy = Scripted(script)
        yield Counters(dict(zip(NAMES, baselines.serve(policy, made.words, made.capacity)[0], strict=True)), 0, 0)
        taken = [*script, *[0] * (len(policy.offered) - len(script))]
        later = [at for at, offered in enumerate(policy.offered) if taken[at] + 1 < offered]
        script = [*taken[: later[-1]], taken[later[-1]] + 1] if later else None


def tiny(rng: random.Random, rows_max: int) -> Workload:
    """Return a few requests that come close together, near and far."""
    rows, time = [], 0
    for _ in range(rng.randint(2, rows_max)):
        time += rng.choice((0, 0, 50, 400, 9000))
        sector = rng.choice((8 * rng.randrange(40), rng.randrange(1 << 31)))
        rows.append((time, sector, rng.choice((8, 64, 900)), rng.randrange(3), rng.randrange(2)))
    return workload("tiny", rows, kind="io_scheduling", capacity=rng.choice((1, 1, 2, 4)))


@pytest.mark.parametrize(("rows_max", "count"), [(6, 40), (9, 15)])
def test_the_bound_is_never_above_the_optimum_and_no_baseline_below(
    rows_max: int, count: int, evaluator: Evaluator
) -> None:
    """Brute force over every schedule: each counter, and the score, at its own optimum."""
    rng = random.Random(rows_max)
    for _ in range(count):
        made = tiny(rng, rows_max)
        evaluator.load(made)
        runs = {name: evaluator.baseline(name, made.id, made.capacity).values for name in (*BASELINES, BOUND)}
        reference = runs["c-look"]
        lowest, best = dict(reference), value(reference, reference)
        for schedule in every_schedule(made):
            lowest = {name: min(least, schedule.values[name]) for name, least in lowest.items()}
            best = min(best, value(schedule.values, reference))
        assert all(runs[BOUND][name] <= lowest[name] for name in NAMES), made.words
        assert value(runs[BOUND], reference) <= best
        for name in BASELINES:
            assert value(runs[name], reference) >= best, name


def test_brute_force_tries_every_order() -> None:
    """Four requests at once on a disk: 24 orders, all different."""
    rows = [(0, sector, 8, 0, 0) for sector in (800, 100_000, 30_000_000, 4_000_000_000)]
    made = workload("orders", rows, kind="io_scheduling", capacity=1)
    schedules = [tuple(run.values.items()) for run in every_schedule(made)]
    assert len(schedules) == 24
    assert len(set(schedules)) >= 20


@cache
def lone(sectors: int, write: int, capacity: int, sector: int = 0) -> int:
    """Return the latency of one request on an idle device at sector 0."""
    made = workload("lone", [(0, sector, sectors, 0, write)], kind="io_scheduling", capacity=capacity)
    return naive("fcfs", made)[0]["latency_sum"]


def test_textbook_example_of_seeks() -> None:
    """Silberschatz's queue, head at 53: SSTF serves 65, 67, 37, 14, 98, 122, 124, 183; C-LOOK goes up first."""
    cylinders = (98, 183, 37, 122, 14, 124, 65, 67)
    todo = [Io(number, 0, cylinder, 1, 0, is_write=False) for number, cylinder in enumerate(cylinders)]

    def order(name: str) -> list[int]:
        queue, policy, served = Queue(1, head=53, pending=list(todo)), baselines.POLICIES[name](), []
        while queue.pending:
            chosen = policy(queue)
            queue.pending.remove(chosen)
            queue.head = chosen.sector
            served.append(chosen.sector)
        return served

    assert order("fcfs") == list(cylinders)
    assert order("sstf") == [65, 67, 37, 14, 98, 122, 124, 183]
    assert order("c-look") == [65, 67, 98, 122, 124, 183, 14, 37]
    assert order("scan") == [65, 67, 98, 122, 124, 183, 37, 14]


def test_the_device_takes_what_the_document_says() -> None:
    assert lone(8, 0, 4) == 90 + 8
    assert lone(8, 1, 4) == 300 + 8 + 100  # a channel begins as one that has read
    assert lone(2048, 0, 1) == 8333  # one track from where the platter stands
    assert lone(8, 0, 1, 1024) == 4166 + 33  # half a turn to wait, no way to go
    assert lone(8, 0, 1, (1 << 32) - 8) > 9000  # the whole stroke


def test_a_queue_beyond_the_visible_waits_its_turn(evaluator: Evaluator) -> None:
    """Sixty-four are visible: C-LOOK cannot choose the lowest sector while it stands in the backlog."""
    rows = [(0, 1 << 20, 8, 0, 0)] * 64 + [(0, 0, 8, 0, 0)]
    made = workload("backlog", rows, kind="io_scheduling", capacity=2)
    evaluator.load(made)
    seen = evaluator.baseline("sstf", made.id, 2).digest
    rows = [(0, 1 << 20, 8, 0, 0)] * 63 + [(0, 0, 8, 0, 0), (0, 1 << 20, 8, 0, 0)]
    made = workload("visible", rows, kind="io_scheduling", capacity=2)
    evaluator.load(made)
    assert evaluator.baseline("sstf", made.id, 2).digest != seen


def test_alike_counts_the_other_channels_that_went_a_request_s_way(evaluator: Evaluator) -> None:
    """A program that goes by it alone serves in the order of the same rule written without features."""

    def most_alike(queue: Queue) -> Io:
        ways = (queue.channels - 1 - queue.others_writing, queue.others_writing)
        return max(queue.pending, key=lambda io: ways[io.is_write])

    program = parse("def pick_score(alike):\n    return alike\n", KIND.form)
    for made in instances("alike", 40, evaluator):
        ours = counters(evaluator, program, made)
        values, digest = baselines.serve(most_alike, made.words, made.capacity)
        assert (tuple(ours.values.values()), ours.digest) == (values, digest), made.words


def test_classics_differ(evaluator: Evaluator) -> None:
    made = make(random.Random(12), 300)
    evaluator.load(made)
    assert len({evaluator.baseline(name, made.id, made.capacity).digest for name in BASELINES}) >= len(BASELINES) - 1
