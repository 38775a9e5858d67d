"""The Unix socket: the same broker, for this user's programs alone."""

from __future__ import annotations

import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_hub.broker import HubBroker
from mqtt_hub.protocol.errors import ConfigurationError
from tests.broker.harness import OPEN, Client, connected, serving
from tests.hub.processes import Hub, made_home


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:  # short: the system takes 107 bytes
        yield Path(directory) / "mqtt.sock"


def test_messages_pass_between_unix_socket_and_port_and_the_socket_is_for_its_owner(path: Path) -> None:
    with serving(lambda: HubBroker(OPEN, unix_socket=path)) as running:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with connected(path, "near") as near, connected(running.port, "far") as far:
            near.subscribe(("a", 1))
            far.publish("a", b"hello")
            assert [message.payload for message in near.messages()] == [b"hello"]
            assert running.counters()["connections"] == 2
    assert not path.exists()


def test_what_a_killed_hub_left_behind_does_not_stop_the_next_and_accounts_hold_there_too(path: Path) -> None:
    home = made_home(path.parent, nodes=("AI_Node_1",))
    settings = home.config_path.read_text().replace('unix_socket = ""', 'unix_socket = "../mqtt.sock"')
    home.config_path.write_text(settings)
    token = home.token("AI_Node_1").encode()
    for _ in range(2):
        with Hub(home):
            with connected(path, "AI_Node_1", username="AI_Node_1", password=token) as node:
                assert node.subscribe(("kernel/v1/receipt/hub/AI_Node_1", 1)) == (1,)
            with Client(path) as stranger:
                assert stranger.connect("AI_Node_1", username="AI_Node_1", password=b"wrong").code == 5
        assert path.exists(), "it was killed"


@pytest.mark.parametrize("taken", ["a file", "a listener", "too long"])
def test_a_path_that_cannot_be_listened_on_is_told_and_left_as_it_is(path: Path, taken: str) -> None:
    other = socket.socket(socket.AF_UNIX)
    if taken == "a file":
        path.write_text("a diary")
    elif taken == "a listener":
        other.bind(str(path))
        other.listen()
    else:
        path = path.with_name("x" * 120)
    with pytest.raises(ConfigurationError, match=path.name), serving(lambda: HubBroker(OPEN, unix_socket=path)):
        pass
    assert path.exists() == (taken != "too long")
    other.close()
