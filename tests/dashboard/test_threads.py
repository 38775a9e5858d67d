"""The dashboard's server has as many threads as work for them, and some to spare."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from urllib.request import urlopen

from cheroot import wsgi

from mqtt_hub.dashboard.threads import SPARE_THREADS, Threads
from tests.node.fleet import DEADLINE_S, until

MOST = 3 * SPARE_THREADS + 1


class Site:
    """A server whose path /hold keeps its thread until the end; any other is answered at once."""

    def __init__(self) -> None:
        self.end = threading.Event()
        self.held = threading.Semaphore(0)
        self._server = wsgi.Server(("127.0.0.1", 0), self._answer, request_queue_size=2 * MOST)
        self._server.requests = self.threads = Threads(self._server, MOST)
        self._server.prepare()
        self.port: int = self._server.bind_addr[1]
        self._serving = threading.Thread(target=self._server.serve)
        self._serving.start()

    def close(self) -> None:
        self.end.set()
        self._server.stop()
        self._serving.join()

    def running(self) -> int:
        return sum(thread.name.startswith("CP Server") for thread in threading.enumerate())

    def hold(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), DEADLINE_S)
        connection.sendall(b"GET /hold HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        return connection

    def _answer(self, environ: dict[str, object], start: Callable[..., object]) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        if environ["PATH_INFO"] == "/hold":
            self.held.release()
            self.end.wait(DEADLINE_S)
        return [b"here"]


@contextmanager
def site() -> Iterator[Site]:
    with closing(Site()) as made:
        yield made


def test_requests_one_after_another_need_but_a_few_threads() -> None:
    with site() as made:
        for _ in range(4 * SPARE_THREADS):
            with urlopen(f"http://127.0.0.1:{made.port}/", timeout=DEADLINE_S) as answer:
                assert answer.read() == b"here"
        assert made.running() <= 2 * SPARE_THREADS


def test_a_crowd_gets_threads_up_to_the_most_and_they_end_when_it_has_gone() -> None:
    with site() as made:
        for _ in range(2):  # the second finds no place taken by what the first has left
            with ExitStack() as stack:
                made.end.clear()
                for _ in range(MOST + 3):
                    stack.enter_context(closing(made.hold()))
                for _ in range(MOST):
                    assert made.held.acquire(timeout=DEADLINE_S)
                assert made.running() == MOST
                made.end.set()
                for _ in range(3):  # who had to wait is served now
                    assert made.held.acquire(timeout=DEADLINE_S)
            until(lambda: made.threads.idle == MOST)
            made.threads.rest()
            until(lambda: made.running() == 2 * SPARE_THREADS)


def test_pages_are_answered_while_a_crowd_holds_its_threads() -> None:
    with site() as made, ExitStack() as stack:
        for _ in range(MOST - SPARE_THREADS):
            stack.enter_context(closing(made.hold()))
        for _ in range(MOST - SPARE_THREADS):
            assert made.held.acquire(timeout=DEADLINE_S)
        with urlopen(f"http://127.0.0.1:{made.port}/", timeout=DEADLINE_S) as answer:
            assert answer.read() == b"here"
