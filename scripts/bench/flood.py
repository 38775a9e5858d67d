"""What a good node notices of bad ones: ``scripts/bench/flood [--json] [--quick]``.

Ten nodes with valid accounts send as fast as they are read: valid messages, messages at the size limit, no JSON, deep
JSON, and messages under another's name. Meanwhile a good node sends 50 a second, each measured up to the PUBACK, which
means archived. Quiet and flooded runs are interleaved, the median of their ratios counts. Then 500 nodes lose their
hub by kill -9 at once and come back at once, each with messages that were not acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
from common import ROOT, Report, arguments, compile_load, cpu_s, load, scratch, versions
from fleet import KIND, NOW, greet, pattern

from mqtt_hub.accounts import Accounts
from mqtt_hub.broker.packets import Connack, Connect, Puback, Publish, Suback, Subscribe
from mqtt_hub.broker.parser import Parser
from mqtt_hub.cli.home import create_home
from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import Hello
from mqtt_hub.protocol.codec import ENVELOPE_BYTES_MAX, Message, encode
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.rehearsal import running_hub

GOOD = "bench_0"
GOOD_RATE = 50
BURST_S = 6.0  # until those that flood have used up what they may send at once
STORM_NODES = 500
STORM_MESSAGES = 4  # of each node, before the hub is killed and after
DEADLINE_S = 240.0
ARCHIVED_OF_STORM = "SELECT count(*) FROM messages m JOIN nodes n ON n.id = m.node WHERE m.seq AND n.name GLOB 'node_*'"


def template(name: str, session: int, *, padding_bytes: int = 0) -> dict[str, str]:
    """Return what stands before and after the seq in a valid message, padded with a field that nobody knows."""
    before, after = pattern(987_654_321, session, name).decode().split("987654321")
    padding = f',"padding":"{"x" * padding_bytes}"' if padding_bytes else ""
    return {"prefix": before, "suffix": after[:-1] + padding + "}"}


class Hub:
    """A hub in a process of its own; `kill` and `start` it again on its port."""

    def __init__(self, stack: ExitStack, directory: Path, names: list[str]) -> None:
        self.home, self.port, self._stack = Home(directory), 0, stack
        create_home(self.home, Config(port=0, dashboard=False))
        book = Accounts(self.home.accounts_path)
        self.tokens = {name: book.add(name, "trainer", "bench", NOW) for name in names}
        book.close()
        self.start()

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.home.port_path.unlink(missing_ok=True)
        self.process = self._stack.enter_context(running_hub(self.home, "--port", str(self.port)))
        self.port = self.home.running_port()

    def kill(self) -> None:
        """End it as the power does."""
        self.process.kill()
        self.process.wait()

    def cpu_s(self) -> float:
        """Return the CPU seconds that this start of the hub has used."""
        return cpu_s(self.process.pid)

    def count(self, sql: str) -> int:
        """Ask the archive for one number."""
        db = sqlite3.connect(f"file:{self.home.archive_path}?mode=ro", uri=True)
        (number,) = db.execute(sql).fetchone()
        db.close()
        return int(number)


def floods(hub: Hub) -> list[dict[str, Any]]:
    """Return the ten that flood, as words for the load generator."""

    def flood(name: str, **words: Any) -> dict[str, Any]:
        topic = f"kernel/v1/pattern_share/{name}/{KIND}"
        return {"user": name, "password": hub.tokens[name], "topic": topic, **words}

    def valid(name: str, padding_bytes: int = 0) -> dict[str, Any]:
        session = greet(hub.port, name, hub.tokens[name])
        return flood(name, **template(name, session, padding_bytes=padding_bytes))

    depth = 1_000
    return [
        *(valid(f"bad_{number}") for number in range(4)),
        *(valid(f"bad_{number}", ENVELOPE_BYTES_MAX - 1_000) for number in (4, 5)),
        *(flood(f"bad_{number}", bytes=400) for number in (6, 7)),
        flood("bad_8", prefix="[" * depth, suffix="]" * depth),
        flood("bad_9", topic=f"kernel/v1/pattern_share/{GOOD}/{KIND}"),
    ]


@contextmanager
def flooding(generator: Path, hub: Hub) -> Iterator[None]:
    """Flood while the context lasts."""
    processes = []
    for words in floods(hub):
        options = {"port": hub.port, "subscribers": 0, "count": 10_000_000, "window": 1000, **words}
        command = [str(generator), *(f"{name}={value}" for name, value in options.items())]
        processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    try:
        time.sleep(BURST_S)
        yield
    finally:
        if any(process.poll() is not None for process in processes):
            raise SystemExit("Error: one that floods was turned away: it must be kept at bay, not lost")
        for process in processes:
            process.kill()
            process.wait()


class Good:
    """The good node: counts on where it has stopped."""

    def __init__(self, generator: Path, hub: Hub) -> None:
        self._generator, self._hub, self._next = generator, hub, 1
        self._session = greet(hub.port, GOOD, hub.tokens[GOOD])

    def p99_ms(self, seconds: float) -> float:
        """Send for so long; return the 99th percentile of the time to the PUBACK."""
        count = int(GOOD_RATE * seconds)
        measured = load(
            self._generator, self._hub.port, subscribers=0, publishers=1, count=count, rate=GOOD_RATE, user=GOOD,
            password=self._hub.tokens[GOOD], first=self._next, topic=f"kernel/v1/pattern_share/{GOOD}/{KIND}",
            **template(GOOD, self._session),
        )  # fmt: skip
        self._next += count
        return measured["p99_ms"]

    @property
    def sent(self) -> int:
        """How many messages were acknowledged."""
        return self._next - 1


class Returning:
    """One of the 500: sends what is not acknowledged again on every connection, as an outbox does."""

    def __init__(self, name: str, token: str, port: int) -> None:
        self.name, self._token, self._port = name, token, port
        self._instance = f"i{name}"
        self.waiting: dict[int, None] = {}  # seqs without an acknowledgement
        self._said, self._session = 0, 1
        self.greeted = asyncio.Event()
        self._writer: asyncio.StreamWriter

    def say(self, count: int) -> None:
        """Put so many messages in, and send them if there is a connection."""
        for _ in range(count):
            self._said += 1
            self.waiting[self._said] = None
        if self.greeted.is_set():
            self._send_waiting()

    def _send_waiting(self) -> None:
        topic = f"kernel/v1/pattern_share/{self.name}/{KIND}"
        for seq in self.waiting:
            payload = pattern(seq, self._session, self.name)
            self._writer.write(Publish(topic, payload, 1, packet_id=seq + 10).encode())

    async def run(self) -> None:
        """Connect, and again whenever the connection is lost."""
        while True:
            with suppress(OSError):
                await self._once()
            self.greeted.clear()
            await asyncio.sleep(0.2)

    async def _once(self) -> None:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            self._writer.write(Connect(self.name, username=self.name, password=self._token.encode()).encode())
            self._writer.write(Subscribe(1, ((f"kernel/v1/training_sync/hub/{self.name}", 1),)).encode())
            parser = Parser(1 << 20)
            while data := await reader.read(1 << 16):
                parser.feed(data)
                while (packet := parser.next()) is not None:
                    self._take(packet)
        finally:
            self._writer.close()

    def _take(self, packet: Any) -> None:
        if isinstance(packet, Connack) and packet.code:
            raise ConnectionError(packet.code)
        if isinstance(packet, Suback):
            hello = Hello("trainer", "bench", (KIND,), self._instance)
            payload = encode(Message(MessageType.HELLO, self.name, self._session, NOW, hello))
            self._writer.write(Publish(f"kernel/v1/hello/{self.name}", payload, 1, packet_id=1).encode())
        elif isinstance(packet, Publish):
            self._session = int(orjson.loads(packet.payload)["body"]["session"])
            self._writer.write(Puback(packet.packet_id).encode())
            self.greeted.set()
            self._send_waiting()
        elif isinstance(packet, Puback) and packet.packet_id > 10:
            self.waiting.pop(packet.packet_id - 10, None)


async def _until(condition: Any) -> float:
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > DEADLINE_S:
            raise SystemExit(f"Error: not all were back within {DEADLINE_S:g} s")
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def storm(hub: Hub, names: list[str]) -> tuple[float, float, float]:
    """Return the seconds until all were greeted again, until all was acknowledged, and the hub's CPU seconds then."""
    nodes = [Returning(name, hub.tokens[name], hub.port) for name in names]
    tasks = [asyncio.create_task(node.run()) for node in nodes]
    try:
        await _until(lambda: all(node.greeted.is_set() for node in nodes))
        for node in nodes:
            node.say(STORM_MESSAGES)
        hub.kill()  # in the middle of what they say
        await _until(lambda: not any(node.greeted.is_set() for node in nodes))
        for node in nodes:
            node.say(STORM_MESSAGES)
        await asyncio.to_thread(hub.start)
        greeted_s = await _until(lambda: all(node.greeted.is_set() for node in nodes))
        settled_s = greeted_s + await _until(lambda: not any(node.waiting for node in nodes))
        cpu_s = hub.cpu_s()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return greeted_s, settled_s, cpu_s


