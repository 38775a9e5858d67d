"""A bad network between a node and its hub: it cuts, delays, truncates and duplicates connections.

::

    node ──▶ Proxy ──▶ hub        mode: whole | deaf (takes connections, passes nothing on)
                └────▶ hub                | short (passes some bytes, then cuts in the middle of a packet)
                                          | double (the node's bytes go to a second connection as well)
"""

from __future__ import annotations

import random
import selectors
import socket
import threading
from contextlib import suppress
from typing import Self

__all__ = ["MODES", "Proxy"]

MODES = ("whole", "deaf", "short", "double")
CHUNK_BYTES = 4096
TURN_S = 0.05


class _Line:
    """One connection of the node: its side, the hub's side, and perhaps a second one to the hub."""

    def __init__(self, node: socket.socket, hubs: list[socket.socket], bytes_left: int | None) -> None:
        self.node, self.hubs, self.bytes_left = node, hubs, bytes_left

    def sockets(self) -> list[socket.socket]:
        return [self.node, *self.hubs]


class Proxy:
    """Passes bytes on as its mode says; a mode holds for connections that are made from then on, `deaf` for all."""

    def __init__(self, port: int, seed: int = 1) -> None:
        self.mode = "whole"
        self.taken = 0
        self._to, self._rng = port, random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._lines: list[_Line] = []
        self._cut = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def cut(self) -> None:
        """End every connection there is, in the middle of whatever it says."""
        self._cut.set()

    def _run(self) -> None:
        while not self._over.is_set():
            for key, _events in self._selector.select(TURN_S):
                if key.fileobj is self._listener:
                    self._take()
                elif self.mode != "deaf" and key.data in self._lines:
                    self._pass_on(key.data, key.fileobj)  # type: ignore[arg-type]
            if self.mode == "deaf":
                self._over.wait(TURN_S)  # what is there to read stays there
            if self._cut.is_set():
                self._cut.clear()
                self._end_all()
        self._end_all()
        self._listener.close()
        self._selector.close()

    def _end_all(self) -> None:
        for line in list(self._lines):
            self._end(line)

    def _take(self) -> None:
        node, _address = self._listener.accept()
        self.taken += 1
        try:
            hubs = [socket.create_connection(("127.0.0.1", self._to), 5) for _ in range(1 + (self.mode == "double"))]
        except OSError:
            node.close()
            return
        line = _Line(node, hubs, self._rng.randrange(200, 6000) if self.mode == "short" else None)
        self._lines.append(line)
        for sock in line.sockets():
            self._selector.register(sock, selectors.EVENT_READ, line)

    def _pass_on(self, line: _Line, source: socket.socket) -> None:
        try:
            data = source.recv(CHUNK_BYTES)
            if line.bytes_left is not None:
                data = data[: line.bytes_left]
                line.bytes_left -= len(data)
            if source is line.node:
                for hub in line.hubs:
                    hub.sendall(data)
            elif source is line.hubs[0]:
                line.node.sendall(data)
        except OSError:
            data = b""
        if source in line.hubs[1:] and not data:  # the second connection ends as it likes
            self._selector.unregister(source)
            line.hubs.remove(source)
            source.close()
        elif not data or line.bytes_left == 0:
            self._end(line)

    def _end(self, line: _Line) -> None:
        self._lines.remove(line)
        for sock in line.sockets():
            with suppress(KeyError, ValueError):
                self._selector.unregister(sock)
            sock.close()
