"""Run a hub until it is told to stop: the process behind ``mqtt-hub serve``."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys

from mqtt_hub.broker.memory import keep_large_blocks_apart
from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.hub import CollaborativeKernelHub

__all__ = ["serve"]

SWITCH_INTERVAL_S = 0.0005
NEW_OBJECTS_A_COLLECTION = 50_000


def _tune() -> None:
    """Set the interpreter for a process that is one busy loop and one thread that writes.

    The archive's thread asks for the interpreter after each statement; while the loop is busy it would wait 5 ms.
    Messages are not garbage in cycles: looking for those every 700 objects, and among all that was imported, costs
    a sixth of the time and most of the 99th percentile of the latency.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_A_COLLECTION, 20, 50)


def serve(home: Home, config: Config) -> None:
    """Serve until SIGTERM or SIGINT, then stop cleanly; raises what the user can mend."""
    keep_large_blocks_apart()
    with home.locked():
        if sys.platform == "win32":
            asyncio.run(_serve(home, config))
        else:
            import uvloop  # noqa: PLC0415 — not there on Windows

            uvloop.run(_serve(home, config))


async def _keep_beside(home: Home, config: Config) -> None:
    """Run what belongs to a hub and is no part of it: its end is logged, and the hub goes on."""
    if config.dashboard:
        from mqtt_hub.dashboard.child import keep_dashboard  # noqa: PLC0415 — only where there is one

        await keep_dashboard(home, config.dashboard_host, config.dashboard_port)


async def _serve(home: Home, config: Config) -> None:
    hub = CollaborativeKernelHub(home, config)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await hub.start()
        _tune()
        home.announce(config, hub.source.port)  # only now that it listens
        beside = asyncio.create_task(_keep_beside(home, config))
        told, failed = asyncio.create_task(stop.wait()), asyncio.create_task(hub.failure())
        await asyncio.wait([told, failed], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if failed.done():
            failed.result()
        failed.cancel()
        beside.cancel()
        await asyncio.wait([beside])
    finally:
        home.withdraw()
        await hub.stop()
