"""What a component of I/O scheduling is asked, and what it sees when asked.

::

    a request becomes visible ──▶ on_stream ──────────────────────────────▶ its stream's register
    a channel is free ──▶ pick_score, of every visible request
                          └▶ the highest is served ──▶ on_serve, next0, next1 ▶ its stream's register, g0, g1

Every feature is an integer in one slot of the shared memory; ``arena.c`` writes the slots, a candidate reads
them. docs/io-scheduling.md defines each to the last tie.
"""

from __future__ import annotations

from types import MappingProxyType

from trainers.arenas.io_scheduling.device import CHANNELS_MAX
from trainers.policy.arithmetic import INT64_MAX, INT64_MIN
from trainers.policy.kind import Feature, Form, Function, Growth, Unit

__all__ = ["FORM", "REGISTER_MAX", "SECTORS", "STREAMS_MAX", "VISIBLE"]

VISIBLE = 64  # requests that a candidate can choose from
STREAMS_MAX = 4096
SECTORS = 1 << 32  # of a device: 2 TiB
REGISTER_MAX = 1 << 40

_US_MAX = 1 << 48  # no run lasts longer: 2^24 rows of the longest service
_ROWS_MAX = 1 << 24
_LEN_MAX = (1 << 16) - 1

_QUEUE = (
    Feature("now", Unit.TIME, 0, _US_MAX, "µs since the run began", 0),
    Feature("n_queued", Unit.COUNT, 0, VISIBLE, "visible requests", 1),
    Feature("n_reads", Unit.COUNT, 0, VISIBLE, "visible reads", 2),
    Feature("n_writes", Unit.COUNT, 0, VISIBLE, "visible writes", 3),
    Feature("old_read", Unit.TIME, 0, _US_MAX, "µs that the oldest visible read has waited; 0: none", 4),
    Feature("old_write", Unit.TIME, 0, _US_MAX, "µs that the oldest visible write has waited; 0: none", 5),
    Feature("last_write", Unit.INDEX, 0, 1, "1: the free channel served a write last", 6),
    Feature("min_sreg", Unit.FREE, -REGISTER_MAX, REGISTER_MAX, "lowest register of a stream that is visible", 7),
    Feature("g0", Unit.FREE, -REGISTER_MAX, REGISTER_MAX, "what next0 returned last; 0 at first", 8),
    Feature("g1", Unit.FREE, -REGISTER_MAX, REGISTER_MAX, "what next1 returned last; 0 at first", 9),
    Feature("backlog", Unit.COUNT, 0, _ROWS_MAX, "requests that have come and are not visible yet", 10),
)
_REQUEST = (
    Feature("wait", Unit.TIME, 0, _US_MAX, "µs since it came", 11),
    Feature("offset", Unit.SIZE, -SECTORS, SECTORS, "sectors from the head to its first; negative: behind", 12),
    Feature("forward", Unit.SIZE, 0, SECTORS, "the same upwards only, round the end of the device", 13),
    Feature("distance", Unit.SIZE, 0, SECTORS, "the same without its sign", 14),
    Feature("len", Unit.SIZE, 1, _LEN_MAX, "its sectors", 15),
    Feature("write", Unit.INDEX, 0, 1, "1: a write", 16),
    Feature("sreg", Unit.FREE, -REGISTER_MAX, REGISTER_MAX, "its stream's register; 0 at first", 17),
    Feature("squeued", Unit.COUNT, 0, VISIBLE, "visible requests of its stream", 18),
    Feature("sserved", Unit.COUNT, 0, _ROWS_MAX, "requests of its stream served so far", 19),
    Feature("sgap", Unit.TIME, 0, _US_MAX, "µs since its stream was served last, or first seen", 20),
    Feature("same", Unit.INDEX, 0, 1, "1: its stream was the last to be served", 21),
)
_SERVICE = (
    Feature("cost", Unit.TIME, 0, _US_MAX, "µs that the channel takes to serve it now", 22),
    Feature("alike", Unit.COUNT, 0, CHANNELS_MAX - 1, "other channels that went its way last, reading or writing", 23),
)


def _register(name: str, features: tuple[Feature, ...], shown: str, meaning: str, *writes: str) -> Function:
    """Return a function that gives a register its new value; it keeps ``shown``, the old one, where it is not given."""
    default = f"def {name}({shown}):\n    return {shown}\n"
    return Function(name, features, (), default, meaning, low=-REGISTER_MAX, high=REGISTER_MAX, writes=writes)


_FUNCTIONS = (
    Function(
        "pick_score",
        _QUEUE + _REQUEST + _SERVICE,
        (),
        "def pick_score(wait):\n    return wait\n",
        "of every visible request: the highest is served next, of equals the earliest",
        low=INT64_MIN,
        high=INT64_MAX,
    ),
    _register(
        "on_stream", _QUEUE + _REQUEST, "sreg", "the stream's register, when a request of it becomes visible",
        "sreg", "min_sreg",
    ),
    _register(
        "on_serve", _QUEUE + _REQUEST + _SERVICE, "sreg", "the stream's register, when a request of it is served",
        "sreg", "min_sreg",
    ),
    _register("next0", _QUEUE + _REQUEST + _SERVICE, "g0", "the first register of the queue, at every service", "g0"),
    _register("next1", _QUEUE + _REQUEST + _SERVICE, "g1", "the second register of the queue, at every service", "g1"),
)  # fmt: skip

FORM = Form(
    kind="io_scheduling",
    name="queue",
    functions=MappingProxyType({function.name: function for function in _FUNCTIONS}),
    actions=MappingProxyType({}),
    features_at=4096,
    growth=Growth(
        time_bits=(6, 18),  # µs: a turnaround to more than a drive's wait cap
        scores=True,
        # Turnaround, the score's classes, stream, and whether another channel goes its way already.
        tests=("write == last_write", "write == 1", "len > 32", "same == 1", "alike > 0"),
        polish_share=0.4,
        parsimony=0.0003,
    ),
)
