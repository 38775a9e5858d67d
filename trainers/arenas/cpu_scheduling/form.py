"""The tasks form of cpu_scheduling: five functions, and what each sees of a task and of the machine.

::

    arrives, wakes ──▶ on_wake ─┐                   ┌─▶ on_run ──▶ sleeps, or waits again
    every 100 ticks ▶ on_period ┼▶ run_score ▶ slice ┴─▶ …
                                │  (highest runs)
                       the task's own register

Times are in units, a hundred to a tick. ``arena.c`` writes the slots, a candidate reads them;
docs/cpu-scheduling.md defines each to the last tie.
"""

from __future__ import annotations

from types import MappingProxyType

from trainers.policy.kind import Feature, Form, Function, Growth, Unit

__all__ = ["CPUS_MAX", "FORM", "REGISTER_MAX", "SLICE_MAX", "TICK", "TIME_MAX", "VISIBLE", "WEIGHT_MAX", "WEIGHT_ONE"]

TICK = 100  # units
CPUS_MAX = 4
VISIBLE = 256  # tasks that a policy looks at, running ones included
SLICE_MAX = 1000  # ticks
WEIGHT_ONE, WEIGHT_MAX = 16, 256
TIME_MAX = (1 << 31) - 1  # units
REGISTER_MAX = 1 << 40

_COMMON = (
    Feature("now", Unit.TIME, 0, TIME_MAX, "units since the first row", 0),
    Feature("n_run", Unit.COUNT, 1, VISIBLE, "tasks that run or are in the queue", 1),
    Feature("min_reg", Unit.FREE, -REGISTER_MAX, REGISTER_MAX, "least register of those when the tick began", 2),
    Feature("mean_reg", Unit.FREE, -REGISTER_MAX, REGISTER_MAX, "mean register of those when the tick began", 3),
    Feature("mean_burst", Unit.TIME, 0, TIME_MAX, "mean length of the bursts done so far; 0 at first", 4),
    Feature("cpus", Unit.COUNT, 1, CPUS_MAX, "CPUs of the machine", 5),
    Feature("load", Unit.RATE, 0, VISIBLE << 10, "n_run a CPU, lately, in parts of 1024", 6),
    Feature("reg", Unit.FREE, -REGISTER_MAX, REGISTER_MAX, "the task's register; 0 at first", 7),
    Feature("used", Unit.TIME, 0, TIME_MAX, "units that this burst was served", 8),
    Feature("total", Unit.TIME, 0, TIME_MAX, "units that the task was served since it came", 9),
    Feature("ewma", Unit.TIME, 0, TIME_MAX, "past bursts, half-forgotten at each; at first its source's; 0: none", 10),
    Feature("last_burst", Unit.TIME, 0, TIME_MAX, "length of the task's last burst; 0 before the second", 11),
    Feature("weight", Unit.RATE, 1, WEIGHT_MAX, "what the task counts for; 16 is one", 12),
    Feature("bursts", Unit.COUNT, 0, TIME_MAX, "bursts that the task has done", 13),
    Feature("since_wake", Unit.TIME, 0, TIME_MAX, "units since this burst became ready", 14),
    Feature("slept", Unit.TIME, 0, TIME_MAX, "units that the task slept before this burst", 15),
)
_WAIT = Feature("wait", Unit.TIME, 0, TIME_MAX, "units that it has waited since it last ran; 0 while it runs", 16)
_CURRENT = Feature("current", Unit.INDEX, 0, 1, "1: runs, or the CPU that picks need not switch to it", 17)
_SLICE_USED = Feature("slice_used", Unit.TIME, 0, TIME_MAX, "units since it was seated; 0 while it waits", 18)
_RAN = Feature("ran", Unit.TIME, 0, TIME_MAX, "units that it was served since it was seated", 19)
_EXPIRED = Feature("expired", Unit.INDEX, 0, 1, "1: its slice is over; 0: preempted, or its burst is done", 20)


def _hook(name: str, features: tuple[Feature, ...], meaning: str) -> Function:
    """Return a function that gives a task's register its new value."""
    default = f"def {name}(reg):\n    return reg\n"
    shown_as = ("reg", "min_reg", "mean_reg")
    return Function(name, features, (), default, meaning, low=-REGISTER_MAX, high=REGISTER_MAX, writes=shown_as)


_FUNCTIONS = (
    Function(
        "run_score",
        (*_COMMON, _WAIT, _CURRENT, _SLICE_USED),
        (),
        "def run_score():\n    return 0\n",
        "who runs: the highest of those that wait; to preempt it must be higher than one that runs",
        low=-(1 << 63),
        high=(1 << 63) - 1,
    ),
    Function(
        "slice",
        (*_COMMON, _WAIT),
        (),
        "def slice():\n    return 4\n",
        "ticks that the task may run before it goes back to the queue's tail",
        low=1,
        high=SLICE_MAX,
        unit=Unit.COUNT,
    ),
    _hook("on_wake", _COMMON, "the task's register when it arrives or wakes"),
    _hook("on_run", (*_COMMON, _RAN, _EXPIRED), "the task's register when it stops running"),
    _hook("on_period", (*_COMMON, _WAIT), "the register of every task that runs or waits, every 100 ticks"),
)

FORM = Form(
    kind="cpu_scheduling",
    name="tasks",
    functions=MappingProxyType({function.name: function for function in _FUNCTIONS}),
    actions=MappingProxyType({}),
    features_at=4096,
    growth=Growth(tune_share=0.2),
)
