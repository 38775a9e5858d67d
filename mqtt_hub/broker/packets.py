"""The fourteen packets of MQTT 3.1.1 as values, and each as bytes. No I/O, no state.

::

    client ──▶ CONNECT  PUBLISH  SUBSCRIBE  UNSUBSCRIBE  PINGREQ   DISCONNECT
    broker ──▶ CONNACK  PUBLISH  SUBACK     UNSUBACK     PINGRESP
    either ──▶ PUBACK (QoS 1)    PUBREC, PUBREL, PUBCOMP (QoS 2)

``packet.encode()`` gives the bytes; `mqtt_hub.broker.parser` is the way back. Section numbers are those of
the OASIS standard MQTT Version 3.1.1.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, TypeAlias

from mqtt_hub.protocol.errors import ProtocolError

__all__ = [
    "PROTOCOL_LEVEL",
    "Connack",
    "Connect",
    "Disconnect",
    "MalformedPacketError",
    "Packet",
    "Pingreq",
    "Pingresp",
    "Puback",
    "Pubcomp",
    "Publish",
    "Pubrec",
    "Pubrel",
    "ReturnCode",
    "Suback",
    "Subscribe",
    "Unsuback",
    "Unsubscribe",
    "Will",
    "acknowledgement",
    "frame",
    "publish_head",
    "text",
]

PROTOCOL_LEVEL = 4  # of MQTT 3.1.1 in CONNECT, 3.1.2.2
_REMAINING_LENGTH_MAX = 268_435_455  # four bytes of seven bits, 2.2.3
_ACK = struct.Struct(">BBH").pack
_HEAD = struct.Struct(">BBBH")  # first byte, two digits of remaining length, length of the topic


class MalformedPacketError(ProtocolError):
    """Bytes that no MQTT 3.1.1 client may send; the connection must be closed (4.8)."""


class ReturnCode:
    """Return codes of CONNACK (3.2.2.3), and the one of SUBACK that refuses (3.9.3)."""

    ACCEPTED = 0
    UNACCEPTABLE_PROTOCOL_LEVEL = 1
    IDENTIFIER_REJECTED = 2
    SERVER_UNAVAILABLE = 3
    NOT_AUTHORIZED = 5
    SUBSCRIPTION_REFUSED = 0x80


def frame(first: int, body: bytes) -> bytes:
    """Put the fixed header before ``body``: first byte, remaining length (2.2)."""
    return bytes((first,)) + _remaining_length(len(body)) + body


def _remaining_length(length: int) -> bytes:
    if length > _REMAINING_LENGTH_MAX:
        raise ValueError(f"{length} bytes do not fit into an MQTT packet")
    digits = bytearray()
    while length > 0x7F:
        digits.append(length & 0x7F | 0x80)
        length >>= 7
    digits.append(length)
    return bytes(digits)


def text(value: str) -> bytes:
    """Encode a string with its two bytes of length (1.5.3)."""
    return binary(value.encode())


def binary(value: bytes) -> bytes:
    """Encode bytes with their two bytes of length (will message and password, 3.1.3)."""
    return len(value).to_bytes(2, "big") + value


def publish_head(topic: bytes, payload_bytes: int, flags: int) -> bytes:
    """Return the bytes of a PUBLISH up to the packet id, which alone differs between receivers (3.3).

    ``flags`` are those of its first byte: 8 for DUP, the QoS times 2, 1 for RETAIN.
    """
    length = 2 + len(topic) + (2 if flags & 6 else 0) + payload_bytes
    first = 0x30 | flags
    if 0x80 <= length < 0x4000:  # most
        return _HEAD.pack(first, length & 0x7F | 0x80, length >> 7, len(topic)) + topic
    return bytes((first,)) + _remaining_length(length) + len(topic).to_bytes(2, "big") + topic


def acknowledgement(first: int, packet_id: int) -> bytes:
    """Return the packet of four bytes that begins with ``first``: PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK."""
    return _ACK(first, 2, packet_id)


class Will(NamedTuple):
    """The message that the broker publishes if the connection ends without DISCONNECT (3.1.2.5)."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