def main() -> None:
    """Measure and show."""
    options = arguments(__doc__ or "")
    os.chdir(ROOT)  # the hub of this tree, wherever the script was started
    pairs, seconds = (1, 4.0) if options.quick else (options.pairs, 8.0)
    report = Report(versions())
    returning = [f"node_{number}" for number in range(STORM_NODES)]
    with ExitStack() as stack:
        directory = stack.enter_context(scratch())
        generator = compile_load(directory)
        hub = Hub(stack, directory / "home", [GOOD, *(f"bad_{number}" for number in range(10)), *returning])
        good = Good(generator, hub)
        quiet, flooded = [], []
        for _ in range(pairs):
            quiet.append(good.p99_ms(seconds))
            with flooding(generator, hub):
                flooded.append(good.p99_ms(seconds))
            time.sleep(2.0)
        archived = hub.count(
            "SELECT count(*) FROM messages m JOIN nodes n ON n.id = m.node WHERE m.seq AND n.name = 'bench_0'"
        )
        if archived != good.sent:
            raise SystemExit(f"Error: {good.sent} messages of the good node acknowledged, {archived} archived")
        report.figures["p99 of the good node, quiet, ms"] = [round(value, 1) for value in quiet]
        report.figures["p99 of the good node, flooded by ten, ms"] = [round(value, 1) for value in flooded]
        report.figures["messages of the bad ones archived, rejected ones kept"] = (
            hub.count("SELECT count(*) FROM messages WHERE seq") - good.sent,
            hub.count("SELECT count(*) FROM rejected"),
        )
        ratio = statistics.median(one / other for one, other in zip(flooded, quiet, strict=True))
        report.at_most("good node's p99 under a flood from ten bad ones, times quiet", ratio, 5.0)

        before = hub.count(ARCHIVED_OF_STORM)
        greeted_s, settled_s, cpu_s = asyncio.run(storm(hub, returning))
        lost = STORM_NODES * 2 * STORM_MESSAGES - (hub.count(ARCHIVED_OF_STORM) - before)
        report.figures[f"{STORM_NODES} nodes back after kill -9 of their hub, s"] = round(greeted_s, 1)
        report.figures["... and all that was unacknowledged archived, s"] = round(settled_s, 1)
        report.at_most(f"messages lost in a reconnect storm of {STORM_NODES}", lost, 0)
        report.at_most("hub's CPU until all are back and settled", cpu_s, 15.0, " s")
    report.show(as_json=options.json)


if __name__ == "__main__":
    main()
