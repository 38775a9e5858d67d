"""The dashboard's process as the hub sees it: started beside it, restarted when it ends, gone when the hub goes.

::

    hub ── stdin: a pipe ──▶ python -m mqtt_hub dashboard      the pipe closes with the hub, however the hub ends
     └─ restart after 1, 2, 4 … 30 s ◀── ended (a taken port too: it may become free)
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress

from mqtt_hub.broker.memory import WITHOUT_THREAD_CACHES
from mqtt_hub.home import Home

__all__ = ["keep_dashboard"]

BACKOFF_S_MAX = 30.0
STOP_S = 5.0

_log = logging.getLogger("mqtt_hub.dashboard")


async def keep_dashboard(home: Home, host: str, port: int) -> None:
    """Run the dashboard until cancelled; what it logs is in HOME/dashboard.log."""
    delay_s, complaint = 1.0, ""
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mqtt_hub", "dashboard", "--home", str(home.path), "--host", host,
            "--port", str(port), "--with-parent", "--log-file", str(home.path / "dashboard.log"),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=WITHOUT_THREAD_CACHES | os.environ,
        )  # fmt: skip
        try:
            line, errors = await _listen(process)
            if line:
                complaint, delay_s = "", 1.0
        except asyncio.CancelledError:
            await _end(process)
            raise
        last = errors.decode(errors="replace").strip().splitlines()[-1:] or [f"code {process.returncode}"]
        if last[0] != complaint:
            complaint = last[0]
            _log.warning("the dashboard ended, it will be tried again: %s", complaint.removeprefix("Error: "))
        await asyncio.sleep(delay_s)
        delay_s = min(delay_s * 2, BACKOFF_S_MAX)


async def _listen(process: asyncio.subprocess.Process) -> tuple[str, bytes]:
    """Log the address it tells, and wait for its end; return the address and what it complained of."""
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("pipes were asked for")
    # Not `communicate`: it closes standard input, which tells the dashboard that the hub has died.
    line = (await process.stdout.readline()).decode().strip()
    if line:
        _log.info("%s", line)
    errors = await process.stderr.read()
    await process.wait()
    return line, errors


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()
