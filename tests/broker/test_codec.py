"""The codec: packets to bytes and back, whatever the split; what MQTT 3.1.1 forbids is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.broker import decoders
from mqtt_hub.broker.packets import (
    PROTOCOL_LEVEL,
    Connack,
    Connect,
    Disconnect,
    MalformedPacketError,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
    binary,
    frame,
    text,
)
from mqtt_hub.broker.parser import Parser
from tests.broker.malformed import MALFORMED

PACKET_BYTES_MAX = 1 << 17

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
topics = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), min_size=1, max_size=12)
filters = st.lists(st.one_of(topics.map(lambda t: t.replace("/", "_")), st.just("+")), min_size=1, max_size=4).map(
    "/".join
) | st.just("#")
packet_ids = st.integers(1, 0xFFFF)
qos = st.integers(0, 2)
payloads = st.binary(max_size=150)
wills = st.builds(Will, topics, payloads, qos, st.booleans())


def _valid_publish(packet: Publish) -> Publish:
    return packet if packet.qos else packet._replace(dup=False, packet_id=0)


def _valid_connect(packet: Connect) -> Connect:
    return packet if packet.username is not None else packet._replace(password=None)


PACKETS: dict[str, st.SearchStrategy[Packet]] = {
    "CONNECT": st.builds(
        Connect,
        names,
        st.booleans(),
        st.integers(0, 0xFFFF),
        st.none() | names,
        st.none() | payloads,
        st.none() | wills,
        st.just(PROTOCOL_LEVEL),
    ).map(_valid_connect),
    "CONNACK": st.integers(0, 5).flatmap(
        lambda c: st.builds(Connack, st.booleans() if c == 0 else st.just(False), st.just(c))
    ),
    "PUBLISH": st.builds(Publish, topics, payloads, qos, st.booleans(), st.booleans(), packet_ids).map(_valid_publish),
    "PUBACK": st.builds(Puback, packet_ids),
    "PUBREC": st.builds(Pubrec, packet_ids),
    "PUBREL": st.builds(Pubrel, packet_ids),
    "PUBCOMP": st.builds(Pubcomp, packet_ids),
    "SUBSCRIBE": st.builds(Subscribe, packet_ids, st.lists(st.tuples(filters, qos), min_size=1, max_size=4).map(tuple)),
    "SUBACK": st.builds(
        Suback, packet_ids, st.lists(st.sampled_from([0, 1, 2, 0x80]), min_size=1, max_size=4).map(tuple)
    ),
    "UNSUBSCRIBE": st.builds(Unsubscribe, packet_ids, st.lists(filters, min_size=1, max_size=4).map(tuple)),
    "UNSUBACK": st.builds(Unsuback, packet_ids),
    "PINGREQ": st.just(Pingreq()),
    "PINGRESP": st.just(Pingresp()),
    "DISCONNECT": st.just(Disconnect()),
}
any_packet = st.one_of(*PACKETS.values())
modest = settings(max_examples=40, deadline=None)


def parse(stream: bytes, cuts: list[int]) -> list[Packet]:
    """Feed a stream cut at the given places, take all packets."""
    parser = Parser(PACKET_BYTES_MAX)
    packets = []
    places = [0, *sorted(cuts), len(stream)]
    for begin, end in itertools.pairwise(places):
        parser.feed(stream[begin:end])
        while (packet := parser.next()) is not None:
            packets.append(packet)
    assert parser.buffered_bytes == 0
    return packets


@pytest.mark.parametrize("kind", PACKETS)
def test_a_packet_survives_the_round_trip(kind: str) -> None:
    @modest
    @given(PACKETS[kind])
    def check(packet: Packet) -> None:
        assert parse(packet.encode(), []) == [packet]

    check()


@modest
@given(st.lists(any_packet, min_size=1, max_size=5), st.data())
def test_the_split_of_the_stream_does_not_matter(packets: list[Packet], data: st.DataObject) -> None:
    stream = b"".join(packet.encode() for packet in packets)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    assert parse(stream, cuts) == packets
    assert parse(stream, list(range(len(stream)))) == packets  # one byte at a time


@modest
@given(any_packet)
def test_no_beginning_of_a_packet_is_a_packet(packet: Packet) -> None:
    whole = packet.encode()
    for length in range(len(whole)):
        parser = Parser(PACKET_BYTES_MAX)
        parser.feed(whole[:length])
        assert parser.next() is None
        parser.feed(whole[length:])
        assert parser.next() == packet


@modest
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_packets_or_malformed(stream: bytes) -> None:
    parser = Parser(PACKET_BYTES_MAX)
    parser.feed(stream)
    with suppress(MalformedPacketError):
        while (packet := parser.next()) is not None:
            if not (isinstance(packet, Connect) and packet.level != PROTOCOL_LEVEL):  # of which nothing is read
                assert parse(packet.encode(), []) == [packet]


@modest
@given(any_packet, st.data())
def test_a_damaged_packet_never_breaks_the_parser(packet: Packet, data: st.DataObject) -> None:
    damaged = bytearray(packet.encode())
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] = data.draw(st.integers(0, 255))
    parser = Parser(PACKET_BYTES_MAX)
    parser.feed(bytes(damaged))
    with suppress(MalformedPacketError):  # and no other error
        while parser.next() is not None:
            pass
    assert parser.buffered_bytes <= len(damaged)


@pytest.mark.parametrize("stream", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("step", [1, 1 << 20], ids=["byte by byte", "at once"])
def test_it_refuses(stream: bytes, step: int) -> None:
    parser = Parser(PACKET_BYTES_MAX)

    def take_all() -> None:
        for at in range(0, len(stream), step):
            parser.feed(stream[at : at + step])
            while parser.next() is not None:
                pass

    with pytest.raises(MalformedPacketError):
        take_all()


def test_a_packet_of_the_greatest_length_is_taken_and_one_byte_more_is_not() -> None:
    head_bytes = len(Publish("t", bytes(1000)).encode()) - 1000
    packet = Publish("t", bytes(1000))
    for bound, refused in ((1000 + head_bytes, False), (999 + head_bytes, True)):
        parser = Parser(bound)
        parser.feed(packet.encode()[:5])  # the length alone decides
        if refused:
            with pytest.raises(MalformedPacketError, match="at most"):
                parser.next()
        else:
            assert parser.next() is None


def test_bytes_fed_before_the_last_were_taken_are_kept() -> None:
    parser = Parser(PACKET_BYTES_MAX)
    parser.feed(Puback(1).encode() + Puback(2).encode())
    assert parser.next() == Puback(1)
    parser.feed(Puback(3).encode()[:2])
    assert [parser.next(), parser.next()] == [Puback(2), None]
    parser.feed(Puback(3).encode()[2:])
    assert parser.next() == Puback(3)


@pytest.mark.parametrize("level", [3, 5])
def test_the_connect_of_another_version_is_recognised_by_its_level(level: int) -> None:
    name = "MQIsdp" if level == 3 else "MQTT"
    (packet,) = parse(frame(0x10, text(name) + bytes((level, 2)) + b"\0\x0a\0\0\0"), [])
    assert isinstance(packet, Connect)
    assert packet.level == level


def test_the_password_is_binary_and_the_names_are_text() -> None:
    body = text("MQTT") + bytes((4, 0xC2)) + b"\0\0" + text("ä") + text("ü") + binary(b"\xff\0")
    assert parse(frame(0x10, body), []) == [Connect("ä", username="ü", password=b"\xff\0")]


encoders: list[Callable[[], bytes]] = [lambda: text("x" * 65_536), lambda: binary(bytes(65_536))]


@pytest.mark.parametrize("encode", encoders)
def test_a_string_of_more_than_65535_bytes_is_not_encoded(encode: Callable[[], bytes]) -> None:
    with pytest.raises(OverflowError):
        encode()


def everything(stream: bytes, step: int, *, runs: bool) -> list[Packet]:
    """Return what a stream says, PUBACKs in a row taken at once or each by itself, until it is malformed."""
    parser, said = Parser(PACKET_BYTES_MAX), []
    with suppress(MalformedPacketError):
        for at in range(0, len(stream), step):
            parser.feed(stream[at : at + step])
            while (packet := parser.next()) is not None:
                said.append(packet)
                if runs and isinstance(packet, Puback):
                    said += [Puback(packet_id) for packet_id in parser.further_pubacks()]
    return said


RIGHT: list[Packet] = [
    Puback(1), Puback(65_535), Puback(2), Publish("a", b"\x40\x02\x00\x01", 1, packet_id=3), Pubrec(4), Pingreq(),
]  # fmt: skip
pieces = st.sampled_from(
    [packet.encode() for packet in RIGHT] + [b"\x40\x02\x00\x00", b"\x40\x82\x00\x00\x01", b"\x40"]
)


@modest
@given(st.lists(pieces, max_size=12).map(b"".join), st.integers(1, 60))
def test_pubacks_in_a_row_are_the_same_at_once_as_one_by_one(stream: bytes, step: int) -> None:
    assert everything(stream, step, runs=True) == everything(stream, step, runs=False)


def test_topics_found_right_are_remembered_within_bounds_and_wrong_ones_are_refused_every_time() -> None:
    def read(topic: bytes) -> Packet | None:
        parser = Parser(PACKET_BYTES_MAX)
        parser.feed(b"\x30" + bytes([2 + len(topic), 0, len(topic)]) + topic)
        return parser.next()

    for number in range(decoders._TOPICS_MAX + 10):
        assert read(b"t%d" % number) == Publish(f"t{number}", b"")
        assert len(decoders._TOPICS) <= decoders._TOPICS_MAX
    assert read(b"t1") == read(b"t1") == Publish("t1", b"")
    for wrong in (b"a/+", b"#", b"\xff", b"a\x00", b""):
        for _ in range(2):
            with pytest.raises(MalformedPacketError):
                read(wrong)
    long = "x" * (decoders._TOPIC_BYTES_MAX + 1)
    stream = Publish(long, b"").encode()
    parser = Parser(PACKET_BYTES_MAX)
    parser.feed(stream)
    assert parser.next() == Publish(long, b"")
    assert long.encode() not in decoders._TOPICS
