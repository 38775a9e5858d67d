"""Exactly once under every fault that one node and its hub can meet, in one process and with real sockets and files."""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_hub.archive.verify import verify
from mqtt_hub.home import Home
from mqtt_hub.hub import CollaborativeKernelHub
from mqtt_hub.protocol.bodies import Log, Progress
from mqtt_hub.protocol.table import MessageType
from tests.hub.harness import RunningHub, hub_on, make_home, until
from tests.node.proxy import MODES, Proxy
from tests.node.talk import KIND, Talker, heard_once
from trainers.node import Node
from trainers.node.telemetry import TELEMETRY_MESSAGES_MAX
from trainers.outbox import summary
from trainers.outbox_file import OutboxWaitError

NAME = "AI_Node_1"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", {NAME: "trainer"})


@pytest.fixture
def running(home: Home) -> Iterator[RunningHub]:
    with hub_on(home) as running:
        yield running


def sessions(running: RunningHub) -> list[int]:
    return [session for (session,) in running.rows("SELECT DISTINCT session FROM messages WHERE seq ORDER BY 1")]


# the outbox


def test_a_lost_outbox_uses_no_key_again(home: Home, running: RunningHub, tmp_path: Path) -> None:
    for start in range(3):
        with Talker(home, NAME, running.port, tmp_path / f"disk-{start}") as talker:  # a new disk each time
            talker.said = 5 * start
            talker.say(5)
            talker.until_all_is_receipted()
    heard_once(home, NAME, 15)
    assert sessions(running) == [1, 2, 3]


def test_a_disk_that_was_set_back_to_an_older_copy_uses_no_key_again(
    home: Home, running: RunningHub, tmp_path: Path
) -> None:
    place = tmp_path / "node"
    with Talker(home, NAME, running.port, place) as talker:
        talker.say(5)
        talker.until_all_is_receipted()
    copy = (place / "outbox.db").read_bytes()
    for start in (1, 2):
        (place / "outbox.db").write_bytes(copy)
        with Talker(home, NAME, running.port, place) as talker:
            talker.said = 5 * start
            talker.say(5)
            talker.until_all_is_receipted()
    heard_once(home, NAME, 15)
    assert sessions(running) == [1, 2, 3]


