"""When an idle disk is stopped: what a policy is asked, what it sees, and what it is measured by."""

from __future__ import annotations

from types import MappingProxyType

from trainers.arenas.kind import Capacity, Counter, Kind, Shown
from trainers.policy.kind import Feature, Form, Function, Unit
from trainers.workloads.codecs import Column, Columns

__all__ = ["FORM", "KIND"]

_GAP_MAX = 1 << 20
_COST_MAX = 1 << 16

_TIMEOUT = Function(
    "timeout",
    (
        Feature("cost", Unit.TIME, 1, _COST_MAX, "what a start costs, in seconds of idling", 0),
        Feature("last_gap", Unit.TIME, 0, _GAP_MAX, "seconds of the gap before; 0 at first", 1),
        Feature("mean_gap", Unit.TIME, 0, _GAP_MAX, "mean of the gaps before, the last one counting an eighth", 2),
    ),
    (),
    "def timeout(cost):\n    return cost\n",
    "after how many seconds without an access the disk stops",
    low=0,
    high=_GAP_MAX,
    unit=Unit.TIME,
)

FORM = Form(
    kind="disk_sleep",
    name="timeout",
    functions=MappingProxyType({_TIMEOUT.name: _TIMEOUT}),
    actions=MappingProxyType({}),
    features_at=4096,
)

KIND = Kind(
    name="disk_sleep",
    package=__package__,
    form=FORM,
    specializations=("power_management",),
    codec=Columns((Column("gap", "s", "seconds between two accesses", 1, _GAP_MAX),)),
    rows="gaps",
    size="disks",
    capacity=Capacity(1, _COST_MAX, "s a start", lambda _disks: 10),
    counters=(
        Counter("energy", "s", "seconds of idling and starts, a start as so many seconds"),
        Counter("stops", "stops", "how often the disk was stopped"),
    ),
    metric="energy",
    shown=Shown("energy_a_gap", lambda energy, gaps: energy / gaps),
    baselines=("always-on", "at-once", "break-even", "last-gap"),
    baseline="break-even",  # Karlin et al. 1990: never more than twice the optimum
    bound="clairvoyant",
    native=("always-on", "at-once", "clairvoyant"),
    work_bytes=lambda _gaps, _disks: 0,
)