class Connect(NamedTuple):
    """CONNECT (3.1). ``level`` is checked by the broker: it answers a wrong one (3.1.2.2)."""

    client_id: str
    clean_session: bool = True
    keep_alive_s: int = 0
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    level: int = PROTOCOL_LEVEL

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        flags = self.clean_session << 1
        body = text(self.client_id)
        if self.will is not None:
            flags |= 0x04 | self.will.qos << 3 | self.will.retain << 5
            body += text(self.will.topic) + binary(self.will.payload)
        if self.username is not None:
            flags |= 0x80
            body += text(self.username)
        if self.password is not None:
            flags |= 0x40
            body += binary(self.password)
        head = text("MQTT") + bytes((self.level, flags)) + self.keep_alive_s.to_bytes(2, "big")
        return frame(0x10, head + body)


class Connack(NamedTuple):
    """CONNACK (3.2)."""

    session_present: bool
    code: int

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        return bytes((0x20, 2, self.session_present, self.code))


class Publish(NamedTuple):
    """PUBLISH (3.3). ``packet_id`` is 0 with QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        topic = self.topic.encode()
        head = publish_head(topic, len(self.payload), self.dup << 3 | self.qos << 1 | self.retain)
        return head + (self.packet_id.to_bytes(2, "big") if self.qos else b"") + self.payload


class Puback(NamedTuple):
    """PUBACK (3.4): a QoS 1 message has been taken over."""

    packet_id: int

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        return acknowledgement(0x40, self.packet_id)


class Pubrec(NamedTuple):
    """PUBREC (3.5): a QoS 2 message has been taken over."""

    packet_id: int

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        return acknowledgement(0x50, self.packet_id)


class Pubrel(NamedTuple):
    """PUBREL (3.6): the sender forgets a QoS 2 message."""

    packet_id: int

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        return acknowledgement(0x62, self.packet_id)


class Pubcomp(NamedTuple):
    """PUBCOMP (3.7): the receiver forgets a QoS 2 packet id."""

    packet_id: int

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        return acknowledgement(0x70, self.packet_id)


class Subscribe(NamedTuple):
    """SUBSCRIBE (3.8): filters with the QoS asked for."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        body = b"".join(text(name) + bytes((qos,)) for name, qos in self.filters)
        return frame(0x82, self.packet_id.to_bytes(2, "big") + body)


class Suback(NamedTuple):
    """SUBACK (3.9): the QoS granted for each filter, or 0x80."""

    packet_id: int
    codes: tuple[int, ...]

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        return frame(0x90, self.packet_id.to_bytes(2, "big") + bytes(self.codes))


class Unsubscribe(NamedTuple):
    """UNSUBSCRIBE (3.10)."""

    packet_id: int
    filters: tuple[str, ...]

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        return frame(0xA2, self.packet_id.to_bytes(2, "big") + b"".join(map(text, self.filters)))


class Unsuback(NamedTuple):
    """UNSUBACK (3.11)."""

    packet_id: int

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        return acknowledgement(0xB0, self.packet_id)


class Pingreq(NamedTuple):
    """PINGREQ (3.12)."""

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        return b"\xc0\x00"


class Pingresp(NamedTuple):
    """PINGRESP (3.13)."""

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        return b"\xd0\x00"


class Disconnect(NamedTuple):
    """DISCONNECT (3.14)."""

    def encode(self) -> bytes:
        """Return the packet's bytes."""
        return b"\xe0\x00"


Packet: TypeAlias = (
    Connect
    | Connack
    | Publish
    | Puback
    | Pubrec
    | Pubrel
    | Pubcomp
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Pingreq
    | Pingresp
    | Disconnect
)
