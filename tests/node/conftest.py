"""What the node tests share: small workloads, and an evaluator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.node.fleet import small_workloads
from trainers.arenas.evaluator import Evaluator
from trainers.arenas.evaluators import Evaluators
from trainers.workloads.format import Workload


@pytest.fixture(scope="session")
def evaluator() -> Iterator[Evaluator]:
    with Evaluator() as running:
        yield running


@pytest.fixture(scope="session")
def evaluators() -> Iterator[Evaluators]:
    with Evaluators() as running:
        yield running


@pytest.fixture(scope="session")
def train() -> list[Workload]:
    return [part for part in small_workloads() if part.part == "train"]


@pytest.fixture(scope="session")
def hidden() -> list[Workload]:
    return [part for part in small_workloads() if part.part == "hidden"]
