"""Retention and backup: what must be kept is kept, what goes leaves its keys, and `verify` finds both sound."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.archive.backup import backup
from mqtt_hub.archive.prune import prune, shrink
from mqtt_hub.archive.verify import verify
from mqtt_hub.cli import main
from mqtt_hub.home import Home
from mqtt_hub.intake import Accepted
from mqtt_hub.protocol.bodies import SessionReceipt
from mqtt_hub.protocol.codec import stamp
from mqtt_hub.protocol.errors import ArchiveError
from mqtt_hub.protocol.table import MessageType
from tests.hub.archives import Archive
from tests.hub.entries import accepted, digest, hello, rejected, result_on, source
from tests.hub.harness import RawClient, hub_on, make_home

A, B, V = "AI_Node_1", "AI_Node_2", "Validator_1"
DAY_S = 86_400.0
NOW_S = 1_790_000_000.0
PATTERN, CODE, SUBMISSION = MessageType.PATTERN_SHARE, MessageType.CODE_SHARE, MessageType.OS_COMPONENT_SHARE


def days_ago(days: float) -> str:
    return stamp(NOW_S - days * DAY_S)


class Story:
    """An archive that grows by one message a call, each node's seqs in order, and knows how far they are."""

    def __init__(self, path: Path) -> None:
        self.archive = Archive(path)
        self.path = path
        self.seqs = {A: 0, B: 0, V: 0}
        self.archive.commit(*(hello(name, session=1) for name in (A, B)), hello(V, session=1, role="validator"))
        self.archive.db.execute("UPDATE messages SET received_at = ?", (days_ago(100),))

    def add(self, type_: MessageType, sender: str, days: float, **options: Any) -> Accepted:
        self.seqs[sender] += 1
        entry = accepted(type_, sender, session=1, seq=self.seqs[sender], at=days_ago(days), **options)
        self.archive.commit(entry)
        return entry

    def judge(self, submission: Accepted, days: float, verdict: str) -> None:
        self.seqs[V] += 1
        said = {"session": 1, "seq": self.seqs[V], "at": days_ago(days), "verdict": verdict}
        self.archive.commit(result_on(submission, V, **said))

    def reject(self, sender: str, days: float, payload: bytes, *, keyed: bool) -> None:
        if keyed:
            self.seqs[sender] += 1
        entry = rejected(sender, payload, session=1 if keyed else None, seq=self.seqs[sender] if keyed else None)
        self.archive.commit(entry)
        self.archive.db.execute("UPDATE rejected SET received_at = ? WHERE payload = ?", (days_ago(days), payload))

    def settle(self) -> None:
        self.archive.writer.advance({(name, 1): seq for name, seq in self.seqs.items() if seq})

    def components(self) -> set[str]:
        return {name for (name,) in self.archive.rows("SELECT id FROM components")}

    def check(self) -> None:
        report = verify(self.path)
        assert report.faults == []
        assert report.open_gaps == []


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "archive.db")


def test_the_ancestry_of_what_was_accepted_stays_however_old_and_the_rest_goes(story: Story) -> None:
    story.add(CODE, A, 90, source=source(1))
    story.add(CODE, B, 89, source=source(2), parents=(digest(1),))
    good = story.add(SUBMISSION, A, 88, source=source(3), parents=(digest(2),))
    story.judge(good, 87, "accepted")
    story.add(CODE, B, 86, source=source(4), parents=(digest(1),))  # a branch that led nowhere
    bad = story.add(SUBMISSION, B, 85, source=source(5), parents=(digest(4),))
    story.judge(bad, 84, "rejected")
    story.add(PATTERN, A, 83)
    story.settle()
    line = story.archive.rows("SELECT * FROM lineage_of_accepted")
    board = story.archive.rows("SELECT * FROM leaderboard")
    done = prune(story.path, now_s=NOW_S, older_than_s=30 * DAY_S)
    assert done.messages == 3 + 3
    assert story.archive.rows("SELECT * FROM lineage_of_accepted") == line
    assert story.archive.rows("SELECT * FROM leaderboard") == board
    assert story.components() == {digest(3)}
    assert story.archive.count("discoveries") == 5, "who told first keeps the credit"
    assert story.archive.rows("SELECT component FROM code ORDER BY message") == [(digest(1),), (digest(2),)]
    assert story.archive.count("patterns") == 1, "nodes are greeted with it"
    story.check()


def test_a_program_of_which_something_new_was_said_stays_whole(story: Story) -> None:
    story.add(CODE, A, 90, source=source(1))
    story.add(CODE, B, 10, source=source(1))
    story.add(CODE, B, 90, source=source(2))
    story.settle()
    prune(story.path, now_s=NOW_S, older_than_s=30 * DAY_S)
    assert story.archive.rows("SELECT component FROM code") == [(digest(1),), (digest(1),)]
    story.check()


