"""What the embedded broker moves, beside mosquitto and stock amqtt: ``scripts/bench/broker [--json] [--quick]``.

All three run on loopback with accounts and the access rule in force and the same window towards subscribers. Each
figure is the median of interleaved pairs: ours, mosquitto, ours, mosquitto … Brokers and load share one core, as
on a small machine, so the figures are of the work that a message makes and not of how well it is spread
(``--all-cores`` lets the system spread it).
"""

from __future__ import annotations

import os
import statistics
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import (
    Report,
    accounts,
    arguments,
    compile_load,
    free_port,
    load,
    mosquitto,
    rss_kib,
    running,
    scratch,
    versions,
)

TRAINERS = 50
STOCK_SHARE = 20  # stock amqtt gets a twentieth of the messages: it needs as long for them
SERVE = str(Path(__file__).with_name("serve.py"))


@dataclass(frozen=True)
class Case:
    """One way to load a broker, and what is wanted of it."""

    figure: str
    load: dict[str, Any]
    over_mosquitto: float
    over_stock: float | None = None


CASES = [
    Case("QoS 1, window 100", {"count": 60_000, "window": 100}, 4.0, 30.0),
    Case("QoS 1, window 1", {"count": 12_000, "window": 1}, 1.0),
    Case("QoS 0", {"count": 80_000, "qos": 0}, 3.0),
    Case("fan-out 1 to 50, QoS 1", {"count": 2_500, "subscribers": 50}, 4.0),
    Case("50 to 1 with 200 other filters, QoS 1", {"count": 1_000, "publishers": 50, "others": 200, "lag": 6_000}, 3.0),
]


def deliveries_per_s(measured: dict[str, float]) -> float:
    """Return the rate of a run."""
    return measured["delivered"] / measured["seconds"]


def main() -> None:  # noqa: C901, PLR0915 — a benchmark reads best from top to end
    """Measure everything and show it."""
    options = arguments(__doc__ or "")
    pairs = 1 if options.quick else options.pairs
    if not options.all_cores:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    report = Report(versions())
    with ExitStack() as stack:
        home = stack.enter_context(scratch())
        generator = compile_load(home)
        tokens = accounts(home, TRAINERS)
        common = {
            "password": ",".join(tokens[f"bench_{number}"] for number in range(TRAINERS)),
            "watcher_password": tokens["watch"],
        }

        def amqtt(kind: str) -> tuple[int, int]:
            port = free_port()
            process = stack.enter_context(running([sys.executable, SERVE, kind, str(home), str(port)], port))
            return port, process.pid

        ours, _pid = amqtt("ours")
        stock, _pid = amqtt("stock")
        theirs, _process = stack.enter_context(mosquitto(home / "mosquitto", tokens))
        warm = dict(common, count=50, publishers=TRAINERS)
        for port in (ours, theirs, stock):
            load(generator, port, **warm, losses_s=2.0 if port == stock else 0)

        for case in CASES:
            words: dict[str, Any] = {**common, **case.load}
            if options.quick:
                words["count"] //= 3
            rates: dict[int, list[float]] = {ours: [], theirs: [], stock: []}
            for _ in range(pairs):
                for port in (ours, theirs):
                    rates[port].append(deliveries_per_s(load(generator, port, **words)))
            if case.over_stock is not None:
                words |= {"count": words["count"] // STOCK_SHARE, "losses_s": 2.0}
                rates[stock] = [deliveries_per_s(load(generator, stock, **words)) for _ in range(pairs)]
            names = {"ours": ours, "mosquitto": theirs, "stock": stock}
            report.figures[case.figure + ", deliveries/s"] = {
                name: round(statistics.median(rates[port])) for name, port in names.items() if rates[port]
            }
            paired = [a / b for a, b in zip(rates[ours], rates[theirs], strict=True)]
            report.at_least(f"{case.figure}: times mosquitto", statistics.median(paired), case.over_mosquitto)
            if case.over_stock is not None:
                times = statistics.median(rates[ours]) / statistics.median(rates[stock])
                report.at_least(f"{case.figure}: times stock amqtt", times, case.over_stock)

        clients = 500 if options.quick else 2_000
        rate, memory = {}, {}
        for kind in ("ours", "stock"):
            port, pid = amqtt(kind)
            load(generator, port, **dict(warm, count=1))
            before = rss_kib(pid)
            words = dict(common, publishers=0, subscribers=0, count=0, idle=clients)
            measured = load(generator, port, **words)
            rate[kind] = measured["connections"] / measured["connect_seconds"]
            # the peak is what stays: Python gives little back
            memory[kind] = (rss_kib(pid) - before) / clients
        report.figures[f"connect and subscribe, {clients} clients, 1/s"] = {k: round(v) for k, v in rate.items()}
        report.figures["memory of an idle client, KiB"] = {k: round(v, 1) for k, v in memory.items()}
        report.at_least("connect and subscribe: times stock amqtt", rate["ours"] / rate["stock"], 10.0)
        report.at_most("idle client memory: share of stock amqtt's", memory["ours"] / memory["stock"], 0.5)

        words = dict(common, count=20_000 if options.quick else 200_000)
        paired = []
        for turn in range(pairs + 1):
            # In turns from both ends, so that neither always runs on what the other has warmed or left behind.
            order = (10, 10_000) if turn % 2 else (10_000, 10)
            rate_of = {others: deliveries_per_s(load(generator, ours, **words, others=others)) for others in order}
            paired.append(rate_of[10] / rate_of[10_000])
        report.within("cost per message, 10,000 subscriptions over 10", statistics.median(paired), 0.2)
    report.show(as_json=options.json)


if __name__ == "__main__":
    main()
