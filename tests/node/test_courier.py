"""The courier with a list for a broker and a clock moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_hub.protocol.bodies import CollaborationResponse, SeqRange, SessionReceipt
from mqtt_hub.protocol.codec import Message
from mqtt_hub.protocol.table import MessageType
from trainers.courier import GAP_AFTER_S, RESEND_AFTER_S, WINDOW_MESSAGES, Courier
from trainers.outbox import Outbox, Parcel


class Wire:
    """What was published, and the time."""

    def __init__(self, path: Path) -> None:
        self.parcels: list[Parcel] = []
        self.now = 1_000.0
        self.outbox = Outbox(path / "outbox.db")
        self.courier = Courier(self.outbox, self.parcels.append, lambda: self.now)

    def submit(self, count: int) -> None:
        body = CollaborationResponse("page_replacement", "declined", "")
        for _ in range(count):
            self.courier.submit(
                Message(MessageType.COLLABORATION_RESPONSE, "AI_Node_1", 0, "2026-01-31T12:00:00.123Z", body), "B"
            )

    def taken(self) -> list[int]:
        """Return the seqs published since the last call."""
        seqs = [parcel.seq for parcel in self.parcels]
        self.parcels.clear()
        return seqs


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    wire = Wire(tmp_path)
    yield wire
    wire.courier.close()


def test_nothing_is_sent_before_the_hub_has_granted_a_session(wire: Wire) -> None:
    wire.submit(3)
    wire.courier.resend_overdue()
    wire.courier.receipt(SessionReceipt(1, 0, 0))
    assert wire.taken() == []
    wire.courier.open(1, ())
    assert wire.taken() == [1, 2, 3]


def test_what_waits_goes_out_under_the_granted_session(wire: Wire) -> None:
    wire.submit(2)
    wire.courier.open(9, ())
    assert [(parcel.session, parcel.seq) for parcel in wire.parcels] == [(9, 1), (9, 2)]
    assert wire.courier.session == 9


def test_no_more_than_the_window_is_under_way_and_receipts_move_it(wire: Wire) -> None:
    wire.courier.open(1, ())
    wire.submit(WINDOW_MESSAGES + 5)
    assert wire.taken() == list(range(1, WINDOW_MESSAGES + 1))
    wire.courier.receipt(SessionReceipt(1, 2, 2))
    assert wire.taken() == [WINDOW_MESSAGES + 1, WINDOW_MESSAGES + 2]
    wire.courier.receipt(SessionReceipt(1, WINDOW_MESSAGES, WINDOW_MESSAGES))
    assert wire.taken() == [WINDOW_MESSAGES + 3, WINDOW_MESSAGES + 4, WINDOW_MESSAGES + 5]
    assert wire.courier.pending() == 5


def test_what_is_overdue_is_sent_again_and_only_that(wire: Wire) -> None:
    wire.courier.open(1, ())
    wire.submit(2)
    wire.now += RESEND_AFTER_S / 2
    wire.submit(1)
    wire.taken()
    wire.courier.resend_overdue()
    assert wire.taken() == []
    wire.now += RESEND_AFTER_S / 2 + 0.1
    wire.courier.resend_overdue()
    assert wire.taken() == [1, 2]
    wire.courier.resend_overdue()  # the time begins anew
    assert wire.taken() == []


def test_a_clock_set_back_does_not_hold_messages_for_good(wire: Wire) -> None:
    wire.courier.open(1, ())
    wire.submit(1)
    wire.taken()
    wire.now -= 3600.0
    wire.courier.resend_overdue()
    assert wire.taken() == [1]


def test_a_gap_is_filled_when_it_is_older_than_what_may_still_be_on_its_way(wire: Wire) -> None:
    wire.courier.open(1, ())
    wire.submit(4)
    wire.taken()
    gap = SessionReceipt(1, 1, 4, (SeqRange(2, 3),))
    wire.courier.receipt(gap)
    assert wire.taken() == []
    wire.now += GAP_AFTER_S + 0.1
    wire.courier.receipt(gap)
    assert wire.taken() == [2, 3]
    assert wire.courier.pending() == 2


def test_everything_without_a_receipt_goes_out_again_on_the_next_connection(wire: Wire) -> None:
    wire.courier.open(1, ())
    wire.submit(3)
    wire.courier.receipt(SessionReceipt(1, 1, 1))
    wire.courier.shut()
    wire.submit(1)  # work goes on without a connection
    wire.taken()
    wire.courier.resend_overdue()
    assert wire.taken() == []
    wire.courier.open(1, (SessionReceipt(1, 2, 2),))  # one more had arrived, its receipt was lost
    assert wire.taken() == [3, 4]


def test_what_earlier_starts_left_goes_first(tmp_path: Path) -> None:
    first = Wire(tmp_path)
    first.courier.open(1, ())
    first.submit(2)
    first.courier.close()
    second = Wire(tmp_path)
    second.submit(1)
    second.courier.open(2, (SessionReceipt(1, 1, 1), SessionReceipt(2, 0, 0)))
    assert [(parcel.session, parcel.seq) for parcel in second.parcels] == [(1, 2), (2, 1)]
    second.courier.close()
