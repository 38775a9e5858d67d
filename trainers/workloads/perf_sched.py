"""What `perf sched script` prints, read as jobs: when each thread was ready, computed, and slept.

::

    wakeup_new ─▶ ready ─▶ switch in ─▶ computes ─▶ switch out: state R ─▶ goes on later, the burst is not over
                    ▲                                   else ─▶ burst done, sleeps
                    └───────────── waking ◀─────────────────────┘

A burst is the time on a CPU between two sleeps, whoever interrupted it; waiting for a CPU is left out, for the
scheduler that replays the jobs makes its own. Where the trace holds the start of a command (`perf-exec`), only it
and what it forked are kept; else everything but the idle tasks. The source of a thread is its name when it was
made, which is its maker's: what a scheduler can know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from trainers.workloads.errors import WorkloadError
from trainers.workloads.jobs import Job, weight_of_nice

__all__ = ["THREADS_MAX", "UNIT_NS", "jobs_of"]

UNIT_NS = 1000  # nanoseconds to a unit: a tick of the machine is then 0.1 ms, a switch 20 µs
THREADS_MAX = 1 << 18
NICE_ZERO = 120  # the kernel's priority of nice 0; below 100 is real time
REAL_TIME = 100

_EVENT = re.compile(r".+?\s-?\d+\s+\[\d+\]\s+(?P<s>\d+)\.(?P<f>\d{6,9}):\s+(?:sched:)?(?P<event>\w+):\s+(?P<rest>.*)")
_FORK = re.compile(r"comm=.* pid=(?P<parent>\d+) child_comm=(?P<name>.*) child_pid=(?P<child>\d+)")
_WOKEN = re.compile(r"comm=(?P<name>.*) pid=(?P<pid>\d+) prio=(?P<prio>\d+)")
_SWITCH = re.compile(
    r"prev_comm=.* prev_pid=(?P<out>\d+) prev_prio=\d+ prev_state=(?P<state>\S+) ==> "
    r"next_comm=(?P<name>.*) next_pid=(?P<pid>\d+) next_prio=(?P<prio>\d+)"
)
_WAKINGS = ("sched_waking", "sched_wakeup", "sched_wakeup_new")
_COMMAND = "perf-exec"  # what perf calls the command until it runs


@dataclass(slots=True)
class _Thread:
    """One thread as the trace tells of it; times in ns."""

    source: str
    weight: int
    ready: int  # when it was last woken
    done: int = -1  # end of its last burst; -1: none yet
    since: int = -1  # since when it is on a CPU; -1: it is not
    used: int = 0
    arrival: int = -1
    bursts: list[tuple[int, int]] = field(default_factory=list)  # (slept, computed)

    def end_burst(self, now: int) -> None:
        """Close the burst, if it computed at all."""
        if self.used == 0:
            return
        if self.arrival < 0:
            self.arrival = self.ready
            self.bursts.append((0, self.used))
        else:
            self.bursts.append((max(0, self.ready - self.done), self.used))
        self.done, self.used = now, 0


@dataclass(slots=True)
class _Trace:
    threads: dict[int, _Thread] = field(default_factory=dict)  # by pid, the latest of that number
    ended: list[tuple[int, _Thread]] = field(default_factory=list)
    makers: dict[int, int] = field(default_factory=dict)
    root: int = 0  # pid of the command; 0: not seen

    def thread(self, pid: int, name: str, prio: int, now: int) -> _Thread:
        if pid not in self.threads:
            if len(self.threads) + len(self.ended) >= THREADS_MAX:
                raise WorkloadError(f"more than {THREADS_MAX} threads", hint="record a shorter run")
            weight = weight_of_nice(prio - NICE_ZERO if prio >= REAL_TIME else -NICE_ZERO)
            self.threads[pid] = _Thread(name, weight, now)
        return self.threads[pid]

    def switch(self, out: int, state: str, into: _Thread | None, now: int) -> None:
        leaving = self.threads.get(out)
        if leaving is not None and leaving.since >= 0:
            leaving.used += now - leaving.since
            leaving.since = -1
            if not state.startswith("R"):
                leaving.end_burst(now)
                if state[0] in "XZx":
                    self.ended.append((out, self.threads.pop(out)))
        if into is not None:
            if into.used == 0 and into.ready <= into.done:  # perf lost its waking: it was woken by now
                into.ready = now
            into.since = now

    def kept(self) -> list[_Thread]:
        """Return the threads of the command, or all where the trace does not say which it was."""
        everyone = [*self.ended, *self.threads.items()]
        if not self.root:
            return [thread for _pid, thread in everyone]
        return [thread for pid, thread in everyone if self._is_ours(pid)]

    def _is_ours(self, pid: int) -> bool:
        seen = set[int]()
        while pid != self.root:
            if pid in seen or pid not in self.makers:
                return False
            seen.add(pid)
            pid = self.makers[pid]
        return True


def jobs_of(script: Iterable[str], *, unit_ns: int = UNIT_NS) -> list[Job]:
    """Return a job for every thread that computed, in order of arrival; the first arrives at 0.

    Raises `WorkloadError` with the line that is none of `perf sched script`'s, or where no thread computed.
    """
    trace, now = _Trace(), 0
    for number, line in enumerate(script, 1):
        if not line.strip() or line.startswith("#"):
            continue
        event = _EVENT.match(line)
        if event is None:
            raise WorkloadError(f"line {number}: no event: {line.strip()[:60]!r}", hint="perf sched script > FILE")
        now = int(event["s"]) * 10**9 + int(event["f"].ljust(9, "0")[:9])
        _apply(trace, event["event"], event["rest"], now)
    for thread in trace.threads.values():
        if thread.since >= 0:
            thread.used += now - thread.since
        thread.end_burst(now)
    return _jobs(trace.kept(), unit_ns)


def _apply(trace: _Trace, event: str, rest: str, now: int) -> None:
    if event == "sched_switch" and (found := _SWITCH.match(rest)):
        into = int(found["pid"])
        thread = trace.thread(into, found["name"], int(found["prio"]), now) if into else None
        trace.switch(int(found["out"]), found["state"], thread, now)
    elif event in _WAKINGS and (found := _WOKEN.match(rest)):
        pid = int(found["pid"])
        if found["name"] == _COMMAND and not trace.root:
            trace.root = pid
        thread = trace.thread(pid, found["name"], int(found["prio"]), now)
        if thread.since < 0 and thread.used == 0 and thread.ready <= thread.done:  # the first of waking and wakeup
            thread.ready = now
    elif event == "sched_process_fork" and (found := _FORK.match(rest)):
        trace.makers[int(found["child"])] = int(found["parent"])
        trace.threads.pop(int(found["child"]), None)


def _jobs(threads: Iterable[_Thread], unit_ns: int) -> list[Job]:
    """Turn nanoseconds into units; a burst has at least one."""
    computed = sorted((thread for thread in threads if thread.bursts), key=lambda thread: thread.arrival)
    if not computed:
        raise WorkloadError("no thread computed", hint="does the trace hold sched_switch events?")
    start = computed[0].arrival
    return [
        Job(
            (thread.arrival - start) // unit_ns,
            thread.source,
            tuple((slept // unit_ns, max(1, round(used / unit_ns))) for slept, used in thread.bursts),
            thread.weight,
        )
        for thread in computed
    ]
