"""Brokers for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mqtt_hub.broker import HubBroker
from tests.broker.harness import OPEN, Running, serving


@pytest.fixture
def open_hub() -> Iterator[Running]:
    """Yield a broker that lets everybody in."""
    with serving(lambda: HubBroker(OPEN)) as running:
        yield running
