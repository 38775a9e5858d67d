"""The dashboard's own connection: what the hub says of itself, and whether it is there at all.

::

    away ──connect──▶ here ──▶ the hub's and the broker's retained STATUS, every two seconds
      ▲                 │
      └── closed, or silent for SILENCE_S; tried again after 0.5, 1, 2 … RETRY_S_MAX
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mqtt_hub.home import Home
from mqtt_hub.observer import Observer
from mqtt_hub.protocol.errors import MqttHubError

__all__ = ["HubWatch", "Seen"]

SILENCE_S = 10.0  # the hub tells its status every two seconds
RETRY_S_MAX = 4.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the hub now: ``state`` is running, degraded, stopping or away; ``why`` where it is away."""

    state: str = "away"
    why: str = "not connected yet"
    hub: dict[str, Any] | None = None  # get_hub_status() as last told, also while it is away
    broker: dict[str, Any] | None = None


class HubWatch:
    """Follows the hub in a thread of its own; `seen` is what it knows, ``changed`` is called when that changes."""

    def __init__(self, home: Home, changed: Callable[[Seen], None]) -> None:
        self._home, self._changed = home, changed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hub watch", daemon=True)
        self.seen = Seen()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; the connection is left to the process's end, which is near."""
        self._stop.set()

    def _run(self) -> None:
        delay_s = 0.5
        while not self._stop.is_set():
            try:
                with Observer.of(self._home) as observer:
                    for sender, report in observer.reports(silence_s=SILENCE_S):
                        delay_s = 0.5
                        self._take(sender, report)
                        if self._stop.is_set():
                            return
                why = f"connected, but silent for {SILENCE_S:.0f} s"
            except MqttHubError as error:
                why = str(error)
            self._tell(Seen("away", why, self.seen.hub, self.seen.broker))
            self._stop.wait(delay_s)
            delay_s = min(delay_s * 2, RETRY_S_MAX)

    def _take(self, sender: str, report: dict[str, Any]) -> None:
        before = self.seen
        if not report:  # a good-bye
            if sender == "hub":
                self._tell(Seen("away", "the hub was stopped", before.hub, before.broker))
        elif sender == "hub":
            self._tell(Seen(str(report.get("state", "running")), "", report, before.broker))
        else:
            self.seen = Seen(before.state, before.why, before.hub, report)  # told together with the hub's

    def _tell(self, seen: Seen) -> None:
        told, self.seen = self.seen, seen
        if seen != told:
            self._changed(seen)