def test_an_outbox_damaged_before_the_start_is_set_aside_and_the_node_goes_on_in_a_new_session(
    home: Home, running: RunningHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "node"
    with Talker(home, NAME, running.port, place) as talker:
        talker.say(5)
        talker.until_all_is_receipted()
    (place / "outbox.db").write_bytes(b"noise " * 2000)
    with Talker(home, NAME, running.port, place) as talker:
        assert "the outbox was damaged" in caplog.text
        assert (place / "outbox.db.damaged-1").read_bytes() == b"noise " * 2000
        talker.said = 5
        talker.say(5)
        talker.until_all_is_receipted()
    heard_once(home, NAME, 10)
    assert sessions(running) == [1, 2]
    assert summary(place)["set_aside"] == 1


def spoil(path: Path) -> None:
    """Damage an outbox under a running node, so that its next statement meets it."""
    other = sqlite3.connect(path)
    other.execute("PRAGMA writable_schema = ON")
    other.execute("UPDATE sqlite_master SET sql = 'no words of SQL' WHERE name = 'parcels'")
    other.execute("PRAGMA schema_version = 99")
    other.commit()
    other.close()


def test_an_outbox_damaged_while_the_node_runs_is_set_aside_without_a_restart(
    home: Home, running: RunningHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "node"
    with Talker(home, NAME, running.port, place) as talker:
        talker.say(5)
        talker.until_all_is_receipted()
        spoil(place / "outbox.db")
        talker.say(5)
        talker.until_all_is_receipted()
        assert "the outbox was damaged" in caplog.text
        assert (place / "outbox.db.damaged-1").exists()
    heard_once(home, NAME, 10)
    assert sessions(running) == [1, 2]


def pragma(node: Node, words: str) -> None:
    node._mail._courier._outbox._db.execute(f"PRAGMA {words}")


def test_while_the_nodes_disk_refuses_the_search_waits_says_so_and_goes_on_when_it_is_mended(
    home: Home, running: RunningHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Talker(home, NAME, running.port, tmp_path / "node") as talker:
        talker.say(5)
        talker.until_all_is_receipted()
        pragma(talker.node, "query_only = ON")
        saying = threading.Thread(target=talker.say, args=(3,))
        saying.start()
        until(lambda: "waiting: " in caplog.text)
        assert saying.is_alive()
        pragma(talker.node, "query_only = OFF")
        saying.join(20)
        assert not saying.is_alive()
        assert "the outbox takes messages again" in caplog.text
        assert caplog.text.count("waiting: ") == 1
        talker.until_all_is_receipted()
    heard_once(home, NAME, 8)


def test_at_its_bound_the_outbox_makes_the_search_wait_until_receipts_come(
    home: Home, running: RunningHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Talker(home, NAME, running.port, tmp_path / "node") as talker:
        talker.say(1)
        talker.until_all_is_receipted()
        talker.node._mail._courier._outbox._bytes_max = 4096
        running.busy_timeout(20)
        holder = sqlite3.connect(home.archive_path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")  # the hub cannot commit
        saying = threading.Thread(target=talker.say, args=(40,))
        saying.start()
        until(lambda: "bytes wait for a receipt, at most 4096" in caplog.text)
        status = running.until(lambda status: status["state"] == "degraded")
        assert "locked" in status["reason"]
        assert saying.is_alive()
        holder.execute("ROLLBACK")
        holder.close()
        saying.join(30)
        assert not saying.is_alive()
        assert running.until(lambda status: status["state"] == "running")["reason"] == ""
        talker.until_all_is_receipted()
    heard_once(home, NAME, 41)


def test_a_node_that_is_told_to_stop_while_it_waits_stops(
    home: Home, running: RunningHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Talker(home, NAME, running.port, tmp_path / "node") as talker:
        pragma(talker.node, "query_only = ON")
        raised: list[OutboxWaitError] = []

        def say() -> None:
            try:
                talker.say()
            except OutboxWaitError as error:
                raised.append(error)

        saying = threading.Thread(target=say)
        saying.start()
        until(lambda: "waiting: " in caplog.text)
        talker.stopping.set()
        saying.join(20)
        assert len(raised) == 1
        pragma(talker.node, "query_only = OFF")


# telemetry


def test_telemetry_beyond_its_bound_drops_the_oldest_and_the_hub_shows_how_many(
    home: Home, running: RunningHub, tmp_path: Path
) -> None:
    with Proxy(running.port) as proxy, Talker(home, NAME, proxy.port, tmp_path / "node") as talker:
        talker.until(lambda: talker.node.ready)
        proxy.mode = "deaf"
        proxy.cut()
        talker.until(lambda: not talker.node.ready)
        for number in range(TELEMETRY_MESSAGES_MAX + 30):
            talker.node.tell(MessageType.LOG, Log("info", f"line {number}"))
        dropped = talker.node.dropped
        assert dropped >= 30
        proxy.mode = "whole"
        proxy.cut()
        talker.until(lambda: running.rows("SELECT 1 FROM messages WHERE payload LIKE '%line 285%'"))
        talker.node.tell(MessageType.PROGRESS, Progress(KIND, "", "wait", 0, 0.0, 0.0, dropped))
        talker.until(lambda: running.status()["telemetry_dropped"] == dropped)
        assert running.rows("SELECT count(*) FROM messages WHERE payload LIKE '%line 29\"%'") == [(0,)]


# the network


@pytest.mark.parametrize("mode", MODES[1:])
def test_through_a_network_that_is(mode: str, home: Home, running: RunningHub, tmp_path: Path) -> None:
    """Deaf, short or double: the node goes on talking and everything arrives once."""
    with Proxy(running.port) as proxy, Talker(home, NAME, proxy.port, tmp_path / "node") as talker:
        talker.say(10)
        talker.until(lambda: talker.node.ready)
        for _ in range(2):
            proxy.mode = mode
            proxy.cut()
            taken = proxy.taken
            talker.say(10)
            talker.until(lambda taken=taken: proxy.taken > taken)  # type: ignore[misc]
            talker.say(10)
            proxy.mode = "whole"
            proxy.cut()
            talker.say(10)
            talker.until_all_is_receipted()
    heard_once(home, NAME, 70)
    assert verify(home.archive_path).faults == []


@pytest.mark.long
def test_through_a_network_that_changes_at_random(home: Home, running: RunningHub, tmp_path: Path) -> None:
    rng = random.Random(5)
    with Proxy(running.port, seed=5) as proxy, Talker(home, NAME, proxy.port, tmp_path / "node") as talker:
        for _ in range(6):
            proxy.mode = rng.choice(MODES)
            if rng.random() < 0.7:
                proxy.cut()
            talker.say(rng.randrange(1, 60))
            end = time.monotonic() + rng.random()
            talker.until(lambda end=end: time.monotonic() > end)  # type: ignore[misc]
        proxy.mode = "whole"
        proxy.cut()
        talker.until_all_is_receipted()
        said = talker.said
    heard_once(home, NAME, said)


# the clock


def test_a_clock_set_back_on_both_sides_loses_and_doubles_nothing(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead_s = 0.0

    def clock() -> float:
        return time.time() + ahead_s

    def with_clock(home: Home, config: object) -> CollaborativeKernelHub:
        return CollaborativeKernelHub(home, config, clock=clock)  # type: ignore[arg-type]

    monkeypatch.setattr("tests.hub.harness.CollaborativeKernelHub", with_clock)
    with hub_on(home) as running, Talker(home, NAME, running.port, tmp_path / "node", clock=clock) as talker:
        for jump_s in (0.0, 86_400.0, -400 * 86_400.0, 3_600.0, -1.0):
            ahead_s += jump_s
            talker.say(10)
            talker.until_all_is_receipted()
            assert running.status()["state"] == "running"
    heard_once(home, NAME, 50)
    assert verify(home.archive_path).faults == []


# the broker


def test_a_broker_that_has_forgotten_everything_costs_nothing(home: Home, tmp_path: Path) -> None:
    """Sessions, retained messages, subscriptions are gone: the archive and the outbox are all that counts."""
    with hub_on(home) as running:
        port = running.port
        talker = Talker(home, NAME, port, tmp_path / "node")
        talker.say(10)
        talker.until_all_is_receipted()
    talker.say(10)
    for path in home.path.glob("broker.db*"):
        path.unlink()
    home.config_path.write_text(home.config_path.read_text().replace("\nport = 0 ", f"\nport = {port} "))
    with hub_on(home):
        talker.say(10)
        talker.until_all_is_receipted()
        talker.stop()
    heard_once(home, NAME, 30)
