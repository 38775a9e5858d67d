"""The hub's running counts and `get_hub_status()`.

Big tables are counted once, at the start, and by addition from then on; small ones are asked.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from mqtt_hub.archive import queries
from mqtt_hub.archive.writer import Grant
from mqtt_hub.intake import Entry, Rejected
from mqtt_hub.registry import Registry

__all__ = ["Tally", "describe"]

RATE_WINDOW_S = 10.0


class Tally:
    """Messages by type, rejected ones, and the rate of the last `RATE_WINDOW_S` seconds."""

    def __init__(self, db: Database) -> None:
        self.by_type: Counter[str] = Counter(queries.messages_by_type(db))
        self.rejected = queries.rejected(db)
        self._recent: deque[tuple[float, int]] = deque()

    def add(self, rows: Iterable[Entry | Grant], now: float) -> None:
        """Count a batch that was committed."""
        count = 0
        for row in rows:
            count += 1
            entry = row.entry if isinstance(row, Grant) else row
            if isinstance(entry, Rejected):
                self.rejected += 1
            else:
                self.by_type[entry.message.type.value] += 1
        self._recent.append((now, count))
        self._forget(now)

    def per_second(self, now: float) -> float:
        """Return messages a second over the window."""
        self._forget(now)
        return round(sum(count for _time, count in self._recent) / RATE_WINDOW_S, 1)

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - RATE_WINDOW_S:
            self._recent.popleft()


def describe(
    db: Database, archive: Path, tally: Tally, registry: Registry, *, now: float, uptime_s: float, state: str
) -> dict[str, Any]:
    """Return what `get_hub_status()` says; sizes in bytes, times in seconds."""
    counts = queries.tally(db)
    wal = archive.with_name(archive.name + "-wal")
    return {
        "state": state,
        "uptime_s": round(uptime_s, 1),
        "connected_nodes": registry.connected(),
        "nodes_known": len(registry.peers()),
        "messages": {
            "accepted": tally.by_type.total(),
            "rejected": tally.rejected,
            "per_second": tally.per_second(now),
            "by_type": dict(sorted(tally.by_type.items())),
        },
        "patterns": counts["patterns"],
        "code": counts["code"],
        "components": queries.components_by_verdict(db),
        "active_collaborations": counts["active_collaborations"],
        "archive_bytes": sum(path.stat().st_size for path in (archive, wal) if path.exists()),
    }
