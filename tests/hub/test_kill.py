"""kill -9 of a real hub at any moment: what it has acknowledged is there when it is back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mqtt_hub.broker.packets import Connack, Puback, Publish
from tests.broker.harness import Client, ClosedError
from tests.hub.processes import Hub, made_home

TOPIC = "kernel/v1/code_share/AI_Node_1/page_replacement"
FILTER = ("kernel/v1/code_share/+/page_replacement", 1)
ROUND_MESSAGES = 400


def returned(hub: Hub, name: str) -> Client:
    """Return a client whose session was there before."""
    client = Client(hub.port)
    token = hub.home.token(name).encode()
    assert client.connect(name, clean=False, username=name, password=token) == Connack(session_present=True, code=0)
    return client


def flood_until_killed(hub: Hub, first: int, kill_after: int) -> set[int]:
    """Publish numbers, kill the hub after some acknowledgements; return the numbers that were acknowledged."""
    acknowledged: set[int] = set()
    with hub.client("AI_Node_1") as writer:
        writer.send(
            *[Publish(TOPIC, b"%d" % (first + n), 1, packet_id=n + 1) for n in range(ROUND_MESSAGES)],
        )
        try:
            while True:
                acknowledged.add(first + writer.expect(Puback).packet_id - 1)
                if len(acknowledged) == kill_after:
                    hub.running.kill()
        except ClosedError:
            hub.kill()
    return acknowledged


def test_nothing_acknowledged_is_lost_to_a_session_that_is_away(tmp_path: Path) -> None:
    home = made_home(tmp_path, nodes=("AI_Node_1", "AI_Node_2"))
    with Hub(home) as hub:
        with hub.client("AI_Node_2", clean=False) as reader:
            assert reader.subscribe(FILTER) == (1,)
        acknowledged = flood_until_killed(hub, 0, 20)
    for number in (1, 2):
        with Hub(home) as hub:
            acknowledged |= flood_until_killed(hub, number * ROUND_MESSAGES, 50 * number)
    assert len(acknowledged) >= 20 + 50 + 100
    with Hub(home) as hub, returned(hub, "AI_Node_2") as reader:
        got: list[int] = []
        while not acknowledged <= set(got):
            message = reader.expect(Publish)
            got.append(int(message.payload))
            reader.send(Puback(message.packet_id))
        assert got == sorted(got), "in order"
        assert len(got) == len(set(got)), "none was sent twice by its publisher, so none comes twice"


def test_what_was_in_flight_comes_again_with_dup_and_retained_status_is_there(tmp_path: Path) -> None:
    home = made_home(tmp_path, nodes=("AI_Node_1", "AI_Node_2"))
    with (
        Hub(home) as hub,
        hub.client("AI_Node_1") as writer,
        hub.client("AI_Node_2", clean=False) as reader,
    ):
        assert reader.subscribe(FILTER) == (1,)
        writer.publish(TOPIC, b"in flight")
        first = reader.expect(Publish)
        writer.publish("kernel/v1/status/AI_Node_1", b"ready", retain=True)
        hub.kill()
    with Hub(home) as hub, returned(hub, "AI_Node_2") as reader:
        assert reader.expect(Publish) == first._replace(dup=True)
        with hub.client("observer") as observer:
            observer.subscribe(("kernel/v1/status/AI_Node_1", 1))
            assert observer.expect(Publish).payload == b"ready"
        assert hub.terminate() == 0
    with Hub(home) as hub, returned(hub, "AI_Node_2") as reader:
        assert reader.expect(Publish) == first._replace(dup=True), "after an orderly stop as well"


def test_a_damaged_state_file_is_one_line_with_a_hint(tmp_path: Path) -> None:
    home = made_home(tmp_path)
    home.broker_path.write_bytes(b"no database " * 1000)
    command = [sys.executable, "-m", "mqtt_hub", "serve", "--home", str(home.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 5
    assert "Traceback" not in done.stderr
    assert "broker.db" in done.stderr
    assert "move it away" in done.stderr
