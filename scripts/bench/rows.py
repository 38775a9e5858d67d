"""Does a message cost the same whatever the archive holds already? Two hubs side by side, one with a full archive."""

from __future__ import annotations

import sqlite3
import statistics
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from common import Report
from fleet import KIND, NAMES, NOW, PUBLISHERS, Hub, template

from mqtt_hub.home import Home

__all__ = ["compare_rows"]

FEW_ROWS = 10_000
FORMER_SESSION = 1


def fill(rows: int, home: Home) -> None:
    """Put rows into an archive as if the trainers had sent them in an earlier session."""
    db = sqlite3.connect(home.archive_path, isolation_level=None)
    db.execute("PRAGMA journal_mode = OFF")  # of a benchmark's archive; the hub sets its own again
    db.execute("PRAGMA synchronous = OFF")
    words = template(FORMER_SESSION)
    db.execute("BEGIN")
    for number, name in enumerate(NAMES):
        db.execute(
            "INSERT INTO nodes (id, name, role, session, instance) VALUES (?, ?, 'trainer', ?, 'former')",
            (100 + number, name, FORMER_SESSION),
        )
        db.execute(
            "INSERT INTO sessions (node, session, upto) VALUES (?, ?, ?)",
            (100 + number, FORMER_SESSION, rows // PUBLISHERS),
        )
    db.execute(
        "WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < ?)"
        " INSERT INTO messages (node, session, seq, type, scope, sent_at, received_at, payload)"
        " SELECT 100 + i % ?, ?, i / ? + 1, 'PATTERN_SHARE', ?, ?, ?, replace(?, '%d', i % ?) || (i / ? + 1) || ?"
        " FROM numbers",
        (
            rows, PUBLISHERS, FORMER_SESSION, PUBLISHERS, KIND, NOW, NOW,
            words["prefix"], PUBLISHERS, PUBLISHERS, words["suffix"],
        ),
    )  # fmt: skip
    db.execute("COMMIT")
    db.close()


def compare_rows(
    stack: ExitStack, directory: Path, generator: Path, report: Report, *, pairs: int, count: int, rows: int
) -> None:
    """Measure processor time for a message over both archives in turn and note the ratio."""
    began = time.monotonic()
    few = Hub(stack, directory / "few", prepare=partial(fill, FEW_ROWS))
    many = Hub(stack, directory / "many", prepare=partial(fill, rows))
    report.figures[f"seconds to fill and open an archive of {rows:,} rows"] = round(time.monotonic() - began, 1)

    def cost_us(hub: Hub) -> float:
        before = hub.cpu_s()
        hub.publish(generator, count, window=1000)
        return (hub.cpu_s() - before) / count * 1e6

    for hub in (few, many):
        cost_us(hub)  # warm
    costs = [(cost_us(many), cost_us(few)) for _ in range(pairs)]
    report.figures["processor time of the hub for a message, us"] = {
        f"{FEW_ROWS:,} rows": round(statistics.median(cost for _, cost in costs), 1),
        f"{rows:,} rows": round(statistics.median(cost for cost, _ in costs), 1),
    }
    ratio = statistics.median(many_us / few_us for many_us, few_us in costs)
    report.within(f"cost per message, {rows:,} archived rows over {FEW_ROWS:,}", ratio, 0.2)
