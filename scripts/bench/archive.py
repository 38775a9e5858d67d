"""What it costs to archive a message: ``scripts/bench/archive [--json] [--quick]``.

The hub as its command line runs it: accounts, access rule, typed decode, deduplication by (sender, session, seq),
SQLite with synchronous=FULL, PUBACK after the commit. Beside it: what is archived by other means from mosquitto,
and the same rows through nothing but `executemany`. Medians of interleaved runs.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from common import (
    ROOT,
    Report,
    arguments,
    compile_load,
    load,
    median_ratio,
    mosquitto,
    program,
    scratch,
    versions,
)

sys.path.insert(0, str(ROOT))

from mqtt_hub.accounts import Accounts
from mqtt_hub.archive.schema import open_archive
from mqtt_hub.broker.packets import Connect, Publish, Subscribe
from mqtt_hub.broker.parser import Parser
from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import Hello, PatternShare
from mqtt_hub.protocol.codec import Message, decode, encode
from mqtt_hub.protocol.table import MessageType

PUBLISHERS = 4
NAMES = [f"bench_{number}" for number in range(PUBLISHERS)]
KIND = "page_replacement"
NOW = "2026-01-31T12:00:00.123Z"
ROWS_PER_COMMIT = 1_000  # as many as the hub takes into one batch
RATE = 2_000
QUIET_S = 3.0  # of a hub before it is asked for its latency


def pattern(seq: int, session: int, name: str = "bench_0") -> bytes:
    """Return a message as a trainer sends it: some 480 bytes."""
    body = PatternShare(KIND, "promote", "min(age, 7 * frequency) - last", "score", 12.5, 3, "a" * 64, "b" * 64)
    return encode(Message(MessageType.PATTERN_SHARE, name, session, NOW, body, seq=seq))


def template(session: int) -> dict[str, str]:
    """Return what stands before and after the seq in a message."""
    before, after = pattern(987_654_321, session).decode().split("987654321")
    return {"prefix": before.replace("bench_0", "bench_%d"), "suffix": after}


def greet(port: int, name: str, token: str) -> int:
    """Say HELLO and return the session that the hub grants."""
    hello = Hello("trainer", "bench", (KIND,), f"i{time.monotonic_ns()}")
    payload = encode(Message(MessageType.HELLO, name, 1, NOW, hello))
    parser = Parser(1 << 20)
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        answers = f"kernel/v1/training_sync/hub/{name}"
        client.sendall(Connect(name, username=name, password=token.encode()).encode())
        client.sendall(Subscribe(1, ((answers, 1),)).encode())
        client.sendall(Publish(f"kernel/v1/hello/{name}", payload, 1, packet_id=2).encode())
        while True:
            packet = parser.next()
            if packet is None:
                parser.feed(client.recv(1 << 16))
            elif isinstance(packet, Publish):
                return int(decode(packet.payload).body.session)


class Hub:
    """A hub in a process of its own with the accounts of some trainers."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        home = Home(directory)
        serve = [sys.executable, "-m", "mqtt_hub"]
        subprocess.run(
            [*serve, "init", "--home", directory, "--port", "0"], check=True, stdout=subprocess.DEVNULL, cwd=ROOT
        )
        with home.config_path.open("a") as file:
            file.write("publish_messages_per_s_max = 1e9\n")  # four publishers stand for a fleet
        book = Accounts(home.accounts_path)
        tokens = {name: book.add(name, "trainer", "bench", NOW) for name in NAMES}
        self.tokens = ",".join(tokens.values())
        book.close()
        process = subprocess.Popen(
            [*serve, "serve", "--home", directory], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        end = time.monotonic() + 20
        while not home.port_path.exists():
            if time.monotonic() > end or process.poll() is not None:
                raise SystemExit("Error: the hub does not start")
            time.sleep(0.05)
        self.archive = home.archive_path
        self.port = int(home.port_path.read_text())
        (self.session,) = {greet(self.port, name, token) for name, token in tokens.items()}
        self.first = 1

    def publish(self, generator: Path, count: int, **words: Any) -> dict[str, float]:
        """Publish so many new messages at QoS 1 and return what was measured up to the last PUBACK."""
        each = count // PUBLISHERS
        words = {"count": each, "publishers": PUBLISHERS, "first": self.first, "password": self.tokens, **words}
        self.first += each
        return load(generator, self.port, subscribers=0, **words, **template(self.session))

    def archived(self) -> int:
        """Return how many of the messages are in the archive."""
        db = sqlite3.connect(f"file:{self.archive}?mode=ro", uri=True)
        (count,) = db.execute("SELECT count(*) FROM messages WHERE type = 'PATTERN_SHARE'").fetchone()
        db.close()
        return int(count)


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


def reader_rate(generator: Path, port: int, tokens: dict[str, str], words: list[str], count: int) -> float:
    """Publish to mosquitto while a program reads ``count`` messages to its end; return messages a second."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)  # it says nothing when it has subscribed
        began = time.monotonic()
        load(
            generator, port, count=count // PUBLISHERS, publishers=PUBLISHERS, window=1000, subscribers=0,
            password=",".join(tokens[name] for name in NAMES),
            topic="kernel/v1/pattern_share/bench_%d/page_replacement", **template(1),
        )  # fmt: skip
        process.wait(60)
        return count / (time.monotonic() - began)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Measure everything and show it."""
    options = arguments(__doc__ or "")
    pairs = 1 if options.quick else options.pairs
    count = 30_000 if options.quick else 60_000
    report = Report(versions())
    with ExitStack() as stack:
        directory = stack.enter_context(scratch())
        generator = compile_load(directory)
        hub = Hub(stack, directory / "home")
        tokens = dict.fromkeys([*NAMES, "watch"], "secret")
        port, _process = stack.enter_context(mosquitto(directory / "mosquitto", tokens))
        subscriber = program("mosquitto_sub")

        def devnull() -> float:
            words = [
                str(subscriber), "-p", str(port), "-u", "watch", "-P", "secret", "-q", "1", "-t",
                "kernel/v1/pattern_share/#", "-C", str(count),
            ]  # fmt: skip
            return reader_rate(generator, port, tokens, words, count)

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
        rivals = {
            "mosquitto_sub > /dev/null": 0.9,
            "mqtt.js + better-sqlite3": 1.1,
            "mosquitto_sub | sqlite-utils": 1.6,
        }
        for rival, bound in rivals.items():  # the hub cannot read from another broker yet
            report.at_least(f"archive from mosquitto: times {rival}", None, bound)
        report.figures["fsync of 4 KiB on this disk, median, ms"] = round(fsync_ms(directory), 2)

        time.sleep(QUIET_S)
        seconds = 3 if options.quick else 5
        runs = [hub.publish(generator, RATE * seconds, rate=RATE, window=1000) for _ in range(pairs)]
        report.at_most("latency to the commit at 2,000/s, p50, ms", statistics.median(r["p50_ms"] for r in runs), 1.0)
        report.at_most("latency to the commit at 2,000/s, p99, ms", statistics.median(r["p99_ms"] for r in runs), 10.0)
    report.show(as_json=options.json)


if __name__ == "__main__":
    main()
