"""`archive verify` finds every kind of damage that is planted, and nothing in a sound archive."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from mqtt_hub.archive.verify import CHECKS, verify
from mqtt_hub.cli import main
from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.intake import Accepted
from mqtt_hub.protocol.errors import ArchiveError
from mqtt_hub.protocol.table import MessageType
from tests.hub.archives import Archive
from tests.hub.entries import LATER, accepted, digest, hello, rejected, result_on, source

A, B, V = "AI_Node_1", "AI_Node_2", "Validator_1"
NAMES = {"a": A, "b": B, "v": V, "c3": digest(3), "c4": digest(4)}


def filled(path: Path) -> Path:
    """Make an archive in which something of everything was said, by two trainers and a validator."""
    archive = Archive(path)
    good = accepted(MessageType.OS_COMPONENT_SHARE, A, seq=4, source=source(3), parents=(digest(2),))
    bad = accepted(MessageType.OS_COMPONENT_SHARE, B, session=2, seq=2, source=source(4))
    archive.commit(
        hello(A, session=3),
        hello(B, session=2),
        hello(V, session=1, role="validator"),
        accepted(MessageType.PATTERN_SHARE, A, seq=1),
        accepted(MessageType.CODE_SHARE, A, seq=2, source=source(1)),
        accepted(MessageType.CODE_SHARE, B, session=2, seq=1, source=source(2), parents=(digest(1),)),
        rejected(A, b"not quite", session=3, seq=3),
        rejected(A, b"not at all"),
        good,
        bad,
        accepted(MessageType.PROGRESS, A),
        accepted(MessageType.LOG, A),
    )
    asked = {"correlation_id": f"{A}.1"}
    archive.commit(
        result_on(good, V, session=1, seq=1),
        result_on(bad, V, session=1, seq=2, verdict="rejected"),
        accepted(MessageType.COLLABORATION_REQUEST, A, seq=5, envelope=asked),
        accepted(MessageType.COLLABORATION_RESPONSE, B, session=2, seq=3, to=A, envelope=asked, at=LATER),
    )
    archive.writer.advance({(A, 3): 5, (B, 2): 3, (V, 1): 2})
    archive.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    archive.db.close()
    return path


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return filled(tmp_path_factory.mktemp("sound") / "archive.db").read_bytes()


@pytest.fixture
def path(tmp_path: Path, sound: bytes) -> Path:
    path = tmp_path / "archive.db"
    path.write_bytes(sound)
    return path


def change(*statements: str) -> Callable[[Path], None]:
    """Return damage done with SQL, as somebody does who opens the file with a browser."""

    def damage(path: Path) -> None:
        with sqlite3.connect(path) as connection:
            for statement in statements:
                changed = connection.execute(statement, NAMES).rowcount
                assert changed != 0, f"{statement} changed nothing"
        connection.close()

    return damage


def spoil_a_page_of(table: str) -> Callable[[Path], None]:
    """Return damage as a failing disk does it: one page of a table or index is noise."""

    def damage(path: Path) -> None:
        connection = sqlite3.connect(path)
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.close()
        data = bytearray(path.read_bytes())
        data[(page - 1) * size : page * size] = bytes((n * 37) % 251 for n in range(size))
        path.write_bytes(data)

    return damage


DAMAGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a page of messages is noise": ("file", spoil_a_page_of("messages")),
    "an index is noise": ("file", spoil_a_page_of("idx_messages_type")),
    "an index is gone": ("schema", change("DROP INDEX idx_messages_node_session_seq")),
    "a view is gone": ("schema", change("DROP VIEW leaderboard")),
    "a table has another column": ("schema", change("ALTER TABLE code ADD COLUMN mood TEXT")),
    "somebody's trigger": (
        "schema",
        change("CREATE TRIGGER t AFTER INSERT ON code BEGIN DELETE FROM code; END"),
    ),
    "a node is gone": ("references", change("DELETE FROM nodes WHERE name = :b")),
    "a program's message is gone": ("references", change("DELETE FROM messages WHERE type = 'CODE_SHARE'")),
    "lineage of nobody": ("references", change("UPDATE lineage SET node = 99")),
    "a key twice": (
        "keys",
        change(
            "DROP INDEX idx_messages_node_session_seq",
            "INSERT INTO messages (node, session, seq, type, received_at, payload)"
            " SELECT node, session, seq, type, received_at, payload FROM messages WHERE type = 'PATTERN_SHARE'",
        ),
    ),
    "accepted and rejected under one key": ("keys", change("UPDATE rejected SET seq = 2 WHERE seq = 3")),
    "there and pruned": (
        "keys",
        change(
            "INSERT INTO pruned (node, session, first, last) SELECT node, session, 1, 1 FROM messages WHERE seq = 1"
        ),
    ),
    "a session is gone": ("sessions", change("DELETE FROM sessions WHERE session = 3")),
    "a session that was never granted": ("sessions", change("UPDATE nodes SET session = 1 WHERE name = :a")),
    "a message is gone": ("gaps", change("DELETE FROM messages WHERE type = 'CODE_SHARE' AND session = 3")),
    "a rejected message is gone": ("gaps", change("DELETE FROM rejected WHERE seq = 3")),
    "more is said to be committed than there is": ("gaps", change("UPDATE sessions SET upto = 9 WHERE session = 3")),
    "another sender": ("envelopes", change("UPDATE messages SET payload = replace(payload, :a, 'AI_Node_7')")),
    "another type": ("envelopes", change("UPDATE messages SET type = 'LOG' WHERE type = 'PATTERN_SHARE'")),
    "no JSON": ("envelopes", change("UPDATE messages SET payload = 'x' WHERE type = 'PATTERN_SHARE'")),
    "a gain is larger than was said": ("knowledge", change("UPDATE best_patterns SET gain = 99")),
    "a best pattern that nobody has told": (
        "knowledge",
        change("INSERT INTO best_patterns (kind, function, expression, gain) VALUES ('k', 'f', 'x', 1)"),
    ),
    "a best pattern is forgotten": ("knowledge", change("DELETE FROM best_patterns")),
    "a component has another source": ("knowledge", change("UPDATE components SET source = 'better'")),
    "a parent is denied": ("knowledge", change("DELETE FROM lineage WHERE component = :c3")),
    "a parent is made up": (
        "knowledge",
        change("INSERT INTO lineage SELECT component, :c4, kind, node FROM lineage LIMIT 1"),
    ),
    "a hidden score is better": ("knowledge", change("UPDATE hidden_scores SET value = 1")),
    "a collaboration is gone": ("knowledge", change("DELETE FROM collaborations")),
    "a help is credited to another": (
        "knowledge",
        change("UPDATE collaboration_answers SET helper = (SELECT id FROM nodes WHERE name = :v)"),
    ),
    "another is said to have told of it first": (
        "knowledge",
        change("UPDATE discoveries SET node = (SELECT id FROM nodes WHERE name = :v)"),
    ),
    "a submission is gone": ("knowledge", change("DELETE FROM submissions WHERE component = :c4")),
    "accepted by nobody": (
        "verdicts",
        change("UPDATE submissions SET verdict = 'accepted' WHERE component = :c4"),
    ),
    "accepted with another digest": ("verdicts", change("UPDATE submissions SET digest = 'x'")),
    "shown as accepted": ("verdicts", change("UPDATE components SET verdict = 'accepted' WHERE id = :c4")),
    "an author is added": ("verdicts", change("INSERT INTO component_authors VALUES (:c3, 'Somebody')")),
    "a C source of nobody": ("verdicts", change("UPDATE components SET c_source = 'int main;' WHERE id = :c3")),
    "trust without a deed": ("trust", change("UPDATE trust SET improvements = 9")),
    "a deed is forgotten": ("trust", change("DELETE FROM trust_events")),
    "a deed that there is not": ("trust", change("UPDATE trust_events SET deed = 'bravery'")),
    "messages are counted too low": ("states", change("UPDATE totals SET messages = 0 WHERE type = 'CODE_SHARE'")),
    "work of another is denied": ("knowledge", change("DELETE FROM imports")),
    "a node was better than it told": ("knowledge", change("UPDATE progress SET best = 9")),
    "completed without an answer": ("states", change("DELETE FROM collaboration_answers")),
    "open with an answer": ("states", change("UPDATE collaborations SET state = 'open'")),
}


def test_a_sound_archive_has_no_fault(path: Path) -> None:
    report = verify(path)
    assert report.faults == []
    assert (report.messages, report.rejected, report.pruned, report.open_gaps) == (14, 2, 0, [])


@pytest.mark.parametrize("name", list(DAMAGES))
def test_planted_damage_is_found(path: Path, name: str) -> None:
    check, damage = DAMAGES[name]
    damage(path)
    report = verify(path)
    assert check in {fault.check for fault in report.faults}, report.faults
    assert all(fault.facts and "\n" not in fault.facts for fault in report.faults)


def test_every_check_has_damage_that_it_finds() -> None:
    assert {check for check, _damage in DAMAGES.values()} == set(CHECKS)
    assert len(CHECKS) == 11


def patterns(*seqs: int) -> list[Accepted]:
    return [accepted(MessageType.PATTERN_SHARE, A, session=1, seq=seq) for seq in seqs]


def test_what_is_still_on_its_way_is_no_fault(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive.db")
    archive.commit(
        hello(A, session=1), *(accepted(MessageType.PATTERN_SHARE, A, session=1, seq=n) for n in (1, 2, 5, 9))
    )
    archive.writer.advance({(A, 1): 2})
    report = verify(archive.path)
    assert report.ok
    assert report.open_gaps == [f"{A} session 1: 3..4", f"{A} session 1: 6..8"]
    archive.db.close()


def test_many_faults_of_one_kind_are_told_up_to_a_bound(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive.db")
    archive.commit(
        hello(A, session=1), *(accepted(MessageType.PATTERN_SHARE, A, session=1, seq=n) for n in range(1, 301))
    )
    archive.db.execute("UPDATE messages SET sent_at = 'never'")
    archive.db.close()
    report = verify(tmp_path / "archive.db")
    assert len(report.faults) == 101
    assert report.faults[-1].facts == "... and more"


def test_whoever_waits_is_told_which_check_runs(tmp_path: Path, sound: bytes) -> None:
    (tmp_path / "archive.db").write_bytes(sound)
    begun: list[str] = []
    verify(tmp_path / "archive.db", begin=begun.append)
    assert begun == list(CHECKS)


def test_a_file_that_is_no_archive_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "diary").write_bytes(b"a diary, not a database. " * 400)
    for name, words in (("diary", "not a database"), ("nothing", "no archive there")):
        with pytest.raises(ArchiveError, match=words):
            verify(tmp_path / name)


def test_the_command_says_ok_or_names_the_faults_and_ends_with_5(tmp_path: Path, sound: bytes) -> None:
    home = Home(tmp_path / "home")
    home.create(Config(port=0))
    home.archive_path.write_bytes(sound)

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["archive", "verify", "--home", str(home.path), *words])
        return done.exit_code, done.output

    assert run() == (0, "14 messages, 2 rejected, 0 pruned\nok\n")
    change("UPDATE best_patterns SET gain = 99")(home.archive_path)
    code, output = run()
    assert code == 5
    assert "! knowledge: best_patterns: page_replacement: on_hit is not what its message says\n1 faults\n" in output
    code, output = run("--json")
    assert code == 5
    assert '"ok":false' in output
    assert run("--file", str(tmp_path / "other"))[0] == 5
