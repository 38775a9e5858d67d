"""A broker without accounts, on loopback only: to try it with any client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.server import HubBroker

__all__ = ["open_broker", "serve_open"]

_ANONYMOUS = "amqtt.plugins.authentication.AnonymousAuthPlugin"
_LOOPBACK = "127.0.0.1"


@asynccontextmanager
async def open_broker(port: int, *, limits: Limits | None = None) -> AsyncIterator[HubBroker]:
    """Run an open broker on loopback while the context lasts; port 0 takes a free one.

    Raises ConfigurationError if the port cannot be had.
    """
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"{_LOOPBACK}:{port}"}},
        "plugins": {_ANONYMOUS: {"allow_anonymous": True}},
    }
    broker = HubBroker(config, limits=limits)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.shutdown()


async def serve_open(port: int, *, started: Callable[[int], None] | None = None) -> None:
    """Serve an open broker until the task is cancelled; ``started`` is told the actual port."""
    async with open_broker(port) as broker:
        if started is not None:
            started(broker.port)
        await asyncio.Event().wait()
