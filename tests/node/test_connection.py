"""A node gets to its hub over TLS, and waits where it is told to come later."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from mqtt_hub.broker.packets import Publish
from mqtt_hub.cli import main
from mqtt_hub.home import Home
from mqtt_hub.protocol.codec import decode, encode
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.protocol.tls import Tls
from tests.broker.harness import DEADLINE_S, Client, connected
from tests.hub.processes import Hub, made_home
from tests.node.fleet import ROOT
from tests.protocol.examples import message
from trainers.node import Node, NodeSettings

NAME = "AI_Node_1"


@contextmanager
def node_of(home: Home, port: int, path: Path, tls: Tls | None = None) -> Iterator[Node]:
    settings = NodeSettings(
        NAME, "trainer", "memory_management", ("page_replacement",), home.token(NAME), path, port=port, tls=tls
    )
    node = Node(settings, have=lambda: (), stop=threading.Event())
    node.start()
    try:
        yield node
    finally:
        node.stop()


def until_ready(node: Node) -> None:
    end = time.monotonic() + DEADLINE_S
    while not node.ready:
        node.check()
        assert time.monotonic() < end


def said_until(watcher: Client, last: str) -> list[str]:
    """Return what a node says, each message's type or, of itself, its state: up to and with this word."""
    said: list[str] = []
    while last not in said:
        heard = decode(watcher.expect(Publish).payload)
        said.append(heard.body.state if heard.type is MessageType.STATUS else heard.type.value)
    return said


def test_a_node_is_accepted_over_tls(tmp_path: Path) -> None:
    home = made_home(tmp_path, nodes=(NAME,))
    home.config_path.write_text(home.config_path.read_text().replace("tls = false", "tls = true"))
    assert CliRunner().invoke(main, ["cert", "server", "--home", str(home.path)]).exit_code == 0
    with Hub(home) as hub, node_of(home, hub.port, tmp_path, Tls(home.tls / "ca.pem")) as node:
        until_ready(node)


def test_a_node_whose_address_must_wait_comes_again_and_is_accepted(tmp_path: Path) -> None:
    home = made_home(tmp_path, "login_failures_free_max = 1\n", nodes=(NAME,))
    with Hub(home) as hub:
        codes = []
        while 3 not in codes:
            with Client(hub.port) as client:
                codes.append(client.connect(NAME, username=NAME, password=b"wrong").code)
        with node_of(home, hub.port, tmp_path) as node:
            until_ready(node)


def test_all_that_the_hub_said_of_itself_meanwhile_is_answered_by_one_hello(tmp_path: Path) -> None:
    """A broker keeps every STATUS for a node that is away: one for each two seconds of a night."""
    home = made_home(tmp_path, nodes=(NAME,))
    command = [sys.executable, "-m", "mqtt_hub", "broker", "--open", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as broker:
        try:
            assert broker.stdout is not None
            port = int(broker.stdout.readline().rsplit(":", 1)[1])
            with connected(port, "watcher") as watcher, connected(port, "hub") as hub:
                watcher.subscribe(("kernel/v1/hello/#", 1), (f"kernel/v1/status/{NAME}", 1))
                with node_of(home, port, tmp_path):
                    said_until(watcher, "HELLO")
                said_until(watcher, "disconnected")
                for _ in range(50):
                    hub.publish("kernel/v1/status/hub", encode(message(MessageType.STATUS, "hub")))
                share = encode(message(MessageType.PATTERN_SHARE, "AI_Node_2"))
                hub.publish("kernel/v1/pattern_share/AI_Node_2/page_replacement", share)
                with node_of(home, port, tmp_path) as node:
                    assert node.inbox.get(timeout=DEADLINE_S).type is MessageType.PATTERN_SHARE
                    said = said_until(watcher, "HELLO")  # what waited may come before the subscriptions' answer
                said += said_until(watcher, "disconnected")
            assert said.count("HELLO") == 1, said
        finally:
            broker.kill()


@pytest.mark.parametrize("name", ["missing.pem", "empty.pem"])
def test_an_authority_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.pem").touch()
    with pytest.raises(ConfigurationError, match=name):
        Tls(tmp_path / name).context()
