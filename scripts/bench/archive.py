"""What it costs to archive a message: ``scripts/bench/archive [--json] [--quick]``.

The hub as its command line runs it: accounts, access rule, typed decode, deduplication by (sender, session, seq),
SQLite with synchronous=FULL, PUBACK after the commit. Beside it: what is archived by other means from mosquitto,
and the same rows through nothing but `executemany`. Medians of interleaved runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from contextlib import ExitStack
from pathlib import Path

from common import Report, arguments, compile_load, median_ratio, scratch, versions
from elsewhere import Mosquitto, compare, install_rival
from fleet import KIND, NAMES, NOW, PUBLISHERS, Hub, pattern
from rows import compare_rows

from mqtt_hub.archive.schema import open_archive
from mqtt_hub.protocol.table import MessageType

ROWS_PER_COMMIT = 1_000  # as many as the hub takes into one batch
RATE = 2_000
QUIET_S = 3.0  # of a hub before it is asked for its latency


def pure_rows_per_s(directory: Path, count: int) -> float:
    """Insert the rows that the hub would write, and do nothing else."""
    directory.mkdir(exist_ok=True)
    for old in directory.glob("pure.db*"):
        old.unlink()
    db = open_archive(directory / "pure.db").conn
    db.execute("INSERT INTO nodes (id, name, role) VALUES (1, ?, 'trainer')", NAMES[:1])
    messages = [
        (seq, 1, 1, seq, MessageType.PATTERN_SHARE, KIND, None, NOW, NOW, pattern(seq, 1).decode())
        for seq in range(1, count + 1)
    ]
    began = time.perf_counter()
    for at in range(0, count, ROWS_PER_COMMIT):
        db.execute("BEGIN IMMEDIATE")
        db.executemany(
            "INSERT OR IGNORE INTO messages (id, node, session, seq, type, scope, correlation_id, sent_at,"
            " received_at, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            messages[at : at + ROWS_PER_COMMIT],
        )
        db.execute("COMMIT")
    seconds = time.perf_counter() - began
    db.close()
    return count / seconds


def fsync_ms(directory: Path) -> float:
    """Return how long this disk takes to make a page safe: no commit can be faster."""
    times = []
    with (directory / "page").open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def more_options(parser: argparse.ArgumentParser) -> None:
    """Add what only this benchmark knows."""
    parser.add_argument(
        "--rows", type=int, default=200_000, help="rows of the full archive (10000000: 6 GB, some minutes more)"
    )
    parser.add_argument(
        "--node-modules", type=Path, metavar="FOLDER",
        help="with mqtt and better-sqlite3 in its node_modules; else npm installs them, which takes a minute",
    )  # fmt: skip


def main() -> None:
    """Measure everything and show it."""
    options = arguments(__doc__ or "", more_options)
    pairs = 1 if options.quick else options.pairs
    count = 30_000 if options.quick else 60_000
    report = Report(versions())
    with ExitStack() as stack:
        directory = stack.enter_context(scratch())
        generator = compile_load(directory)
        hub = Hub(stack, directory / "home")
        reader = Mosquitto(stack, directory, generator)

        def devnull() -> float:
            return reader.run(count, reader.subscriber(count)).rate

        def archived(number: int = count) -> float:
            measured = hub.publish(generator, number, window=1000)
            return number / measured["seconds"]

        archived(5_000)
        hub_rates, sub_rates, pure_rates = [], [], []
        for _ in range(pairs):
            hub_rates.append(archived())
            sub_rates.append(devnull())
            pure_rates.append(pure_rows_per_s(directory / "pure", count // 2))
        acknowledged = (hub.first - 1) * PUBLISHERS
        if hub.archived() != acknowledged:
            raise SystemExit(f"Error: {acknowledged} messages acknowledged, {hub.archived()} archived")
        report.figures["archived and acknowledged, messages/s"] = {
            "hub": round(statistics.median(hub_rates)),
            "mosquitto_sub > /dev/null": round(statistics.median(sub_rates)),
            "pure executemany": round(statistics.median(pure_rates)),
        }
        for rival, rates, bound in (
            ("times mosquitto_sub > /dev/null, end to end", sub_rates, 3.0),
            ("share of pure executemany of the same rows", pure_rates, 0.35),
        ):
            pairs_of_rates = list(zip(hub_rates, rates, strict=True))
            report.at_least(f"archived after commit: {rival}", median_ratio(pairs_of_rates), bound)
        with ExitStack() as others:
            rival = install_rival(directory, options.node_modules)
            compare(others, directory / "elsewhere", generator, report, pairs=pairs, count=count, rival=rival)
        with ExitStack() as others:
            compare_rows(others, directory, generator, report, pairs=pairs, count=count, rows=options.rows)
        report.figures["fsync of 4 KiB on this disk, median, ms"] = round(fsync_ms(directory), 2)

        time.sleep(QUIET_S)
        seconds = 3 if options.quick else 5
        runs = [hub.publish(generator, RATE * seconds, rate=RATE, window=1000) for _ in range(pairs)]
        report.at_most("latency to the commit at 2,000/s, p50, ms", statistics.median(r["p50_ms"] for r in runs), 1.0)
        report.at_most("latency to the commit at 2,000/s, p99, ms", statistics.median(r["p99_ms"] for r in runs), 10.0)
    report.show(as_json=options.json)


if __name__ == "__main__":
    main()
