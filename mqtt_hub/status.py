"""The hub's running counts and `get_hub_status()`.

Big tables are counted once, at the start, and by addition from then on; small ones are asked.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from mqtt_hub.archive.queries import totals, trust
from mqtt_hub.archive.storing import Grant
from mqtt_hub.intake import Entry, Rejected
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.registry import Registry

__all__ = ["Tally", "describe", "measure"]

RATE_WINDOW_S = 10.0
QUARANTINED_MAX = 32  # named in the status; ``levels`` counts them all


class Tally:
    """Messages by type, rejected ones, and the rate of the last `RATE_WINDOW_S` seconds."""

    def __init__(self, db: Database) -> None:
        self.by_type: Counter[str] = Counter(totals.messages_by_type(db))
        self.rejected = totals.rejected(db)
        self._recent: deque[tuple[float, int]] = deque()

    def add(self, rows: Iterable[Entry | Grant], now: float) -> None:
        """Count a batch that was committed."""
        entries = [row.entry if isinstance(row, Grant) else row for row in rows]
        types = Counter([entry.message.type for entry in entries if not isinstance(entry, Rejected)])
        for type_, count in types.items():
            self.by_type[type_.value] += count
        self.rejected += len(entries) - types.total()
        self._recent.append((now, len(entries)))
        self._forget(now)

    def per_second(self, now: float) -> float:
        """Return messages a second over the window."""
        self._forget(now)
        return round(sum(count for _time, count in self._recent) / RATE_WINDOW_S, 1)

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - RATE_WINDOW_S:
            self._recent.popleft()


def measure(db: Database, archive: Path) -> dict[str, Any]:
    """Return what the archive has to be asked for; sizes in bytes. Call it in the archive's thread."""
    wal = archive.with_name(archive.name + "-wal")
    return {
        "active_collaborations": totals.active_collaborations(db),
        "components": totals.components_by_verdict(db),
        "trust": {
            "levels": trust.levels(db),
            "quarantined": dict(list(trust.quarantined(db).items())[:QUARANTINED_MAX]),
        },
        "archive_bytes": sum(path.stat().st_size for path in (archive, wal) if path.exists()),
    }


def describe(
    measured: dict[str, Any],
    tally: Tally,
    registry: Registry,
    *,
    now: float,
    uptime_s: float,
    trouble: str,
    rejected_beyond_quota: int,
) -> dict[str, Any]:
    """Return what `get_hub_status()` says; times in seconds. Call it where tally and registry are changed.

    With ``trouble`` the hub is degraded: nothing is acknowledged, and ``reason`` says why.
    """
    connected = registry.connected()
    return {
        "state": "degraded" if trouble else "running",
        "reason": trouble,
        "uptime_s": round(uptime_s, 1),
        "connected": len(connected),
        "connected_nodes": connected,
        "validators": registry.validators(),
        "nodes_known": len(registry.peers()),
        "messages": {
            "accepted": tally.by_type.total(),
            "rejected": tally.rejected,
            "rejected_beyond_quota": rejected_beyond_quota,
            "per_second": tally.per_second(now),
            "by_type": dict(sorted(tally.by_type.items())),
        },
        "telemetry_dropped": registry.telemetry_dropped(),
        "patterns": tally.by_type[MessageType.PATTERN_SHARE.value],
        "code": tally.by_type[MessageType.CODE_SHARE.value],
        **measured,
    }
