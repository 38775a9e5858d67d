"""When a node is to stop: SIGTERM, SIGINT, or the end of its standard input where a supervisor holds it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress

__all__ = ["Stop"]


class Stop(threading.Event):
    """Set when the node is to end its work in good order."""

    def on_signals(self) -> None:
        """Set on SIGTERM and SIGINT; the second one ends the process at once."""

        def told(number: int, _frame: object) -> None:
            self.set()
            signal.signal(number, signal.SIG_DFL)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, told)

    def at_end_of_input(self) -> None:
        """Set when standard input ends: the supervisor that held the other end has gone."""
        if sys.stdin is None:  # closed from the start: descriptor 0 may by now be any other file
            self.set()
            return

        def watch() -> None:
            with suppress(OSError):
                while os.read(0, 4096):  # not sys.stdin: its lock would be held when the interpreter ends
                    pass
            self.set()

        threading.Thread(target=watch, name="end-of-input", daemon=True).start()