def test_what_waits_for_a_verdict_or_an_answer_stays(story: Story) -> None:
    story.add(SUBMISSION, A, 90, source=source(1), parents=(digest(2),))
    story.add(CODE, A, 91, source=source(2))
    for number, status in enumerate(("", "completed"), 1):
        name = {"correlation_id": f"{A}.{number}"}
        story.add(MessageType.COLLABORATION_REQUEST, A, 90, envelope=name)
        if status:
            story.add(MessageType.COLLABORATION_RESPONSE, B, 90, to=A, envelope=name, status=status)
    story.settle()
    prune(story.path, now_s=NOW_S, older_than_s=30 * DAY_S)
    assert story.components() == {digest(1)}
    assert story.archive.rows("SELECT component FROM code") == [(digest(2),)]
    assert story.archive.rows("SELECT id FROM collaborations") == [(f"{A}.1",)]
    story.check()


def test_what_is_not_gapless_yet_stays(story: Story) -> None:
    story.add(CODE, A, 90, source=source(1))
    story.seqs[A] += 1  # one that has not come
    story.add(CODE, A, 90, source=source(2))
    story.archive.writer.advance({(A, 1): 1})
    prune(story.path, now_s=NOW_S, older_than_s=30 * DAY_S)
    assert story.archive.rows("SELECT seq FROM messages WHERE seq") == [(3,)]
    assert story.archive.rows("SELECT first, last FROM pruned") == [(1, 1)]
    assert verify(story.path).open_gaps == [f"{A} session 1: 2..2"]


def test_keys_that_went_are_kept_as_few_ranges_and_are_not_new_again(story: Story) -> None:
    for number, days in enumerate((90, 90, 40, 90, 90)):
        story.add(CODE, A, days, source=source(number))
    story.reject(A, 90, b"keyed", keyed=True)
    story.reject(A, 90, b"without a key", keyed=False)
    story.reject(A, 10, b"new", keyed=False)
    story.settle()
    done = prune(story.path, now_s=NOW_S, older_than_s=60 * DAY_S)
    assert (done.messages, done.rejected) == (4 + 3, 2)
    assert story.archive.rows("SELECT first, last FROM pruned ORDER BY first") == [(1, 2), (4, 6)]
    story.check()
    prune(story.path, now_s=NOW_S, older_than_s=30 * DAY_S)
    assert story.archive.rows("SELECT first, last FROM pruned") == [(1, 6)]
    story.check()


@settings(deadline=None, max_examples=15)
@given(
    st.lists(
        st.tuples(st.integers(0, 7), st.integers(1, 6), st.integers(1, 6), st.integers(0, 90)), min_size=5, max_size=40
    ),
    st.integers(0, 90),
)
def test_whatever_was_said_and_whenever_what_is_left_is_sound(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, int, int, int]], days: int
) -> None:
    story = Story(tmp_path_factory.mktemp("story") / "archive.db")
    submissions: list[Accepted] = []
    for what, one, other, age in said:
        node = (A, B)[other % 2]
        name = {"correlation_id": f"{node}.{one}"}
        if what <= 1:
            story.add(CODE, node, age, source=source(one), parents=(digest(other),))
        elif what <= 3:
            submissions.append(story.add(SUBMISSION, node, age, source=source(one), parents=(digest(other),)))
        elif what == 4:
            if submissions:
                verdict = ("accepted", "rejected", "not_reproduced")[other % 3]
                story.judge(submissions[one % len(submissions)], age, verdict)
        elif what == 5:
            story.add(MessageType.COLLABORATION_REQUEST, node, age, envelope=name)
        elif what == 6:
            story.add(MessageType.COLLABORATION_RESPONSE, B, age, to=A, envelope=name)
        else:
            story.reject(node, age, b"%d %d" % (one, other), keyed=bool(other % 2))
    story.settle()
    line = story.archive.rows("SELECT component, generation, ancestor FROM lineage_of_accepted")
    story.check()
    prune(story.path, now_s=NOW_S, older_than_s=days * DAY_S)
    story.check()
    assert story.archive.rows("SELECT component, generation, ancestor FROM lineage_of_accepted") == line
    story.archive.db.close()


def test_the_patterns_that_nodes_are_greeted_with_keep_their_evidence(story: Story) -> None:
    for number in range(3):
        story.add(PATTERN, A, 90, expression="same", gain=0.5 + number / 10)
    story.add(PATTERN, B, 80, expression="same", gain=0.7)
    story.settle()
    prune(story.path, now_s=NOW_S, older_than_s=30 * DAY_S)
    assert story.archive.rows("SELECT seq FROM messages WHERE seq") == [(3,)], "the first with the best gain"
    story.check()


