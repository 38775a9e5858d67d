"""Feed the packet parser streams in every split, and look for streams that make it say something new.

::

    corpus/streams.hex ──▶ damage (flip, cut, repeat, join) ──▶ outcome(stream) ── seen? no ──▶ kept in the corpus

``python -m tests.conformance.fuzz 60`` searches for 60 seconds. An outcome is which packet came out last and
what was wrong with the next one; the corpus holds one stream for each that was ever found.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from mqtt_hub.broker.packets import MalformedPacketError, Packet, Publish
from mqtt_hub.broker.parser import Parser
from tests.broker.malformed import MALFORMED, MISPLACED

__all__ = ["CORPUS", "corpus", "outcome", "read"]

CORPUS = Path(__file__).with_name("corpus") / "streams.hex"
PACKET_BYTES_MAX = 4096
STREAM_BYTES_MAX = 256  # so that every split of every stream can be tried


def corpus() -> list[bytes]:
    """Return the kept streams."""
    return [bytes.fromhex(line) for line in CORPUS.read_text().split()] if CORPUS.exists() else []


def read(stream: bytes, cuts: Iterable[int] = ()) -> tuple[list[Packet], str, int]:
    """Return the packets of a stream fed in pieces, what was wrong with the next, and how many bytes wait."""
    parser = Parser(PACKET_BYTES_MAX)
    packets: list[Packet] = []
    edges = [0, *cuts, len(stream)]
    try:
        for begin, end in pairwise(edges):
            parser.feed(stream[begin:end])
            while (packet := parser.next()) is not None:
                packets.append(packet)
    except MalformedPacketError as error:
        return packets, error.facts, 0
    return packets, "", parser.buffered_bytes


def outcome(stream: bytes) -> tuple[object, ...]:
    """Return what is new about a stream if no other has it: its last packet, what is wrong, what is waited for."""
    packets, fault, waiting = read(stream)
    last = packets[-1] if packets else None
    flags = (last.qos, last.retain, last.dup) if isinstance(last, Publish) else ()
    return (
        type(last).__name__,
        flags,
        re.sub(r"of protocol .* \(", "of protocol … (", re.sub(r"\d+", "…", fault)),
        waiting > 0,
    )


def damaged(rng: random.Random, streams: list[bytes]) -> bytes:
    """Return a stream made of others."""
    stream = bytearray(rng.choice(streams))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(stream) + 1)
        match rng.randrange(5):
            case 0 if stream:
                stream[at % len(stream)] = rng.randrange(256)
            case 1:
                stream[at:at] = rng.randbytes(rng.randint(1, 3))
            case 2:
                del stream[at : at + rng.randint(1, 4)]
            case 3:
                stream += rng.choice(streams)
            case _ if stream:
                stream[at % len(stream)] ^= 1 << rng.randrange(8)
    return bytes(stream[:STREAM_BYTES_MAX])


def main(seconds: float) -> None:
    """Search, and keep what is new."""
    streams = corpus()
    known = {outcome(stream) for stream in streams}
    rng = random.Random()
    seeds = [*MALFORMED.values(), *MISPLACED.values()]
    end, tried = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        stream = seeds.pop() if seeds else damaged(rng, streams)
        tried += 1
        if 0 < len(stream) <= STREAM_BYTES_MAX and (found := outcome(stream)) not in known:
            known.add(found)
            streams.append(stream)
    CORPUS.write_text(
        "".join(f"{stream.hex()}\n" for stream in sorted(streams, key=lambda stream: (len(stream), stream)))
    )
    print(f"{tried} streams tried, {len(streams)} kept")  # noqa: T201 — a tool's answer


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
