"""What can be read of a damaged outbox goes out again under its keys, and nothing that is not provably whole."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.archive.verify import verify
from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import CodeShare, SessionReceipt
from mqtt_hub.protocol.codec import Message
from mqtt_hub.protocol.table import MessageType
from tests.hub.harness import RunningHub, hub_on, make_home
from tests.node.proxy import Proxy
from tests.node.talk import Talker, heard_once
from trainers.outbox import Outbox, summary
from trainers.outbox_file import Parcel
from trainers.salvage import salvage
from trainers.sqlite_pages import pages

NAME = "AI_Node_1"
PAGE_BYTES = 4096


def message(source: str) -> Message:
    body = CodeShare("page_replacement", sha256(source.encode()).hexdigest(), source, (NAME,), (), ())
    return Message(MessageType.CODE_SHARE, NAME, 0, "2026-01-31T12:00:00.123Z", body)


def filled(path: Path, lengths: list[int], *, receipted: int = 0) -> list[Parcel]:
    """Make an outbox with messages so long, of which the first so many have their receipt; return what waits."""
    outbox = Outbox(path)
    outbox.adopt_session(1)
    for number, length in enumerate(lengths):
        outbox.put(message(f"{number} " + "x" * length), "")
    if receipted:
        outbox.trim(SessionReceipt(1, receipted, receipted))
    waiting = outbox.pending()
    outbox.close()
    return waiting


def found_in(path: Path) -> list[Parcel]:
    return [parcel for _key, parcel in sorted(salvage(path).parcels.items())]


def overwrite(path: Path, *numbers: int, rng: random.Random | None = None) -> None:
    """Fill pages with noise."""
    data = bytearray(path.read_bytes())
    for number in numbers:
        data[(number - 1) * PAGE_BYTES : number * PAGE_BYTES] = (rng or random.Random(number)).randbytes(PAGE_BYTES)
    path.write_bytes(data)


LENGTHS = st.lists(st.sampled_from([0, 40, 400, 3000, 8100]), min_size=1, max_size=60)


@settings(deadline=None, max_examples=25)
@given(LENGTHS, st.integers(0, 70))
def test_of_a_sound_file_it_is_what_waits(lengths: list[int], receipted: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "outbox.db"
        waiting = filled(path, lengths, receipted=receipted)
        assert found_in(path) == waiting
        assert salvage(path).unreadable == 0


def test_what_is_committed_in_the_wal_alone_is_found_and_what_is_not_committed_is_not(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.adopt_session(1)
    for number in range(40):
        outbox.put(message(f"{number} " + "x" * 300), "")
    outbox._db.execute("BEGIN")
    outbox._db.execute("DELETE FROM parcels")
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"outbox.db{suffix}", tmp_path / f"copy.db{suffix}")
    outbox._db.execute("ROLLBACK")
    assert (tmp_path / "copy.db").stat().st_size <= PAGE_BYTES  # all the rest is in the WAL
    assert found_in(tmp_path / "copy.db") == outbox.pending()
    outbox.close()


@settings(deadline=None, max_examples=40)
@given(LENGTHS, st.integers(0, 10), st.integers(0, 2**32), st.integers(1, 6))
def test_whatever_is_damaged_nothing_is_found_that_was_not_put_in(
    lengths: list[int], receipted: int, seed: int, spots: int
) -> None:
    rng = random.Random(seed)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "outbox.db"
        waiting = filled(path, lengths, receipted=receipted)
        data = bytearray(path.read_bytes())
        for _ in range(spots):
            at = rng.randrange(len(data))
            length = rng.choice([1, 4, 60, 512, PAGE_BYTES])
            data[at : at + length] = rng.choice([rng.randbytes(length), bytes(length)])[: len(data) - at]
        path.write_bytes(data[: rng.randrange(len(data) // 2, len(data) + 1)])
        assert set(found_in(path)) <= set(waiting)


def test_one_page_takes_with_it_what_stood_on_it_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    waiting = filled(path, [300] * 100)
    there = len(pages(path))
    assert there > 10
    lost = []
    for number in range(1, there + 1):
        copy = tmp_path / f"{number}.db"
        shutil.copy(path, copy)
        overwrite(copy, number)
        found = found_in(copy)
        assert set(found) <= set(waiting)
        lost.append(len(waiting) - len(found))
    assert max(lost) < 12  # a page of 4096 bytes has room for so many
    assert sum(lost) == len(waiting)  # each stands on one page


def test_one_flipped_digit_in_a_message_makes_it_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    waiting = filled(path, [100] * 5)
    data = path.read_bytes()
    assert data.count(b'"3 xxx') == 1
    path.write_bytes(data.replace(b'"3 xxx', b'"9 xxx'))
    assert found_in(path) == [parcel for parcel in waiting if parcel.seq != 4]
    assert salvage(path).unreadable == 1


def test_an_outbox_of_an_earlier_version_gets_its_checksums(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    waiting = filled(path, [100] * 3)
    db = sqlite3.connect(path)
    db.execute("ALTER TABLE parcels DROP COLUMN crc32")
    db.commit()
    db.close()
    assert found_in(path) == []
    outbox = Outbox(path)
    assert outbox.pending() == waiting
    checksums = outbox._db.execute("SELECT crc32 FROM parcels ORDER BY seq").fetchall()
    assert checksums == [(crc32(parcel.payload),) for parcel in waiting]
    outbox.close()
    assert found_in(path) == waiting


def test_what_was_put_in_before_any_session_was_granted_gets_a_new_key(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = Outbox(path)
    for number in range(30):
        outbox.put(message(f"{number} " + "x" * 300), "")
    outbox.close()
    overwrite(path, 1)
    outbox, rescue = Outbox.begin(path)
    assert rescue is not None
    assert rescue.saved == 30
    outbox.adopt_session(8)
    assert [(parcel.session, parcel.seq) for parcel in outbox.pending()] == [(8, seq) for seq in range(1, 31)]
    outbox.close()


def unplugged_before_the_old_is_moved(path: Path, ready: Path) -> None:
    assert path.exists()
    assert ready.exists()


def unplugged_before_the_new_is_there(path: Path, ready: Path) -> None:
    path.rename(path.with_name("outbox.db.damaged-1"))
    assert ready.exists()


@pytest.mark.parametrize("unplugged", [unplugged_before_the_old_is_moved, unplugged_before_the_new_is_there])
def test_killed_in_the_middle_it_goes_on_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unplugged: Callable[[Path, Path], None]
) -> None:
    path = tmp_path / "outbox.db"
    waiting = filled(path, [300] * 30)
    overwrite(path, 1)

    class PowerLostError(BaseException):
        """Nothing catches it."""

    def lose_power(_path: Path) -> Path:
        raise PowerLostError

    with monkeypatch.context() as patch:
        patch.setattr("trainers.outbox.set_aside", lose_power)
        with pytest.raises(PowerLostError):
            Outbox.begin(path)
    unplugged(path, tmp_path / "outbox.db.salvaged")
    outbox, rescue = Outbox.begin(path)
    assert outbox.pending() == waiting
    assert rescue is not None
    assert (rescue.aside, rescue.saved) == (tmp_path / "outbox.db.damaged-1", 30)
    assert rescue.aside.exists()
    assert not (tmp_path / "outbox.db.salvaged").exists()
    outbox.close()


# a node and its hub


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", {NAME: "trainer"})


@pytest.fixture
def running(home: Home) -> Iterator[RunningHub]:
    with hub_on(home) as running:
        yield running


def say_unheard(home: Home, port: int, place: Path, count: int) -> None:
    """Say some messages that are receipted, and more whose receipts never come back, and some that never leave."""
    with Proxy(port) as proxy, Talker(home, NAME, proxy.port, place) as talker:
        talker.say(5)
        talker.until_all_is_receipted()
        proxy.mode = "deaf"
        proxy.cut()
        talker.until(lambda: not talker.node.ready)
        talker.say(count)


def test_messages_of_an_outbox_whose_root_is_gone_are_all_archived_once_under_their_keys(
    home: Home, running: RunningHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "node"
    say_unheard(home, running.port, place, 60)
    overwrite(place / "outbox.db", 1)
    with Talker(home, NAME, running.port, place) as talker:
        assert "60 messages in it could be read and go out under their keys" in caplog.text
        talker.said = 65
        talker.say(5)
        talker.until_all_is_receipted()
    heard_once(home, NAME, 70)
    keys = running.rows("SELECT session, max(seq), count(*) FROM messages WHERE seq GROUP BY session ORDER BY 1")
    assert keys == [(1, 65, 65), (2, 5, 5)]
    assert verify(home.archive_path).faults == []
    assert summary(place)["set_aside"] == 1


def test_what_could_not_be_read_is_a_gap_that_the_archive_names(
    home: Home, running: RunningHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "node"
    say_unheard(home, running.port, place, 60)
    whole = found_in(place / "outbox.db")
    there = len(pages(place / "outbox.db"))
    overwrite(place / "outbox.db", 1, there // 2)
    left = len(found_in(place / "outbox.db"))
    assert 0 < left < len(whole) == 60
    with Talker(home, NAME, running.port, place) as talker:
        assert f"{left} messages in it could be read" in caplog.text
        talker.until_all_is_receipted()
    ((archived,),) = running.rows("SELECT count(*) FROM messages WHERE seq")
    assert archived == 5 + left
