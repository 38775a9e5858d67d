"""One ring of events for all viewers: bounded, resumable, and nobody waits for the slowest.

::

    publish ──▶ [ f3 f4 f5 f6 f7 ]  FRAMES_MAX           a frame is encoded once, whoever reads it
                  ▲        ▲    ▲
               slow      most  newest                    a viewer is a place in the ring and a thread that waits
    older than f3: the viewer gets a ``gap`` instead and looks at the archive again

The id of an event is that of the newest archived message it tells of, so a browser that comes back (``Last-Event-ID``)
goes on where it was as long as the ring reaches back, and is told of the gap otherwise, also by another process.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from mqtt_hub.protocol.errors import MqttHubError

__all__ = ["FanOut", "TooManyViewersError"]

FRAMES_MAX = 256  # a minute at four a second
VIEWERS_MAX = 128  # each holds one thread of the server
HEARTBEAT_S = 10.0  # without news something is said all the same: each side notices when the other has gone
RETRY_MS = 1_000  # how long a browser waits before it comes back


class TooManyViewersError(MqttHubError):
    """Every place for a viewer of live updates is taken."""


@dataclass(frozen=True, slots=True)
class _Frame:
    number: int  # of the frame, without gaps
    after: int  # the archived messages that it tells of: after < id <= upto
    upto: int
    data: bytes


class FanOut:
    """Takes events from one side and hands them to every viewer."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frames: deque[_Frame] = deque(maxlen=FRAMES_MAX)
        self._number = 0
        self._upto = 0
        self._standing: dict[str, bytes] = {}  # events that a newcomer is told at once, the last of each name
        self._closed = False
        self.viewers = 0

    def publish(self, name: str, data: Any, *, after: int = 0, upto: int = 0, standing: bool = False) -> None:
        """Hand an event to all; a ``standing`` one also to everybody who comes later."""
        frame = _encoded(name, data, upto)
        with self._changed:
            self._number += 1
            self._upto = max(self._upto, upto)
            self._frames.append(_Frame(self._number, after, upto, frame))
            if standing:
                self._standing[name] = frame
            self._changed.notify_all()

    def close(self) -> None:
        """End every viewer's stream."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @contextmanager
    def viewer(self, last_id: int | None) -> Iterator[Iterator[bytes]]:
        """Take a place and yield the stream of one viewer; raises `TooManyViewersError`."""
        with self._changed:
            if self.viewers >= VIEWERS_MAX:
                raise TooManyViewersError(
                    f"{VIEWERS_MAX} viewers follow live already", hint="the page still works, reload it to see news"
                )
            self.viewers += 1
        try:
            yield self._stream(last_id)
        finally:
            with self._changed:
                self.viewers -= 1

    def _stream(self, last_id: int | None) -> Iterator[bytes]:
        with self._changed:
            greeting, seen = self._greeting(last_id)
        yield greeting
        while True:
            with self._changed:
                if not self._closed and self._number == seen:
                    self._changed.wait(HEARTBEAT_S)
                if self._closed:
                    return
                news = [frame for frame in self._frames if frame.number > seen]
                fell_behind = bool(news) and news[0].number > seen + 1
                seen = self._number
            parts = [frame.data for frame in news] or [_STILL]
            if fell_behind:
                parts.insert(0, _encoded("gap", {"upto": news[0].after}, 0))
            yield b"".join(parts)

    def _greeting(self, last_id: int | None) -> tuple[bytes, int]:
        """Return what a newcomer is told first, and the number of the last frame in it."""
        parts = [f"retry: {RETRY_MS}\n\n".encode(), *self._standing.values()]
        if last_id is not None:
            told = [frame for frame in self._frames if frame.upto > last_id]
            if last_id > self._upto or (told and told[0].after > last_id) or (not told and last_id < self._upto):
                parts.append(_encoded("gap", {"after": last_id, "upto": self._upto}, 0))
            else:
                parts += [frame.data for frame in told]
        return b"".join(parts), self._number


_STILL = b"event: still\ndata: {}\n\n"


def _encoded(name: str, data: Any, id_: int) -> bytes:
    line = f"id: {id_}\n" if id_ else ""
    return b"%sevent: %s\ndata: %s\n\n" % (line.encode(), name.encode(), orjson.dumps(data))
