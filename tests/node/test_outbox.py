"""The outbox against a plain dictionary, at its bound, across crashes, and on a disk that refuses."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.protocol.bodies import CollaborationResponse, SeqRange, SessionReceipt
from mqtt_hub.protocol.codec import Message, decode
from mqtt_hub.protocol.errors import ProtocolError
from mqtt_hub.protocol.table import MessageType
from trainers.outbox import Outbox, summary
from trainers.outbox_file import OutboxDamagedError, OutboxDiskError, OutboxError, OutboxFullError


def message(reason: str = "", evaluations: int = 0) -> Message:
    body = CollaborationResponse("page_replacement", "declined", reason, evaluations)
    return Message(MessageType.COLLABORATION_RESPONSE, "AI_Node_1", 0, "2026-01-31T12:00:00.123Z", body)


def keys(outbox: Outbox) -> list[tuple[int, int]]:
    return [(parcel.session, parcel.seq) for parcel in outbox.pending()]


@dataclass
class Model:
    """What an outbox is, on paper: sessions with their last seq, and what waits."""

    last: dict[int, int] = field(default_factory=dict)
    granted: set[int] = field(default_factory=set)
    waiting: dict[tuple[int, int], int] = field(default_factory=dict)  # key: what was put in, by its number
    session: int = 0

    def start(self) -> None:
        self.session = max(self.last, default=0) + 1
        self.last[self.session] = 0

    def put(self, number: int) -> None:
        self.last[self.session] += 1
        self.waiting[self.session, self.last[self.session]] = number

    def adopt(self, session: int) -> None:
        if session == self.session and session in self.granted:
            return
        unsent = sorted(key for key in self.waiting if key[0] not in self.granted)
        moved = [self.waiting.pop(key) for key in unsent]
        self.last = {number: seq for number, seq in self.last.items() if number in self.granted}
        self.last.setdefault(session, 0)
        self.granted.add(session)
        self.session = session
        for number in moved:
            self.put(number)

    def trim(self, receipt: SessionReceipt) -> None:
        if receipt.session not in self.granted:
            return
        for session, seq in list(self.waiting):
            missing = any(gap.first <= seq <= gap.last for gap in receipt.missing)
            if session == receipt.session and seq <= receipt.highest and not missing:
                del self.waiting[session, seq]


@st.composite
def receipts(draw: st.DrawFn) -> SessionReceipt:
    session = draw(st.integers(1, 6))
    upto = draw(st.integers(0, 6))
    highest = draw(st.integers(upto, 12))
    gap = draw(st.integers(upto + 1, highest)) if highest > upto else 0
    return SessionReceipt(session, upto, highest, (SeqRange(gap, gap),) if gap else ())


STEPS = st.lists(
    st.one_of(
        st.just(("put", None)),
        st.just(("put", None)),
        st.tuples(st.just("trim"), receipts()),
        st.tuples(st.just("adopt"), st.integers(1, 6)),
        st.just(("reopen", None)),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=60)
@given(steps=STEPS)
def test_it_does_what_a_dictionary_would_whatever_the_order_of_events(steps: list[tuple[str, object]]) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "outbox.db"
        outbox, model = Outbox(path), Model()
        model.start()
        for number, (step, value) in enumerate(steps):
            if step == "put":
                parcel = outbox.put(message(evaluations=number), "")
                model.put(number)
                assert (parcel.session, parcel.seq) in model.waiting
            elif isinstance(value, SessionReceipt):
                outbox.trim(value)
                model.trim(value)
            elif isinstance(value, int):
                outbox.adopt_session(value)
                model.adopt(value)
            else:
                outbox.close()
                outbox = Outbox(path)
                model.start()
            assert outbox.session == model.session
            assert {
                (parcel.session, parcel.seq): decode(parcel.payload).body.evaluations for parcel in outbox.pending()
            } == model.waiting
            assert outbox.count() == len(model.waiting)
            assert all(
                (parcel.session, parcel.seq) == (decode(parcel.payload).session, decode(parcel.payload).seq)
                for parcel in outbox.pending()
            )
        outbox.close()


def test_session_grows_at_every_start(tmp_path: Path) -> None:
    sessions = []
    for _start in range(4):
        outbox = Outbox(tmp_path / "outbox.db")
        sessions.append(outbox.session)
        outbox.close()
    assert sessions == [1, 2, 3, 4]


def test_what_was_put_in_outlives_a_process_that_never_closes(tmp_path: Path) -> None:
    crashed = Outbox(tmp_path / "outbox.db")
    for number in range(3):
        crashed.put(message(evaluations=number), "AI_Node_2")
    survivor = Outbox(tmp_path / "outbox.db")  # the first one still has the file open, as a killed process had
    assert [decode(parcel.payload).body.evaluations for parcel in survivor.pending()] == [0, 1, 2]
    assert {parcel.recipient for parcel in survivor.pending()} == {"AI_Node_2"}
    survivor.close()
    crashed.close()


def test_it_takes_in_exactly_bytes_max_and_one_byte_more_is_refused(tmp_path: Path) -> None:
    measure = Outbox(tmp_path / "measure.db")
    size = len(measure.put(message("x" * 100), "").payload)
    measure.close()
    outbox = Outbox(tmp_path / "outbox.db", bytes_max=2 * size)
    outbox.put(message("x" * 100), "")
    outbox.put(message("x" * 100), "")  # at the bound
    outbox.adopt_session(1)
    with pytest.raises(OutboxFullError):
        outbox.put(message(), "")
    outbox.trim(SessionReceipt(1, 1, 1))
    with pytest.raises(OutboxFullError):
        outbox.put(message("x" * 101), "")
    assert outbox.put(message("x" * 100), "").seq == 3  # a refusal takes no seq
    outbox.close()
    reopened = Outbox(tmp_path / "outbox.db", bytes_max=2 * size)
    with pytest.raises(OutboxFullError):  # the bound counts what an earlier start left
        reopened.put(message(), "")
    reopened.close()


def test_a_message_beyond_its_own_bounds_is_refused_and_takes_no_seq(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    with pytest.raises(ProtocolError, match="body"):
        outbox.put(message("x" * 513), "")
    assert outbox.put(message(), "").seq == 1
    assert keys(outbox) == [(1, 1)]
    outbox.close()


def test_a_receipt_of_a_namesake_session_takes_nothing_that_was_never_sent(tmp_path: Path) -> None:
    """After a lost disk the numbers begin anew, and a late receipt of the old session 1 may still come."""
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.put(message(), "")
    assert outbox.trim(SessionReceipt(1, 50, 50)) == 0
    outbox.adopt_session(7)
    assert keys(outbox) == [(7, 1)]
    outbox.close()


def test_what_was_sent_under_a_granted_session_keeps_its_key(tmp_path: Path) -> None:
    """A second session granted to the same start must not send a message under two keys."""
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.adopt_session(1)
    outbox.put(message(), "")
    outbox.adopt_session(5)
    outbox.put(message(), "")
    assert keys(outbox) == [(1, 1), (5, 1)]
    outbox.close()


@pytest.mark.parametrize("content", [b"no database at all, but long enough for a header" * 4, b"SQLite format 3\0"])
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "outbox.db").write_bytes(content)
    with pytest.raises(OutboxDamagedError) as caught:
        Outbox(tmp_path / "outbox.db")
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "outbox.db") in str(caught.value)
    with pytest.raises(OutboxError):
        summary(tmp_path)


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutboxError) as caught:
        Outbox(tmp_path / "file" / "outbox.db")
    assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_written_is_an_outbox_error_and_nothing_is_taken_in(tmp_path: Path) -> None:
    """SQLite is told to refuse, as on a read-only disk: permissions would not stop a test that runs as root."""
    outbox = Outbox(tmp_path / "outbox.db")
    outbox._db.execute("PRAGMA query_only = ON")
    with pytest.raises(OutboxDiskError):
        outbox.put(message(), "")
    outbox._db.execute("PRAGMA query_only = OFF")
    assert outbox.put(message(), "").seq == 1
    outbox.close()


def test_damage_while_running_is_an_outbox_error_not_a_foreign_one(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.put(message(), "")
    with sqlite3.connect(tmp_path / "outbox.db") as other:
        other.execute("DROP TABLE parcels")
    other.close()
    for call in (outbox.pending, outbox.count, lambda: outbox.put(message(), "")):
        with pytest.raises(OutboxDamagedError):
            call()
    outbox.close()


def test_summary_counts_what_was_sent_and_what_waits(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.adopt_session(1)
    outbox.put(message(), "")
    outbox.put(message(), "")
    outbox.trim(SessionReceipt(1, 1, 1))
    (tmp_path / "evaluations").write_text("12\n")
    assert summary(tmp_path) == {"sent": 2, "pending": 1, "evaluations": 12, "set_aside": 0}
    outbox.close()


def test_summary_of_a_home_whose_name_needs_escaping_is_read_all_the_same(tmp_path: Path) -> None:
    home = tmp_path / "50 % ? of # it"
    Outbox(home / "outbox.db").close()
    assert summary(home) == {"sent": 0, "pending": 0, "evaluations": 0, "set_aside": 0}


def fill(outbox: Outbox) -> None:
    while True:
        outbox.put(message("x" * 400), "")


def test_a_full_disk_makes_wait_takes_no_seq_and_room_mends_it(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.put(message(), "")
    pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OutboxDiskError, match="full"):
        fill(outbox)
    outbox._db.execute("PRAGMA max_page_count = 1000000")
    waiting = keys(outbox)
    assert (outbox.put(message(), "").seq, keys(outbox)[:-1]) == (len(waiting) + 1, waiting)
    assert waiting == [(1, seq) for seq in range(1, len(waiting) + 1)]
    outbox.close()


def test_a_locked_file_makes_wait(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox._db.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxDiskError, match="locked"):
        outbox.put(message(), "")
    other.execute("ROLLBACK")
    other.close()
    assert outbox.put(message(), "").seq == 1
    outbox.close()


DAMAGES = {
    "no database": b"no database at all, but long enough for a header" * 4,
    "cut short": b"SQLite format 3\0",
}


@pytest.mark.parametrize("content", list(DAMAGES.values()), ids=list(DAMAGES))
def test_a_damaged_file_is_set_aside_each_under_its_own_name_and_never_deleted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "outbox.db"
    for number in (1, 2):
        path.write_bytes(content + b"%d" % number)
        outbox, rescue = Outbox.begin(path)
        assert rescue is not None
        assert rescue.aside == tmp_path / f"outbox.db.damaged-{number}"
        assert rescue.aside.read_bytes() == content + b"%d" % number
        assert outbox.put(message(), "").seq == 1
        outbox.close()
        for rest in tmp_path.glob("outbox.db-*"):
            rest.unlink()
    assert summary(tmp_path)["set_aside"] == 2


def test_a_damaged_page_is_found_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = Outbox(path)
    for _ in range(40):
        outbox.put(message("x" * 400), "")
    outbox.close()
    data = bytearray(path.read_bytes())
    data[4096 * 3 :] = b"\xa5" * (len(data) - 4096 * 3)
    path.write_bytes(data)
    outbox, rescue = Outbox.begin(path)
    assert rescue is not None
    assert rescue.saved == outbox.count() < 40
    outbox.close()


def test_a_sound_file_is_not_set_aside(tmp_path: Path) -> None:
    outbox, _rescue = Outbox.begin(tmp_path / "outbox.db")
    outbox.put(message(), "")
    outbox.close()
    outbox, rescue = Outbox.begin(tmp_path / "outbox.db")
    assert rescue is None
    assert outbox.count() == 1
    outbox.close()


def test_what_an_earlier_version_put_in_keeps_fields_and_bounds_that_this_one_does_not_know(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.put(message(), "")
    foreign = {"v": 1, "type": "PATTERN_SHARE", "seq": 1, "session": 1, "mood": "good", "body": {"kind": "k", "x": 1}}
    outbox._db.execute("UPDATE parcels SET payload = ?", (orjson.dumps(foreign),))
    outbox.adopt_session(9)
    (parcel,) = outbox.pending()
    assert orjson.loads(parcel.payload) == foreign | {"session": 9}
    outbox.close()
