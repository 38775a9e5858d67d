"""A trainer that does not search but talks: every type of message a trainer may say, as fast as it is told.

::

    share() returned ──▶ one line in ACCEPTED: NAME.START.NUMBER     what the outbox has taken in, and must arrive

The number stands in the message too, so that the archive can be asked for exactly these. Run it again with
``--drain`` and it says nothing new, gets receipts for what is left and ends.
"""

from __future__ import annotations

import argparse
import os
import queue
import random
import secrets
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from mqtt_hub.protocol.bodies import (
    Body,
    CodeShare,
    CollaborationRequest,
    CollaborationResponse,
    Log,
    OsComponentShare,
    PatternShare,
)
from mqtt_hub.protocol.errors import MqttHubError
from mqtt_hub.protocol.log import log_to
from mqtt_hub.protocol.table import MessageType
from trainers.node import Node, NodeSettings
from trainers.outbox_file import OutboxWaitError
from trainers.stop import Stop

KIND = "page_replacement"
PROGRAM = "def on_insert():\n    return head(0, 0)\n"  # in canonical form
WORKLOAD = sha256(b"no workload").hexdigest()


def _named(source: str) -> str:
    return sha256(source.encode()).hexdigest()


def pattern(mark: str) -> Body:
    """Return a pattern with the mark in it."""
    return PatternShare(KIND, "on_hit", f"#{mark}#", "free", 0.1, 1, WORKLOAD, WORKLOAD)


def code(mark: str) -> Body:
    """Return a program with the mark in it."""
    return CodeShare(KIND, _named(f"#{mark}#"), f"#{mark}#", ("load",), (), ())


def component(mark: str) -> Body:
    """Return a submission that validators judge and reject, but hold against nobody: it claims nothing."""
    return OsComponentShare(KIND, _named(PROGRAM), PROGRAM, ("load",), (), (), f"#{mark}#")


def request(mark: str) -> Body:
    """Return a request for help."""
    return CollaborationRequest(KIND, WORKLOAD, f"#{mark}#", _named(f"#{mark}#"), 0.1, 0.9, "pattern", 1)


def response(mark: str) -> Body:
    """Return an answer to nobody's request."""
    return CollaborationResponse(KIND, "declined", f"#{mark}#")


TALK: list[tuple[MessageType, Callable[[str], Body], int]] = [
    (MessageType.PATTERN_SHARE, pattern, 6),
    (MessageType.CODE_SHARE, code, 3),
    (MessageType.COLLABORATION_REQUEST, request, 1),
    (MessageType.COLLABORATION_RESPONSE, response, 1),
    (MessageType.OS_COMPONENT_SHARE, component, 1),
]


class Talker:
    """Shares numbered messages and writes down which ones its outbox has taken."""

    def __init__(self, node: Node, accepted: Path, seed: int) -> None:
        self._node, self._rng = node, random.Random(seed)
        self._file = os.open(accepted, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._stem = f"{node.settings.name}.{secrets.token_hex(4)}"
        self._count = 0

    def say(self) -> None:
        """Share one message; it is written down when the outbox has it."""
        self._count += 1
        mark = f"{self._stem}.{self._count}"
        (type_, make, _weight) = self._rng.choices(TALK, [weight for _type, _make, weight in TALK])[0]
        name = self._node.settings.name
        self._node.share(
            type_,
            make(mark),
            recipient=name if type_ is MessageType.COLLABORATION_RESPONSE else "",
            correlation_id=mark if type_ is MessageType.COLLABORATION_REQUEST else "",
        )
        os.write(self._file, f"{mark}\n".encode())
        if self._count % 10 == 0:
            self._node.tell(MessageType.LOG, Log("info", f"{self._count} said"))


def hear(node: Node) -> None:
    """Take what peers say off the inbox."""
    try:
        while True:
            node.inbox.get_nowait()
    except queue.Empty:
        return


def run(words: argparse.Namespace) -> None:
    """Talk until told to stop, or drain."""
    stop = Stop()
    stop.on_signals()
    home: Path = words.home
    log_to(home / "node.log")
    token = (home / "token").read_text().strip()
    settings = NodeSettings(words.name, "trainer", "memory_management", (KIND,), token, home, port=words.port)
    node = Node(settings, have=lambda: (), stop=stop)
    talker = Talker(node, home / "accepted", words.seed)
    node.start()
    try:
        due = time.monotonic()
        while not stop.is_set():
            node.check()
            hear(node)
            if words.drain:
                if node.ready and not node.pending():
                    return
            elif time.monotonic() >= due:
                talker.say()
                due = max(due + 1 / words.rate, time.monotonic() - 1)
                continue
            stop.wait(min(0.02, 1 / words.rate))
    except OutboxWaitError:
        pass  # told to stop while it waited
    finally:
        node.stop()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, default=40.0, help="messages a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--drain", action="store_true", help="say nothing new, end when all has its receipt")
    words = parser.parse_args()
    try:
        run(words)
    except MqttHubError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
