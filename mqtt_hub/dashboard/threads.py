"""As many threads as there is work for: viewers come in crowds, and for days there may be two.

::

    connection ──▶ queue ──▶ thread      fewer than SPARE_THREADS free ──▶ as many more, up to the most
                               │
                               └── `rest`, each minute: more than twice as many free ──▶ the surplus ends

Threads take turns, and each keeps a stack and freed memory of its own: with one for every viewer that may come, a
dashboard at which two people look takes 8 MiB more, and goes on growing until each of them has served every page.
"""

from __future__ import annotations

import threading

from cheroot.server import HTTPServer
from cheroot.workers.threadpool import ThreadPool

__all__ = ["SPARE_THREADS", "Threads"]

SPARE_THREADS = 8  # for pages and JSON, however many threads hold a viewer's stream


class Threads(ThreadPool):
    """Cheroot's pool, which grows before somebody has to wait."""

    def __init__(self, server: HTTPServer, most: int) -> None:
        super().__init__(server, min=SPARE_THREADS, max=most)
        self._changing = threading.Lock()  # cheroot's pool is changed by its server's thread alone

    def put(self, obj: object) -> None:
        """Queue a connection for the next free thread."""
        with self._changing:
            # The dead would count as threads of which there may be no more.
            self._clear_dead_threads()  # type: ignore[attr-defined]  # its stubs tell of public names only
            # One counts as free for a moment after it has taken a connection: that is what the spare ones are for.
            if self.idle - self._queue.qsize() < SPARE_THREADS:  # type: ignore[attr-defined]
                self.grow(SPARE_THREADS)  # at once: cheroot may wait .1 s for each growth
        super().put(obj)

    def rest(self) -> None:
        """End the threads that a crowd has left."""
        with self._changing:
            self.shrink(self.idle - 2 * SPARE_THREADS)
