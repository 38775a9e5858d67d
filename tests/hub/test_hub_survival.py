"""What the hub does when the disk refuses, when it is stopped, killed or started again: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.hub import CollaborativeKernelHub
from mqtt_hub.protocol.bodies import SessionReceipt
from mqtt_hub.protocol.errors import ArchiveError, ConfigurationError
from mqtt_hub.protocol.table import MessageType
from tests.hub.entries import source
from tests.hub.harness import DEADLINE_S, RawClient, RunningHub, hub_on, make_home, rows, until

A, B = "AI_Node_1", "AI_Node_2"
PATTERN = MessageType.PATTERN_SHARE
KEYS = "SELECT session, seq FROM messages WHERE seq IS NOT NULL ORDER BY session, seq"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", {A: "trainer", B: "trainer"})


@contextmanager
def held(home: Home) -> Iterator[None]:
    """Hold the archive's write lock, as another program does."""
    other = sqlite3.connect(home.archive_path, isolation_level=None, timeout=DEADLINE_S)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


# a disk that refuses


def test_while_the_archive_is_locked_nothing_is_acknowledged_or_receipted_and_afterwards_nothing_is_missing(
    home: Home,
) -> None:
    with hub_on(home) as running, RawClient(running, A) as a, RawClient(running, B) as b:
        running.busy_timeout(20)
        a.greet()
        a.say(PATTERN, seq=1)
        a.receipt(1)
        with held(home):
            sent = [a.say(PATTERN, seq=seq) for seq in range(2, 12)]
            b.say(MessageType.HELLO, role="trainer", session=1)
            a.expect(MessageType.STATUS, lambda status: orjson.loads(status.hub)["state"] == "degraded")
            assert running.status()["state"] == "degraded"
            assert not any(info.is_published() for info in sent)
            assert a.heard(MessageType.RECEIPT) == []
            assert b.heard(MessageType.TRAINING_SYNC) == []
            assert running.rows(KEYS) == [(1, 1)]
        assert a.receipt(11).committed == SessionReceipt(1, 11, 11)
        for info in sent:
            info.wait_for_publish(DEADLINE_S)
        assert b.expect(MessageType.TRAINING_SYNC).body.accepted
        assert running.rows(KEYS) == [(1, seq) for seq in range(1, 12)]
        running.until(lambda status: status["state"] == "running")


def test_a_full_disk_degrades_the_hub_and_room_mends_it_without_a_restart(home: Home) -> None:
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet()
        pages = running.hub._db.execute("PRAGMA page_count").fetchone()[0]
        running.hub._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        sent = [a.say(MessageType.CODE_SHARE, seq=seq, source="x" * 8000 + source(seq)) for seq in range(1, 11)]
        running.until(lambda status: status["state"] == "degraded")
        assert not sent[-1].is_published()
        running.hub._db.execute("PRAGMA max_page_count = 1000000")
        a.receipt(10)
        assert running.rows("SELECT count(*) FROM code") == [(10,)]
        running.until(lambda status: status["state"] == "running")


def test_a_revoked_node_is_shut_out_also_while_the_disk_hangs(home: Home) -> None:
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet()
        running.busy_timeout(3_600_000)
        with held(home):
            a.say(PATTERN, seq=1)
            subprocess.run(
                [sys.executable, "-m", "mqtt_hub", "node", "revoke", A, "--home", str(home.path)],
                check=True, capture_output=True, timeout=60,
            )  # fmt: skip
            until(lambda: a.disconnected)
            assert running.rows(KEYS) == []


def test_a_hub_that_is_stopped_while_the_disk_refuses_ends_and_its_senders_send_again(home: Home) -> None:
    with hub_on(home) as running, RawClient(running, A) as a:
        running.busy_timeout(20)
        a.greet()
        with held(home):
            info = a.say(PATTERN, seq=1)
            running.until(lambda status: status["state"] == "degraded")
            asyncio.run_coroutine_threadsafe(running.hub.stop(), running._loop).result(DEADLINE_S)
            assert not info.is_published()
            running.hub._tasks.clear()
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet()
        a.say(PATTERN, seq=1)
        a.receipt(1)