def test_towards_a_size_the_oldest_goes_first_and_no_more_than_must(story: Story) -> None:
    for number in range(400):
        story.add(CODE, A, 90 - number / 10, source=source(number) + "x" * 2000)
    story.settle()
    size = prune(story.path, now_s=NOW_S, bytes_max=10**9).bytes_before
    assert prune(story.path, now_s=NOW_S, bytes_max=size).messages == 0
    done = prune(story.path, now_s=NOW_S, bytes_max=size // 2)
    assert done.bytes_before == size
    assert size // 3 < done.bytes_after <= size // 2
    ((oldest, newest, count),) = story.archive.rows("SELECT min(seq), max(seq), count(*) FROM messages WHERE seq")
    assert (newest, count) == (400, 400 - oldest + 1)
    story.check()
    story.archive.db.close()
    before = story.path.stat().st_size
    shrink(story.path)
    assert story.path.stat().st_size < before * 0.7
    story.check()


def test_a_hub_goes_on_beside_it_and_knows_pruned_keys_as_duplicates(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", {A: "trainer"})
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet()
        for seq in range(1, 41):
            a.say(CODE, seq=seq, source=source(seq))
        a.receipt(40)
        running.until(lambda _: running.rows("SELECT upto FROM sessions WHERE upto = 40"))
        done = CliRunner().invoke(main, ["archive", "prune", "--older-than", "0s", "--home", str(home.path)])
        assert done.exit_code == 0, done.output
        assert running.rows("SELECT first, last FROM pruned") == [(1, 40)]
        a.say(CODE, seq=41)
        a.receipt(41)
    with hub_on(home) as running, RawClient(running, A) as a:
        (receipt,) = a.greet().receipts
        assert (receipt.upto, receipt.highest) == (41, 41)
        a.say(CODE, seq=7, source=source(7))
        assert a.receipt(41).committed == SessionReceipt(1, 41, 41)
        assert running.rows("SELECT seq FROM messages WHERE seq") == [(41,)]
    assert verify(home.archive_path).faults == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "say what may go"),
        (("--older-than", "soon"), "'soon': a number and one of s, m, h, d, w"),
        (("--max-size", "3X"), "'3X': a number and one of K, M, G, T"),
    ],
)
def test_what_is_not_said_clearly_is_not_pruned(tmp_path: Path, words: tuple[str, ...], complaint: str) -> None:
    home = make_home(tmp_path / "home")
    done = CliRunner().invoke(main, ["archive", "prune", "--home", str(home.path), *words])
    assert done.exit_code == 2
    assert complaint in done.output


def test_while_a_hub_runs_the_file_is_not_rewritten(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    Archive(home.archive_path).db.close()
    with home.locked():
        done = CliRunner().invoke(main, ["archive", "prune", "--shrink", "--home", str(home.path)])
    assert done.exit_code == 2
    assert "already running" in done.output
    done = CliRunner().invoke(main, ["archive", "prune", "--shrink", "--json", "--home", str(home.path)])
    assert done.exit_code == 0
    told = orjson.loads(done.output)
    assert (told["messages"], told["rejected"]) == (0, 0)
    assert told["bytes_before"] >= told["bytes_after"] > 0


# backup


def test_a_backup_is_one_sound_private_file_with_all_that_was_committed(story: Story, tmp_path: Path) -> None:
    story.add(PATTERN, A, 1)
    story.settle()
    target = tmp_path / "copy.db"
    assert backup(story.path, target) == target.stat().st_size
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]
    assert verify(target).messages == 4
    assert verify(target).ok


def test_a_backup_never_overwrites_and_leaves_nothing_half_done(story: Story, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_bytes(b"the last good one")
    with pytest.raises(ArchiveError, match="exists"):
        backup(story.path, target)
    assert target.read_bytes() == b"the last good one"
    with pytest.raises(ArchiveError):
        backup(story.path, tmp_path / "nowhere" / "copy.db")
    with pytest.raises(ArchiveError, match="no archive"):
        backup(tmp_path / "other.db", tmp_path / "another.db")
    assert sorted(path.name for path in tmp_path.glob("*.new*")) == []


def test_a_backup_of_an_archive_that_is_written_all_the_while_is_consistent(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", {A: "trainer"})
    over = threading.Event()
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet()

        def flood() -> None:
            seq = 0
            while not over.is_set():
                seq += 1
                a.say(CODE, seq=seq, source=source(seq)).wait_for_publish(20)

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            a.receipt(20)
            sizes = []
            for number in range(3):
                target = tmp_path / f"copy-{number}.db"
                done = CliRunner().invoke(main, ["archive", "backup", str(target), "--home", str(home.path)])
                assert done.exit_code == 0, done.output
                sizes.append(messages(target))
                assert verify(target).faults == []
                a.receipt(sizes[-1])
        finally:
            over.set()
            flooding.join(20)
    assert sizes == sorted(sizes)
    assert messages(home.archive_path) > sizes[-1]


def messages(path: Path) -> int:
    connection = sqlite3.connect(path)
    (count,) = connection.execute("SELECT count(*) FROM code").fetchone()
    connection.close()
    return int(count)


def test_a_hub_starts_on_a_backup_and_every_node_fills_what_it_lacks(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", {A: "trainer"})
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet()
        for seq in (1, 2, 3):
            a.say(PATTERN, seq=seq)
        a.receipt(3)
        backup(home.archive_path, tmp_path / "copy.db")
        a.say(PATTERN, seq=4)
        a.receipt(4)
    restored = Home(home.path)
    for path in home.path.glob("archive.db*"):
        path.unlink()
    (tmp_path / "copy.db").rename(restored.archive_path)
    with hub_on(restored) as running, RawClient(running, A) as a:
        (receipt,) = a.greet().receipts
        assert receipt == SessionReceipt(1, 3, 3)
        a.say(PATTERN, seq=4)
        a.receipt(4)
