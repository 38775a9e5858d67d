"""A session without any I/O: its queue, its window, its promises on return."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from mqtt_hub.broker.counters import Counters
from mqtt_hub.broker.gate import Peer
from mqtt_hub.broker.identity import Account
from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.message import Message
from mqtt_hub.broker.packets import Packet, Publish, Pubrel
from mqtt_hub.broker.parser import Parser
from mqtt_hub.broker.session import Session

PEER = Peer(Account("node", "trainer"), "node")


@dataclass
class Line:
    """An outlet that keeps what is written to it."""

    ready: bool = True
    closed: str = ""
    overflows: int = 0
    stream: bytearray = field(default_factory=bytearray)

    def write(self, *parts: bytes) -> None:
        self.stream += b"".join(parts)

    def close(self, reason: str) -> None:
        self.closed = reason

    def overflow(self) -> None:
        self.overflows += 1

    def take(self) -> list[Packet]:
        """Return the packets written since the last time."""
        parser, packets = Parser(1 << 20), []
        parser.feed(bytes(self.stream))
        self.stream.clear()
        while (packet := parser.next()) is not None:
            packets.append(packet)
        return packets


def session_of(limits: Limits) -> tuple[Session, Counters]:
    counters = Counters()
    return Session(PEER, persistent=True, limits=limits, counters=counters), counters


def joined(session: Session, *, ready: bool = True) -> Line:
    line = Line(ready)
    session.attach(line, PEER)
    session.pump()
    return line


def payloads(packets: list[Packet]) -> list[bytes]:
    return [packet.payload for packet in packets if isinstance(packet, Publish)]


def message(number: int) -> Message:
    return Message("t", b"%d" % number, qos=2)


def test_the_window_opens_as_messages_are_acknowledged() -> None:
    session, _ = session_of(Limits(inflight_messages_max=2))
    line = joined(session)
    for number in range(5):
        session.deliver(message(number), 1)
    first = line.take()
    assert payloads(first) == [b"0", b"1"]
    assert isinstance(first[0], Publish)
    session.pubacks([first[0].packet_id])
    assert payloads(line.take()) == [b"2"]
    assert (session.inflight_messages, session.queued_messages) == (2, 2)


def test_unacknowledged_messages_return_first_with_dup_and_their_old_ids() -> None:
    session, _ = session_of(Limits(inflight_messages_max=2))
    line = joined(session)
    for number in range(3):
        session.deliver(message(number), 1)
    before = line.take()
    session.detach(0.0)
    session.deliver(message(3), 1)
    after = joined(session).take()
    assert after == [packet._replace(dup=True) for packet in before if isinstance(packet, Publish)]
    assert session.queued_messages == 2


def test_qos_2_goes_through_its_four_steps_and_survives_a_break_after_pubrec() -> None:
    session, _ = session_of(Limits())
    line = joined(session)
    session.deliver(message(0), 2)
    (sent,) = line.take()
    assert isinstance(sent, Publish)
    session.pubrec(sent.packet_id)
    assert line.take() == [Pubrel(sent.packet_id)]
    session.detach(0.0)
    line = joined(session)
    assert line.take() == [Pubrel(sent.packet_id)]  # not the message again
    session.pubcomp(sent.packet_id)
    assert session.inflight_messages == 0


def test_wrong_and_repeated_acknowledgements_change_nothing() -> None:
    session, _ = session_of(Limits())
    line = joined(session)
    session.deliver(message(0), 2)
    line.take()
    session.pubacks([1])
    session.pubcomp(1)
    session.pubacks([99])
    assert session.inflight_messages == 1
    session.pubrec(99)
    assert line.take() == [Pubrel(99)]  # so that the client forgets it


def test_packet_ids_go_round_and_leave_out_those_in_flight() -> None:
    session, _ = session_of(Limits(inflight_messages_max=3))
    line = joined(session)
    session.deliver(message(0), 1)
    line.take()
    for number in range(0xFFFF - 1):
        session.deliver(message(number), 1)
        session.pubacks([number + 2])
    session.deliver(message(1), 1)
    last = line.take()[-1]
    assert isinstance(last, Publish)
    assert last.packet_id == 2


@pytest.mark.parametrize("bound", ["messages", "bytes"])
def test_a_full_queue_drops_its_oldest_while_the_client_is_away(bound: str) -> None:
    limits = Limits(queue_messages_max=3) if bound == "messages" else Limits(queue_bytes_max=3 * 2)
    session, counters = session_of(limits)
    for number in range(3):
        session.deliver(message(number), 1)
    assert counters.dropped_queue_full == 0
    session.deliver(message(3), 1)
    assert counters.dropped_queue_full == 1
    assert payloads(joined(session).take()) == [b"1", b"2", b"3"]


def test_a_full_queue_disconnects_a_client_that_does_not_acknowledge() -> None:
    session, counters = session_of(Limits(inflight_messages_max=1, queue_messages_max=2))
    line = joined(session)
    for number in range(3):
        session.deliver(message(number), 1)
    assert line.overflows == 0
    session.deliver(message(3), 1)
    assert line.overflows == 1
    assert counters.dropped_queue_full == 1


def test_qos_0_for_a_reader_that_is_behind_drops_the_oldest() -> None:
    session, counters = session_of(Limits(qos0_backlog_bytes_max=3 * 2))
    line = joined(session, ready=False)
    for number in range(5):
        session.deliver(message(number), 0)
    assert counters.dropped_slow_qos0 == 2
    line.ready = True
    session.pump()
    assert payloads(line.take()) == [b"2", b"3", b"4"]


def test_qos_0_is_not_kept_for_a_client_that_is_away() -> None:
    session, _ = session_of(Limits())
    session.deliver(message(0), 0)
    assert joined(session).take() == []


def test_receivers_share_the_encoded_message() -> None:
    shared = message(0)
    lines = []
    for _ in range(2):
        session, _ = session_of(Limits())
        lines.append(joined(session))
        session.deliver(shared, 1)
    assert lines[0].stream == lines[1].stream
    assert shared.head(1) is shared.head(1)