# restarts


def test_after_a_restart_sessions_go_on_and_old_duplicates_are_still_known(home: Home) -> None:
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet(session=4)
        a.say(PATTERN, seq=1, session=2)  # of a session that never was greeted
        for seq in (1, 2, 3, 5):
            a.say(PATTERN, seq=seq)
        a.expect(MessageType.RECEIPT, lambda receipt: receipt.committed.highest == 5)
    with hub_on(home) as running, RawClient(running, A) as a:
        sync = a.greet(session=4)
        assert sync.session == 4
        assert [(receipt.session, receipt.upto, receipt.highest) for receipt in sync.receipts] == [(4, 3, 5), (2, 1, 1)]
        a.say(PATTERN, seq=2)
        a.receipt(3)
        a.say(PATTERN, seq=4)
        assert a.receipt(5).committed == SessionReceipt(4, 5, 5)
        assert running.rows(KEYS) == [(2, 1), (4, 1), (4, 2), (4, 3), (4, 4), (4, 5)]
        assert running.rows("SELECT count(*) FROM patterns") == [(6,)]
        assert running.status()["messages"]["by_type"]["PATTERN_SHARE"] == 6


def test_after_a_restart_a_new_start_of_a_node_gets_a_session_that_was_never_used(home: Home) -> None:
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet(session=4)
    with hub_on(home) as running, RawClient(running, A) as a:
        assert a.greet(session=1, instance="another").session == 5
        assert running.rows("SELECT session FROM nodes WHERE name = 'hub'") == [(2,)]


def test_a_hub_that_stops_says_good_bye_and_nobody_is_connected_when_it_starts(home: Home) -> None:
    with hub_on(home) as running:
        watcher = RawClient(running, B)
        with watcher, RawClient(running, A) as a:
            a.greet()
            a.say(MessageType.STATUS).wait_for_publish(DEADLINE_S)
            asyncio.run_coroutine_threadsafe(running.hub.stop(), running._loop).result(DEADLINE_S)
            watcher.expect(MessageType.STATUS, lambda status: status.state == "disconnected")
            running.hub._tasks.clear()
    with hub_on(home) as running:
        assert running.status()["connected_nodes"] == {}
        assert rows(home, "SELECT state FROM nodes WHERE name = ?", A) == [("lost",)]


def test_a_hub_that_is_told_to_stop_stops_though_publishers_never_pause(home: Home) -> None:
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet()
        over = threading.Event()

        def flood() -> None:
            seq = 0
            while not over.is_set():
                seq += 1
                info = a.say(PATTERN, seq=seq)
                if seq % 50 == 0 and not a.disconnected:
                    info.wait_for_publish(1)

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            a.receipt(100)
            asyncio.run_coroutine_threadsafe(running.hub.stop(), running._loop).result(DEADLINE_S)
        finally:
            over.set()
            flooding.join(DEADLINE_S)
        receipted = max(message.body.committed.upto for message in a.heard(MessageType.RECEIPT))
        running.hub._tasks.clear()
    assert receipted <= rows(home, "SELECT count(*) FROM messages WHERE type = 'PATTERN_SHARE'")[0][0]
    assert rows(home, "PRAGMA quick_check") == [("ok",)]


def test_two_starts_on_one_port_give_one_clear_error_and_leave_the_archive_free(home: Home) -> None:
    with hub_on(home) as running:

        async def second() -> None:
            hub = CollaborativeKernelHub(home, Config(port=running.port))
            try:
                await hub.start()
            finally:
                await hub.stop()

        with pytest.raises(ConfigurationError, match="cannot listen"):
            asyncio.run(second())


def test_an_archive_that_is_locked_at_the_start_is_one_clear_error(home: Home) -> None:
    path = home.archive_path
    path.unlink()
    path.write_bytes(b"a diary, not a database. " * 400)
    with pytest.raises(ArchiveError, match="not a database"):
        CollaborativeKernelHub(home, Config(port=0))


