"""What nodes of tests say: numbered, so that the archive can be asked for exactly that."""

from __future__ import annotations

import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import PatternShare
from mqtt_hub.protocol.table import MessageType
from tests.hub.harness import rows, until
from trainers.node import Node, NodeSettings

__all__ = ["KIND", "Talker", "heard_once", "pattern"]

KIND = "page_replacement"
WORKLOAD = sha256(b"a workload").hexdigest()


def pattern(number: int) -> PatternShare:
    """Return the pattern of that number."""
    return PatternShare(KIND, "on_hit", f"n{number}", "free", 0.1, 1, WORKLOAD, WORKLOAD)


class Talker:
    """A node in this process that shares numbered patterns; `stop` it in the end."""

    def __init__(self, home: Home, name: str, port: int, place: Path, **options: Any) -> None:
        self.stopping = threading.Event()
        settings = NodeSettings(
            name, "trainer", "memory_management", (KIND,), home.token(name), place, port=port, prefix="kernel"
        )
        self.home, self.name = home, name
        self.node = Node(settings, have=lambda: (), stop=self.stopping, **options)
        self.said = 0
        self.node.start()

    def say(self, count: int = 1) -> None:
        """Share so many new patterns."""
        for _ in range(count):
            self.said += 1
            self.node.share(MessageType.PATTERN_SHARE, pattern(self.said))

    def until(self, condition: Callable[[], Any]) -> Any:
        """Do what a node does between two messages until the condition holds."""

        def look() -> Any:
            self.node.check()
            return condition()

        return until(look, lambda: f"{self.said} said, {self.node.pending()} pending")

    def until_all_is_receipted(self) -> None:
        self.until(lambda: self.node.ready and not self.node.pending())

    def stop(self) -> None:
        self.stopping.set()
        self.node.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def heard_once(home: Home, name: str, said: int) -> None:
    """All that was said is in the archive, once, and under keys that no other message has."""
    sql = "SELECT {} FROM messages m JOIN nodes n ON n.id = m.node JOIN patterns p ON p.message = m.id WHERE n.name = ?"
    expressions = [text for (text,) in rows(home, sql.format("p.expression"), name)]
    assert sorted(expressions) == sorted(f"n{number}" for number in range(1, said + 1))
    keys = rows(home, sql.format("m.session, m.seq"), name)
    assert len(keys) == len(set(keys)) == said
