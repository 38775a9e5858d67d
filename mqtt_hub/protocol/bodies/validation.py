"""TEST_RESULT and VERDICT: what one validator measured, and what a quorum of them came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from mqtt_hub.protocol.bodies.fields import Count, Digest, Kind, Name, Number, Reason, Scores
from mqtt_hub.protocol.bounds import Items, Text, Whole

__all__ = ["C_SOURCE_CHARACTERS_MAX", "HiddenScore", "TestOutcome", "TestResult", "Verdict"]

C_SOURCE_CHARACTERS_MAX = 32 * 1024


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """One test of the validation framework."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    name: Name
    outcome: Literal["passed", "failed", "skipped"]
    reason: Reason = ""


@dataclass(frozen=True, slots=True)
class HiddenScore:
    """How a component does on a workload that trainers never see, beside every baseline and the bound.

    Values are in the kind's metric (page_replacement: misses), lower is better. ``picked`` is the baseline
    that one would have picked on the train part.
    """

    workload: Annotated[str, Text(128)]
    id: Digest
    metric: Name
    capacity: Annotated[int, Whole(1, 2**31)]
    requests: Count
    value: Number
    bound: Number
    baselines: Scores
    picked: Annotated[str, Text(64)] = ""
    programs: Scores = field(default_factory=dict)  # the textbook as programs: what search starts from


@dataclass(frozen=True, slots=True)
class TestResult:
    """A validator's verdict on one submission; ``digest`` covers all that another must reproduce.

    ``told`` is the part of ``reason`` that says nothing of hidden workloads; ``faulty`` says that the submitter's
    own tests would have shown what failed, so that sending it costs trust.
    """

    __test__ = False

    kind: Kind
    component: Digest
    submission: Digest
    submitter: Name
    verdict: Literal["accepted", "rejected", "not_reproduced"]
    faulty: bool
    reason: Reason
    told: Reason
    tests: Annotated[tuple[TestOutcome, ...], Items(32)]
    hidden: Annotated[tuple[HiddenScore, ...], Items(32)]
    digest: Digest
    c_source: Annotated[str, Text(C_SOURCE_CHARACTERS_MAX)] = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a quorum of validators came to, for everybody: nothing that was measured on hidden workloads.

    ``disputed``: their results differ and none has the majority yet; ``agreeing`` and ``dissenting`` count them.
    """

    kind: Kind
    component: Digest
    submission: Digest
    submitter: Name
    verdict: Literal["accepted", "rejected", "not_reproduced", "disputed"]
    reason: Reason
    agreeing: Annotated[int, Whole(0, 65536)]
    dissenting: Annotated[int, Whole(0, 65536)]
