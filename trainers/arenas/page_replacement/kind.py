"""Page replacement in the queues form: what a policy is asked, and what it sees when asked.

::

    request ── hit ──▶ on_hit ─────────────────────────────────▶ head, tail or keep
        └──── miss ──▶ adapt ▶ while full: pick_queue ▶ on_scan ▶ evict, head, tail or keep
                                                      └▶ on_insert ▶ head or tail

Every feature is an integer in one slot of the shared memory; ``arena.c`` writes the slots, a candidate reads
them. docs/page-replacement.md defines each to the last tie.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from trainers.arenas.kind import Capacity, Counter, Kind, Shown
from trainers.policy.kind import Action, Feature, Form, Function, Unit
from trainers.workloads.codecs import Pages

__all__ = ["BASELINES", "BOUND", "CAPACITY_PERCENT", "FORM", "KIND"]

BASELINES = ("fifo", "lru", "clock", "lfu", "2q", "sieve", "s3-fifo", "arc", "lirs", "w-tinylfu")
BOUND = "belady"
CAPACITY_PERCENT = 10  # of the pages, where nobody says otherwise
PROBE_REQUESTS = 20_000  # at most; a sixth of the workload is what is mostly run

_TIME_MAX = (1 << 31) - 1
_PAGES_MAX = 1 << 24
_REGISTER_MAX = 1 << 30

_COMMON = (
    Feature("capacity", Unit.SIZE, 1, _PAGES_MAX, "pages the cache holds", 0),
    Feature("register", Unit.FREE, -_REGISTER_MAX, _REGISTER_MAX, "what adapt returned last; 0 at first", 1),
    Feature("hit_rate", Unit.RATE, 0, 1024, "hits among the last few hundred requests, parts of 1024", 2),
    Feature("ghost_rate", Unit.RATE, 0, 1024, "misses found in the history, parts of 1024 requests", 3),
    Feature("chance", Unit.FREE, 0, 1023, "seeded random number, new at every call", 4),
    *(Feature(f"size{q}", Unit.SIZE, 0, _PAGES_MAX, f"pages in queue {q}", 5 + q) for q in range(4)),
    *(
        Feature(
            f"oldest{q}",
            Unit.TIME,
            0,
            _TIME_MAX,
            f"requests since the tail page of queue {q} was accessed",
            9 + q,
        )
        for q in range(4)
    ),
    *(
        Feature(
            f"popularity{q}", Unit.COUNT, 0, 15, f"popularity of the tail page of queue {q}; 0: it is empty", 23 + q
        )
        for q in range(4)
    ),
)
_GHOST = (
    Feature(
        "ghost_queue",
        Unit.INDEX,
        0,
        4,
        "queue from which the incoming page was evicted; 4: not in the history",
        13,
    ),
    Feature(
        "ghost_rank",
        Unit.COUNT,
        0,
        3 * _PAGES_MAX,
        "evictions from that queue since then, its own not counted",
        14,
    ),
    Feature("ghost_age", Unit.TIME, 0, _TIME_MAX, "requests since its last access", 15),
    Feature("ghost_frequency", Unit.COUNT, 0, _TIME_MAX, "accesses it had in its last stay", 16),
    Feature("newcomer", Unit.COUNT, 0, 15, "popularity of the incoming page, in the history or not", 27),
)
_PAGE = (
    Feature("queue", Unit.INDEX, 0, 3, "the queue it stands in", 17),
    Feature("mark", Unit.FREE, 0, 255, "the policy's own note on the page", 18),
    Feature("frequency", Unit.COUNT, 1, _TIME_MAX, "accesses in this stay, the present one not counted", 19),
    Feature("age", Unit.TIME, 0, _TIME_MAX, "requests since its last access", 20),
    Feature("residency", Unit.TIME, 0, _TIME_MAX, "requests since it was brought in", 21),
    Feature("last_gap", Unit.TIME, 0, _TIME_MAX, "requests between its last two accesses; 0: only one so far", 22),
    Feature(
        "popularity", Unit.COUNT, 0, 15, "accesses lately, in the cache or not, this one too; halved now and then", 28
    ),
)

_PLACE = (("queue", 0, 3, 8), ("mark", 0, 255, 0))
_ACTIONS = (
    Action("head", 0, _PLACE),
    Action("tail", 1, _PLACE),
    Action("keep", 2, (("mark", 0, 255, 0),)),
    Action("evict", 3, ()),
)

_FUNCTIONS = (
    Function(
        "on_insert",
        _COMMON + _GHOST,
        ("head", "tail"),
        "def on_insert():\n    return head(0, 0)\n",
        "where the incoming page goes, and its first mark",
    ),
    Function(
        "on_hit",
        _COMMON + _PAGE,
        ("head", "tail", "keep"),
        "def on_hit(mark):\n    return keep(mark)\n",
        "what becomes of a page that was found in the cache",
    ),
    Function(
        "pick_queue",
        _COMMON + _GHOST,
        (),
        "def pick_queue():\n    return 0\n",
        "the queue whose hand proposes the next page to evict",
        low=0,
        high=3,
        unit=Unit.INDEX,
    ),
    Function(
        "on_scan",
        _COMMON + _PAGE,
        ("evict", "head", "tail", "keep"),
        "def on_scan():\n    return evict()\n",
        "whether the proposed page goes; if not, where it stays",
    ),
    Function(
        "adapt",
        _COMMON + _GHOST,
        (),
        "def adapt(register):\n    return register\n",
        "the register's new value, at every miss before anything is evicted",
        low=-_REGISTER_MAX,
        high=_REGISTER_MAX,
        writes=("register",),
    ),
)

FORM = Form(
    kind="page_replacement",
    name="queues",
    functions=MappingProxyType({function.name: function for function in _FUNCTIONS}),
    actions=MappingProxyType({action.name: action for action in _ACTIONS}),
    features_at=4096,
    own_marks=("mark",),
)


def _work_bytes(requests: int, pages: int) -> int:
    """Return what baselines.c needs: 64 bytes a page and 4 a request; arena.c takes less."""
    return 64 * pages + 4 * requests


def _in_proportion(words: Sequence[int], capacity: int, part: Sequence[int]) -> int:
    """Return the share of the slice's pages that ``capacity`` is of all pages; at least one page."""
    return max(1, round(capacity * len(set(part)) / len(set(words))))


KIND = Kind(
    name="page_replacement",
    package=__package__,
    form=FORM,
    specializations=("memory_management",),
    codec=Pages(),
    rows="requests",
    size="pages",
    capacity=Capacity(1, _PAGES_MAX, "pages", lambda pages: max(1, pages * CAPACITY_PERCENT // 100)),
    counters=(
        Counter("requests", "requests", "that were served"),
        Counter("misses", "requests", "whose page was not in the cache"),
    ),
    metric="misses",
    value=lambda counters, _reference: counters["misses"],
    shown=Shown("miss_ratio", lambda misses, requests: misses / requests),
    baselines=BASELINES,
    baseline="lru",
    bound=BOUND,
    native=(*BASELINES, BOUND),
    work_bytes=_work_bytes,
    in_proportion=_in_proportion,
    climb_share=1.0,
    climb_slices=1,
    choice_percents=(70, 90, 110, 140),
    probe_rows=PROBE_REQUESTS,
)
