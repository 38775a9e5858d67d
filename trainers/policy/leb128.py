"""The WebAssembly binary format's integers, vectors and names (core specification, section 5)."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["sized", "sleb", "text", "uleb", "vector"]


def uleb(value: int) -> bytes:
    """Return an unsigned integer in base 128, low digit first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sleb(value: int) -> bytes:
    """Return a signed integer in base 128; bit 6 of the last digit is the sign."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def sized(body: bytes) -> bytes:
    """Return ``body`` behind its length in bytes."""
    return uleb(len(body)) + body


def vector(items: Sequence[bytes]) -> bytes:
    """Return items behind their number."""
    return uleb(len(items)) + b"".join(items)


def text(name: str) -> bytes:
    """Return a name behind its length in UTF-8 bytes."""
    return sized(name.encode())
