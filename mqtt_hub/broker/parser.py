"""Bytes in, packets out: an incremental MQTT 3.1.1 parser that takes any split of the stream.

::

    feed(bytes) ──▶ [ partial: a packet's beginning ] ──▶ chunk ──▶ next() ──▶ Packet | None (more bytes needed)
                                                                        └────▶ MalformedPacketError: close

A chunk is scanned in place and only a payload is copied; what is left of it at the end (less than one packet)
waits in ``partial``. The first byte of a packet selects its decoder, so wrong types and flags are refused
before the body arrives, and so is a length above the bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import iter_unpack

from mqtt_hub.broker.decoders import DECODERS, why_no_packet
from mqtt_hub.broker.packets import MalformedPacketError, Packet

__all__ = ["Parser"]

_LENGTH_DIGITS_MAX = 4  # 2.2.3
_PUBACK = 0x40020000  # a PUBACK as a number: type, remaining length, and the packet id, which is not 0


class Parser:
    """The packets of one byte stream; after a MalformedPacketError the stream is lost."""

    def __init__(self, packet_bytes_max: int) -> None:
        self.packet_bytes_max = packet_bytes_max
        self._chunk = b""
        self._at = 0
        self._partial = bytearray()
        self._needed = 0  # bytes that the partial packet must have before it is worth a look

    @property
    def buffered_bytes(self) -> int:
        """How many bytes wait to become packets."""
        return len(self._partial) + len(self._chunk) - self._at

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream, split anywhere."""
        if self._at < len(self._chunk):  # the reader has not asked for all of the last chunk yet
            self._chunk = self._chunk[self._at :] + data
        elif self._partial:
            self._partial += data
            if len(self._partial) < self._needed:
                return
            self._chunk = bytes(self._partial)
            self._partial.clear()
        else:
            self._chunk = data
        self._at = 0

    def next(self) -> Packet | None:
        """Return the next packet, or None if more bytes are needed.

        Raises MalformedPacketError for bytes that MQTT 3.1.1 forbids or a packet above ``packet_bytes_max``.
        """
        chunk, at = self._chunk, self._at
        end = len(chunk)
        if at == end:
            return None
        first = chunk[at]
        decode = DECODERS.get(first)
        if decode is None:
            raise MalformedPacketError(why_no_packet(first))
        body = at + 1
        length = shift = 0
        while True:
            if body == end:
                self._wait_for(end - at + 1)
                return None
            digit = chunk[body]
            body += 1
            if digit < 0x80:
                length |= digit << shift
                break
            length |= (digit & 0x7F) << shift
            shift += 7
            if shift == 7 * _LENGTH_DIGITS_MAX:
                raise MalformedPacketError("remaining length of more than four bytes (2.2.3)")
        stop = body + length
        if stop - at > self.packet_bytes_max:
            raise MalformedPacketError(f"packet of {stop - at} bytes, at most {self.packet_bytes_max} are taken")
        if stop > end:
            self._wait_for(stop - at)
            return None
        self._at = stop
        return decode(first, chunk, body, stop)

    def further_pubacks(self) -> Sequence[int]:
        """Return the packet ids of the PUBACKs that come next without anything between them.

        A reader at work says little else, so they are read at once; what is no right PUBACK is left to ``next``.
        """
        chunk, at = self._chunk, self._at
        if len(chunk) - at < 4:
            return ()
        ids: list[int] = []
        for (word,) in iter_unpack(">I", chunk[at : len(chunk) - (len(chunk) - at) % 4]):
            if not _PUBACK < word <= _PUBACK | 0xFFFF:
                break
            ids.append(word & 0xFFFF)
        self._at = at + 4 * len(ids)
        return ids

    def _wait_for(self, packet_bytes: int) -> None:
        self._partial += self._chunk[self._at :]
        self._chunk = b""
        self._at = 0
        self._needed = packet_bytes
