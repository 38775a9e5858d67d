"""Bytes that no MQTT 3.1.1 client may send, by what is wrong with them: the kept corpus."""

from __future__ import annotations

from mqtt_hub.broker.packets import binary, frame, text

__all__ = ["MALFORMED", "MISPLACED"]


def connect(flags: int, payload: bytes, *, name: str = "MQTT", level: int = 4) -> bytes:
    return frame(0x10, text(name) + bytes((level, flags)) + b"\0\x3c" + payload)


MALFORMED = {  # on any connection
    "reserved packet type 0": b"\0\0",
    "reserved packet type 15": b"\xf0\0",
    "remaining length of five bytes": b"\x30\xff\xff\xff\xff\x01",
    "PUBLISH with QoS 3": frame(0x36, text("t") + b"\0\1x"),
    "PUBLISH with DUP and QoS 0": frame(0x38, text("t") + b"x"),
    "PUBLISH with an empty topic": frame(0x30, text("") + b"x"),
    "PUBLISH with NUL in the topic": frame(0x30, text("a\0b") + b"x"),
    "PUBLISH with + in the topic": frame(0x30, text("a/+") + b"x"),
    "PUBLISH with # in the topic": frame(0x30, text("a/#") + b"x"),
    "PUBLISH with a topic that is not UTF-8": frame(0x30, binary(b"a\xff") + b"x"),
    "PUBLISH with an overlong UTF-8 sequence": frame(0x30, binary(b"a\xc0\x80") + b"x"),
    "PUBLISH with a UTF-8 surrogate": frame(0x30, binary(b"a\xed\xa0\x80") + b"x"),
    "PUBLISH with packet id 0": frame(0x32, text("t") + b"\0\0x"),
    "PUBLISH that ends within its topic": frame(0x30, b"\0\5ab"),
    "PUBLISH without a topic length": frame(0x30, b"\0"),
    "PUBLISH that ends within its packet id": frame(0x32, text("t") + b"\0"),
    "SUBSCRIBE with flags 0000": frame(0x80, b"\0\1" + text("t") + b"\0"),
    "SUBSCRIBE without a filter": frame(0x82, b"\0\1"),
    "SUBSCRIBE with QoS 3": frame(0x82, b"\0\1" + text("t") + b"\3"),
    "SUBSCRIBE with reserved QoS bits": frame(0x82, b"\0\1" + text("t") + b"\x81"),
    "SUBSCRIBE with packet id 0": frame(0x82, b"\0\0" + text("t") + b"\0"),
    "SUBSCRIBE with an empty filter": frame(0x82, b"\0\1" + text("") + b"\0"),
    "SUBSCRIBE with # before the last level": frame(0x82, b"\0\1" + text("a/#/b") + b"\0"),
    "SUBSCRIBE with # within a level": frame(0x82, b"\0\1" + text("a#") + b"\0"),
    "SUBSCRIBE with + within a level": frame(0x82, b"\0\1" + text("a/b+") + b"\0"),
    "SUBSCRIBE that ends before its QoS": frame(0x82, b"\0\1" + text("t")),
    "UNSUBSCRIBE with flags 0000": frame(0xA0, b"\0\1" + text("t")),
    "UNSUBSCRIBE without a filter": frame(0xA2, b"\0\1"),
    "UNSUBSCRIBE with packet id 0": frame(0xA2, b"\0\0" + text("t")),
    "PUBACK with packet id 0": frame(0x40, b"\0\0"),
    "PUBACK of three bytes": frame(0x40, b"\0\1\0"),
    "PUBACK with flags 0001": frame(0x41, b"\0\1"),
    "PUBREL with flags 0000": frame(0x60, b"\0\1"),
    "PUBREC of one byte": frame(0x50, b"\1"),
    "PINGREQ with a body": frame(0xC0, b"\0"),
    "PINGREQ with flags 0001": b"\xc1\0",
    "DISCONNECT with flags 0001": b"\xe1\0",
    "DISCONNECT with a body": frame(0xE0, b"\0"),
    "CONNECT with the reserved flag": connect(0x03, text("c")),
    "CONNECT of another protocol": connect(0x02, text("c"), name="HTTP"),
    "CONNECT with will QoS 3": connect(0x1E, text("c") + text("w") + binary(b"")),
    "CONNECT with will QoS but no will": connect(0x0A, text("c")),
    "CONNECT with will retain but no will": connect(0x22, text("c")),
    "CONNECT with a wildcard in the will topic": connect(0x06, text("c") + text("w/#") + binary(b"")),
    "CONNECT with a password but no user name": connect(0x42, text("c") + binary(b"p")),
    "CONNECT that ends before its will": connect(0x06, text("c")),
    "CONNECT with bytes after its end": connect(0x02, text("c") + b"x"),
}

MISPLACED = {  # well-formed, but not from a client that is connected already
    "a second CONNECT": connect(0x02, text("c")),
    "CONNACK": b"\x20\2\0\0",
    "SUBACK": frame(0x90, b"\0\1\0"),
    "UNSUBACK": frame(0xB0, b"\0\1"),
    "PINGRESP": b"\xd0\0",
}
