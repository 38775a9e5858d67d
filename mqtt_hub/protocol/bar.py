r"""A progress bar for what takes longer than two seconds, on a stream whose lines end with a carriage return.

::

    with Bar.on_terminal() as bar:
        rows = bar.watch("reading", rows, total)      reading            [######--------------]  30 %
        bar.stage("packing")                          packing            12 s
        bar.aside()                                   (wiped out: a line of output follows)

It is drawn by a thread of its own, so work that cannot be watched shows its seconds. At the end it is wiped out.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TextIO, TypeVar

__all__ = ["AFTER_S", "Bar"]

AFTER_S = 2.0
REDRAWN_S = 0.5
CELLS = 20
LINE_CHARS = 60
COUNT_EVERY = 1024  # items between two looks at how many there were

T = TypeVar("T")


class Bar:
    """Stages of a long work; one at a time."""

    def __init__(self, stream: TextIO, *, shown: bool, after_s: float = AFTER_S) -> None:
        self._stream, self._shown, self._after_s = stream, shown, after_s
        self._begun = time.monotonic()
        self._label, self._done, self._total = "", 0, 0
        self._over = threading.Event()
        self._drawing, self._drawn = threading.Lock(), False
        self._thread = threading.Thread(target=self._draw, daemon=True)

    @classmethod
    def on_terminal(cls) -> Self:
        """Return a bar on standard error; nothing is shown where that is no terminal."""
        return cls(sys.stderr, shown=sys.stderr.isatty())

    def __enter__(self) -> Self:
        """Begin to count the seconds."""
        if self._shown:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wipe it out."""
        self._over.set()
        if self._shown:
            self._thread.join()

    def stage(self, label: str) -> None:
        """Say what is done now, of which nobody knows how far it is."""
        self._label, self._done, self._total = label, 0, 0

    def aside(self) -> None:
        """Wipe it out for a line of output; it is drawn again below."""
        with self._drawing:
            if self._drawn:
                self._stream.write(" " * LINE_CHARS + "\r")
                self._stream.flush()
            self._drawn = False

    def watch(self, label: str, items: Iterable[T], total: int) -> Iterator[T]:
        """Yield the items, of which there are about ``total``."""
        self._label, self._done, self._total = label, 0, total
        for number, item in enumerate(items):
            if not number % COUNT_EVERY:
                self._done = number
            yield item

    def line(self) -> str:
        """Return what is shown now."""
        if not self._total:
            return f"{self._label:<28} {time.monotonic() - self._begun:.0f} s"
        share = min(1.0, self._done / self._total)
        cells = round(CELLS * share)
        return f"{self._label:<28} [{'#' * cells}{'-' * (CELLS - cells)}] {share:4.0%}"

    def _draw(self) -> None:
        if self._over.wait(self._after_s):
            return
        while True:
            with self._drawing:
                self._stream.write(f"{self.line()[:LINE_CHARS]:<{LINE_CHARS}}\r")
                self._stream.flush()
                self._drawn = True
            if self._over.wait(REDRAWN_S):
                break
        self.aside()
