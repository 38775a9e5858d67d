"""A hub in a process of its own, and trainers that load it: what the benchmarks of the archive share."""

from __future__ import annotations

import socket
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from common import ROOT, cpu_s, load, mosquitto

sys.path.insert(0, str(ROOT))

from mqtt_hub.accounts import Accounts
from mqtt_hub.broker.packets import Connect, Publish, Subscribe
from mqtt_hub.broker.parser import Parser
from mqtt_hub.cli.home import create_home
from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import Hello, PatternShare
from mqtt_hub.protocol.codec import Message, decode, encode
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.rehearsal import running_hub

PUBLISHERS = 4
NAMES = [f"bench_{number}" for number in range(PUBLISHERS)]
KIND = "page_replacement"
NOW = "2026-01-31T12:00:00.123Z"
INFLIGHT = 1_000  # messages that mosquitto sends ahead, as `mqtt-hub rules mosquitto` sets it
ARCHIVED_S = 120.0


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
    """A hub with the accounts of some trainers; ``external``: with a mosquitto of its own instead of its broker."""

    def __init__(
        self,
        stack: ExitStack,
        directory: Path,
        *,
        external: bool = False,
        prepare: Callable[[Home], None] | None = None,
    ) -> None:
        home = Home(directory)
        create_home(home, Config(port=0, dashboard=False))
        with home.config_path.open("a") as file:
            file.write("publish_messages_per_s_max = 1e9\n")  # four publishers stand for a fleet
        book = Accounts(home.accounts_path)
        tokens = {name: book.add(name, "trainer", "bench", NOW) for name in NAMES}
        self.tokens = ",".join(tokens.values())
        book.close()
        if prepare is not None:
            prepare(home)
        elsewhere: list[str] = []
        if external:
            accounts = {**tokens, "hub": home.token("hub")}
            port, _process = stack.enter_context(mosquitto(directory / "mosquitto", accounts, inflight=INFLIGHT))
            elsewhere = ["--broker", f"mqtt://hub@127.0.0.1:{port}"]
        self.pid = stack.enter_context(running_hub(home, *elsewhere)).pid
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

    def wait_until_archived(self) -> None:
        """Return as soon as the last message of each publisher is in the archive."""
        last = (
            "SELECT min((SELECT max(seq) FROM messages WHERE node = nodes.id AND session = ?)) FROM nodes"
            " WHERE name LIKE 'bench@_%' ESCAPE '@'"
        )
        db = sqlite3.connect(f"file:{self.archive}?mode=ro", uri=True)
        end = time.monotonic() + ARCHIVED_S
        while (db.execute(last, (self.session,)).fetchone()[0] or 0) < self.first - 1:
            if time.monotonic() > end:
                raise SystemExit("Error: the hub does not archive what was published")
            time.sleep(0.01)
        db.close()

    def archived(self) -> int:
        """Return how many of the messages are in the archive."""
        db = sqlite3.connect(f"file:{self.archive}?mode=ro", uri=True)
        (count,) = db.execute(
            "SELECT count(*) FROM messages WHERE type = 'PATTERN_SHARE' AND session = ?", (self.session,)
        ).fetchone()
        db.close()
        return int(count)

    def cpu_s(self) -> float:
        """Return the processor time that the hub has used."""
        return cpu_s(self.pid)
