"""The body of each packet: one decoder for each first byte that MQTT 3.1.1 allows.

A decoder takes the chunk that the packet lies in and where its body begins and ends. All are strict: what the
standard forbids raises MalformedPacketError with the section that says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

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
)
from mqtt_hub.broker.topics import check_filter

__all__ = ["DECODERS", "why_no_packet"]

_Decoder: TypeAlias = Callable[[int, bytes, int, int], Packet]  # first byte, chunk, begin, end of the body

_TOPICS: dict[bytes, str] = {}  # topics that were decoded and found right: clients publish on few
_TOPICS_MAX = 4096
_TOPIC_BYTES_MAX = 256  # of a topic that is remembered


def why_no_packet(first: int) -> str:
    """Return why no packet begins with the byte ``first``: a wrong type, or flags that it does not allow (2.2)."""
    kind = first >> 4
    if kind in (0, 15):
        return f"reserved packet type {kind} (2.2.1)"
    if kind == 3:
        return "PUBLISH with QoS 3" if first & 6 == 6 else "PUBLISH with DUP and QoS 0 (3.3.1)"
    return f"packet type {kind} with flags {first & 15:04b} (2.2.2)"


class _Fields:
    """A packet's body, read from front to end."""

    __slots__ = ("_at", "_chunk", "_name", "_stop")

    def __init__(self, name: str, chunk: bytes, at: int, stop: int) -> None:
        self._name, self._chunk, self._at, self._stop = name, chunk, at, stop

    def fail(self, why: str) -> MalformedPacketError:
        return MalformedPacketError(f"{self._name} {why}")

    @property
    def left(self) -> bool:
        return self._at < self._stop

    def take(self, count: int) -> bytes:
        at, self._at = self._at, self._at + count
        if self._at > self._stop:
            raise self.fail("that ends within a field")
        return self._chunk[at : self._at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def binary(self) -> bytes:
        return self.take(self.number(2))

    def text(self) -> str:
        return _decode_text(self.binary(), self._name)

    def packet_id(self) -> int:
        packet_id = self.number(2)
        if not packet_id:
            raise self.fail("with packet id 0 (2.3.1)")
        return packet_id

    def end(self) -> None:
        if self.left:
            raise self.fail(f"with {self._stop - self._at} bytes too many")


def _decode_text(raw: bytes, name: str) -> str:
    try:
        value = raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedPacketError(f"{name} with text that is not UTF-8 (1.5.3)") from error
    if "\0" in value:
        raise MalformedPacketError(f"{name} with U+0000 in its text (1.5.3)")
    return value


def _check_topic(topic: str, name: str) -> str:
    if not topic:
        raise MalformedPacketError(f"{name} with an empty topic (4.7.3)")
    if "+" in topic or "#" in topic:
        raise MalformedPacketError(f"{name} with a wildcard in its topic (3.3.2)")
    return topic


def _publish(first: int, chunk: bytes, at: int, stop: int) -> Publish:
    qos = first >> 1 & 3
    if stop - at < 2:
        raise MalformedPacketError("PUBLISH that ends within a field")
    topic_end = at + 2 + (chunk[at] << 8 | chunk[at + 1])
    payload_at = topic_end + 2 if qos else topic_end
    if payload_at > stop:
        raise MalformedPacketError("PUBLISH that ends within a field")
    raw_topic = chunk[at + 2 : topic_end]
    topic = _TOPICS.get(raw_topic)
    if topic is None:
        topic = _remembered(raw_topic, _check_topic(_decode_text(raw_topic, "PUBLISH"), "PUBLISH"))
    packet_id = 0
    if qos:
        packet_id = chunk[topic_end] << 8 | chunk[topic_end + 1]
        if not packet_id:
            raise MalformedPacketError("PUBLISH with packet id 0 (2.3.1)")
    # past the constructor of NamedTuple, which costs as much as all of the above
    return tuple.__new__(Publish, (topic, chunk[payload_at:stop], qos, first & 1 == 1, first & 8 == 8, packet_id))


def _remembered(raw_topic: bytes, topic: str) -> str:
    if len(raw_topic) <= _TOPIC_BYTES_MAX:
        if len(_TOPICS) >= _TOPICS_MAX:
            _TOPICS.clear()
        _TOPICS[raw_topic] = topic
    return topic


def _connect(_first: int, chunk: bytes, at: int, stop: int) -> Connect:
    fields = _Fields("CONNECT", chunk, at, stop)
    name, level = fields.text(), fields.number(1)
    if (name, level) == ("MQIsdp", 3) or (name == "MQTT" and level != PROTOCOL_LEVEL):
        return Connect("", level=level)  # another version: its CONNECT continues in its own way (3.1.2.2)
    if name != "MQTT":
        raise fields.fail(f"of protocol {name[:16]!r} (3.1.2.1)")
    flags, keep_alive_s = fields.number(1), fields.number(2)
    has_will, will_qos, will_retain = bool(flags & 0x04), flags >> 3 & 3, bool(flags & 0x20)
    if flags & 0x01:
        raise fields.fail("with its reserved flag set (3.1.2.3)")
    if will_qos == 3 or (not has_will and (will_qos or will_retain)):
        raise fields.fail("with impossible will flags (3.1.2.6)")
    if flags & 0xC0 == 0x40:
        raise fields.fail("with a password but no user name (3.1.2.9)")
    client_id = fields.text()
    will = None
    if has_will:
        will = Will(_check_topic(fields.text(), "CONNECT"), fields.binary(), will_qos, will_retain)
    username = fields.text() if flags & 0x80 else None
    password = fields.binary() if flags & 0x40 else None
    fields.end()
    return Connect(client_id, bool(flags & 0x02), keep_alive_s, username, password, will, level)


def _subscribe(_first: int, chunk: bytes, at: int, stop: int) -> Subscribe:
    fields = _Fields("SUBSCRIBE", chunk, at, stop)
    packet_id = fields.packet_id()
    filters = []
    while fields.left:
        name, qos = check_filter(fields.text()), fields.number(1)
        if qos > 2:
            raise fields.fail(f"with requested QoS byte {qos} (3.8.3)")
        filters.append((name, qos))
    if not filters:
        raise fields.fail("without a filter (3.8.3)")
    return Subscribe(packet_id, tuple(filters))


def _unsubscribe(_first: int, chunk: bytes, at: int, stop: int) -> Unsubscribe:
    fields = _Fields("UNSUBSCRIBE", chunk, at, stop)
    packet_id = fields.packet_id()
    filters = []
    while fields.left:
        filters.append(check_filter(fields.text()))
    if not filters:
        raise fields.fail("without a filter (3.10.3)")
    return Unsubscribe(packet_id, tuple(filters))


def _suback(_first: int, chunk: bytes, at: int, stop: int) -> Suback:
    fields = _Fields("SUBACK", chunk, at, stop)
    packet_id, codes = fields.packet_id(), tuple(fields.take(stop - at - 2))
    if not codes or any(code not in (0, 1, 2, 0x80) for code in codes):
        raise fields.fail("with impossible return codes (3.9.3)")
    return Suback(packet_id, codes)


def _connack(_first: int, chunk: bytes, at: int, stop: int) -> Connack:
    fields = _Fields("CONNACK", chunk, at, stop)
    flags, code = fields.number(1), fields.number(1)
    fields.end()
    if flags > 1 or (flags and code):
        raise fields.fail("with impossible flags (3.2.2)")
    return Connack(bool(flags), code)


def _acknowledgement(kind: type[Packet], name: str) -> _Decoder:
    """Return the decoder of a packet whose body is a packet id."""

    def decode(_first: int, chunk: bytes, at: int, stop: int) -> Packet:
        packet_id = chunk[at] << 8 | chunk[at + 1] if stop - at == 2 else 0
        if not packet_id:
            raise MalformedPacketError(f"{name} that is not two bytes of a packet id above 0 (2.3.1)")
        return tuple.__new__(kind, (packet_id,))

    return decode


def _bare(packet: Packet, name: str) -> _Decoder:
    """Return the decoder of a packet without a body."""

    def decode(_first: int, _chunk: bytes, at: int, stop: int) -> Packet:
        if at != stop:
            raise MalformedPacketError(f"{name} with a body")
        return packet

    return decode


DECODERS: dict[int, _Decoder] = {  # by the first byte: packet type and the flags that it allows (2.2.2)
    0x10: _connect,
    0x20: _connack,
    **{0x30 | flags: _publish for flags in (0, 1, 2, 3, 4, 5, 10, 11, 12, 13)},  # DUP needs QoS 1 or 2
    0x40: _acknowledgement(Puback, "PUBACK"),
    0x50: _acknowledgement(Pubrec, "PUBREC"),
    0x62: _acknowledgement(Pubrel, "PUBREL"),
    0x70: _acknowledgement(Pubcomp, "PUBCOMP"),
    0x82: _subscribe,
    0x90: _suback,
    0xA2: _unsubscribe,
    0xB0: _acknowledgement(Unsuback, "UNSUBACK"),
    0xC0: _bare(Pingreq(), "PINGREQ"),
    0xD0: _bare(Pingresp(), "PINGRESP"),
    0xE0: _bare(Disconnect(), "DISCONNECT"),
}
