"""A newer version: its migrations survive kill -9, nodes that run lose nothing, the old one refuses the file."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mqtt_hub.archive.schema import MIGRATIONS, open_archive
from mqtt_hub.archive.verify import verify
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import ArchiveError
from mqtt_hub.protocol.table import MessageType
from tests.hub.archives import Archive
from tests.hub.entries import accepted, hello
from tests.hub.harness import DEADLINE_S, make_home, until
from tests.node.talk import Talker

NAME = "AI_Node_1"

# Tomorrow's schema: it changes every message, in a transaction that a test stops in the middle.
TOMORROW = """
import sys
from mqtt_hub.archive import schema

@schema.MIGRATIONS()
def m9000_tomorrow(db):
    db.table("messages").add_column("mood", str)
    db.execute("UPDATE messages SET mood = 'good'")
    db.table("moods").create({"id": int, "mood": str}, pk="id")
    if sys.argv[1:2] == ["--stop-in-the-middle"]:
        print("in the middle", flush=True)
        sys.stdin.read()
"""
OPEN = TOMORROW + "schema.open_archive(__import__('pathlib').Path(sys.argv[2])).close()\n"
SERVE = TOMORROW + "from mqtt_hub.cli import main\nmain()\n"


@contextmanager
def running(program: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


def killed_in_the_middle(path: Path) -> None:
    with running(OPEN, "--stop-in-the-middle", str(path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in the middle\n"
        process.kill()


def test_a_migration_killed_in_the_middle_has_not_happened_and_happens_at_the_next_start(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive.db")
    archive.commit(hello(NAME, session=3), *(accepted(MessageType.PATTERN_SHARE, seq=seq) for seq in range(1, 301)))
    archive.writer.advance({(NAME, 3): 300})
    before = archive.rows("SELECT * FROM messages")
    archive.db.close()
    for _ in range(2):
        killed_in_the_middle(archive.path)
        db = open_archive(archive.path)  # today's version still can: nothing of tomorrow is in it
        assert db.execute("SELECT * FROM messages").fetchall() == before
        db.close()
        assert verify(archive.path).faults == []
    with running(OPEN, "--to-the-end", str(archive.path)) as process:
        assert process.wait(DEADLINE_S) == 0, process.stderr and process.stderr.read()
    with pytest.raises(ArchiveError, match=r"newer version \(it knows m9000_tomorrow"):
        open_archive(archive.path)
    assert rows_of(archive.path, "SELECT mood, count(*) FROM messages GROUP BY 1") == [("good", 301)]


def test_a_first_start_killed_before_its_schema_was_whole_is_made_whole_by_the_next(tmp_path: Path) -> None:
    killed_in_the_middle(tmp_path / "archive.db")
    db = open_archive(tmp_path / "archive.db")
    assert {migration.name for migration in MIGRATIONS.applied(db)} == {one.name for one in MIGRATIONS._migrations}
    db.close()
    assert verify(tmp_path / "archive.db").faults == []


def rows_of(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    found = connection.execute(sql).fetchall()
    connection.close()
    return found


class Served:
    """A hub of today or tomorrow in a process of its own."""

    def __init__(self, home: Home, port: int, *, program: str = "from mqtt_hub.cli import main; main()") -> None:
        home.port_path.unlink(missing_ok=True)
        words = ["serve", "--home", str(home.path), "--port", str(port), "--log-file", str(home.path / "hub.log")]
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *words], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: home.port_path.exists() or self.process.poll() is not None, lambda: home.path / "hub.log")
        self.port = home.running_port()

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.wait(DEADLINE_S)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_hub_is_upgraded_while_a_node_goes_on_and_nothing_is_lost_or_doubled(
    tmp_path: Path, end: signal.Signals
) -> None:
    home = make_home(tmp_path / "home", {NAME: "trainer"})
    hub = Served(home, 0)
    try:
        with Talker(home, NAME, hub.port, tmp_path / "node") as talker:
            talker.say(20)
            talker.until_all_is_receipted()
            hub.end(end)
            talker.say(20)
            hub = Served(home, hub.port, program=SERVE)
            talker.say(20)
            talker.until_all_is_receipted()
        heard_once_tomorrow(home)
    finally:
        hub.end(signal.SIGKILL)


def heard_once_tomorrow(home: Home) -> None:
    """What was there before was migrated, what came after was stored by the new version, and each is there once."""
    found = rows_of(home.archive_path, "SELECT mood, count(*) FROM messages WHERE seq GROUP BY 1 ORDER BY 1")
    assert found == [(None, 40), ("good", 20)]
    expressions = rows_of(home.archive_path, "SELECT expression FROM patterns ORDER BY id")
    assert expressions == [(f"n{number}",) for number in range(1, 61)]