# the real process


class Served:
    """``python -m mqtt_hub serve`` on a home."""

    def __init__(self, home: Home, *options: str) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mqtt_hub", "serve", "--home", str(home.path), "--port", "0", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def port(self) -> int:
        until(lambda: self.home.port_path.exists() or self.process.poll() is not None)
        return int(self.home.port_path.read_text())

    def end(self) -> tuple[int, str]:
        """Wait for its end; return exit code and what it said on standard error."""
        _, errors = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, errors.decode()


@contextmanager
def served(home: Home, *options: str) -> Iterator[Served]:
    hub = Served(home, *options)
    try:
        yield hub
    finally:
        hub.process.kill()
        hub.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_served_hub_ends_cleanly_when_it_is_told_to(home: Home, number: signal.Signals) -> None:
    with served(home) as hub, socket.create_connection(("127.0.0.1", hub.port()), DEADLINE_S):
        hub.process.send_signal(number)
        code, errors = hub.end()
    assert code == 0, errors
    assert "Traceback" not in errors
    assert errors.rstrip().endswith("hub stopped")
    assert not home.port_path.exists()
    assert not home.archive_path.with_name("archive.db-wal").exists()  # closed, not cut off
    with home.locked():
        assert rows(home, "SELECT payload LIKE '%disconnected%' FROM messages ORDER BY id DESC LIMIT 1") == [(1,)]


def test_a_second_hub_on_the_same_home_and_one_on_a_taken_port_end_with_one_line(home: Home, tmp_path: Path) -> None:
    other = make_home(tmp_path / "other")
    with served(home) as first:
        port = first.port()
        with served(home) as second:
            code, errors = second.end()
        assert code == 2
        assert errors.startswith(f"Error: a hub is already running on {home.path} (")
        assert errors.count("\n") == 1
        with served(other, "--port", str(port)) as third:
            code, errors = third.end()
        assert code == 2
        assert f"cannot listen on 127.0.0.1:{port}" in errors
        assert "Traceback" not in errors
        assert first.process.poll() is None
        assert not other.port_path.exists()


def test_a_hub_killed_at_once_has_lost_nothing_that_it_acknowledged(home: Home) -> None:
    with served(home) as hub:
        running = _Elsewhere(home, hub.port())
        with RawClient(running, A) as a:  # type: ignore[arg-type]
            a.greet()
            for seq in range(1, 41):
                a.say(PATTERN, seq=seq)
            a.receipt(5)
            hub.process.kill()
            hub.process.wait(DEADLINE_S)
            until(lambda: a.disconnected)
            upto = max([5, *(message.body.committed.upto for message in a.heard(MessageType.RECEIPT))])
    with hub_on(home) as running_again, RawClient(running_again, A) as a:
        (committed,) = a.greet().receipts
        assert committed.upto >= upto
        for seq in range(1, 41):
            a.say(PATTERN, seq=seq)
        assert a.receipt(40).committed == SessionReceipt(1, 40, 40)
        assert running_again.rows(KEYS) == [(1, seq) for seq in range(1, 41)]
        assert running_again.rows("SELECT count(*) FROM patterns") == [(40,)]


class _Elsewhere:
    """A hub in another process, as far as a client needs to know it."""

    def __init__(self, home: Home, port: int) -> None:
        self.home, self.port = home, port


def test_the_log_of_a_hub_shows_no_token(home: Home) -> None:
    with served(home) as hub:
        running: RunningHub = _Elsewhere(home, hub.port())  # type: ignore[assignment]
        with RawClient(running, A, token="not-the-token") as a:
            assert a.code != 0
        with RawClient(running, A) as a:
            a.greet()
            a.publish("kernel/v1/hello/other", home.token(A).encode()).wait_for_publish(DEADLINE_S)
        hub.process.send_signal(signal.SIGTERM)
        _, errors = hub.end()
    for name in (A, B, "hub", "observer"):
        assert home.token(name) not in errors
    assert "not-the-token" not in errors
