"""Every kind there is, the tests' own among them, with an evaluator of each engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trainers.arenas.evaluator import Evaluator
from trainers.arenas.kind import Kind
from trainers.arenas.registry import kinds, register

EXAMPLE = register("tests.kinds.disk_sleep")


@pytest.fixture(params=[kind.name for kind in kinds().values()])
def kind(request: pytest.FixtureRequest) -> Kind:
    return kinds()[request.param]


@pytest.fixture
def evaluator(kind: Kind) -> Iterator[Evaluator]:
    with Evaluator(kind.name, engine="wasm") as running:
        yield running


@pytest.fixture
def reference(kind: Kind) -> Evaluator:
    return Evaluator(kind.name, engine="reference")
