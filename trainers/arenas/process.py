"""The parent's end of the evaluation process: start it, exchange frames within a deadline, kill it.

``child.py`` is the other end and describes the frames.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import select
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from trainers.arenas.errors import EvaluationError

__all__ = ["ENGINES", "Child", "engine_of", "wasmtime_folder"]

ENGINES = ("auto", "wasm", "reference")

REPLY_BYTES_MAX = 1 << 16
CHUNK_BYTES_MAX = 1 << 16  # written at once

_HERE = Path(__file__).parent


class Child:
    """The process, and frames to and from it within a deadline; ``filtered``: it may do few system calls.

    ``python`` and ``packages`` (where wasmtime is) are those of this process, unless machines are compared.
    """

    def __init__(
        self, folder: Path, *, filtered: bool = True, python: str = sys.executable, packages: str = ""
    ) -> None:
        arguments = [python, "-I", str(_HERE / "child.py"), str(folder), packages or wasmtime_folder()]
        arguments += [] if filtered else ["unfiltered"]
        pipe = subprocess.PIPE
        # A session of its own: Ctrl-C at the terminal is for the parent, which then closes the pipe.
        self._process = subprocess.Popen(
            arguments, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env={}, start_new_session=True
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        self.loaded: set[str] = set()

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def ask(self, header: dict[str, Any], blob: bytes | memoryview, deadline: float) -> dict[str, Any]:
        """Send a frame and return the reply's object."""
        text = orjson.dumps(header)
        self._send(struct.pack("<II", len(text), len(blob)) + text, deadline)
        self._send(blob, deadline)
        return self.receive(deadline)

    def receive(self, deadline: float) -> dict[str, Any]:
        """Return the next reply. Raises `TimeoutError`, or `EOFError` where the process has gone."""
        header, blob = struct.unpack("<II", self._read(8, deadline))
        if header + blob > REPLY_BYTES_MAX:
            raise EOFError("it sent no reply but noise")
        reply: dict[str, Any] = orjson.loads(self._read(header, deadline))
        return reply

    def end(self) -> int:
        """Kill the process, and return its exit status."""
        self._process.kill()
        with contextlib.suppress(OSError):
            self._process.communicate()
        return self._process.wait()

    def _send(self, data: bytes | memoryview, deadline: float) -> None:
        rest = memoryview(data)
        while rest:
            _wait(self._to, select.POLLOUT, deadline)
            rest = rest[os.write(self._to, rest[:CHUNK_BYTES_MAX]) :]

    def _read(self, size: int, deadline: float) -> bytes:
        buffer = io.BytesIO()
        while buffer.tell() < size:
            _wait(self._from, select.POLLIN, deadline)
            chunk = os.read(self._from, size - buffer.tell())
            if not chunk:
                raise EOFError("it closed its pipe")
            buffer.write(chunk)
        return buffer.getvalue()


def _wait(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def engine_of(engine: str) -> str:
    """Return what runs candidates: ``auto`` is ``wasm`` where wasmtime works, else ``reference``.

    Raises `EvaluationError` for what is none of ``ENGINES``.
    """
    if engine not in ENGINES:
        raise EvaluationError(f"there is no engine {engine!r}", hint=f"known: {', '.join(ENGINES)}")
    return ("wasm" if wasmtime_folder() else "reference") if engine == "auto" else engine


def wasmtime_folder() -> str:
    """Return the folder that holds a wasmtime with its native library, or an empty string."""
    spec = importlib.util.find_spec("wasmtime")
    if spec is None or not spec.submodule_search_locations:
        return ""
    package = Path(next(iter(spec.submodule_search_locations)))
    # The pure wheel that pip installs where there is no native one cannot work: it has no library.
    native = any(package.glob("*/*wasmtime.*"))
    return str(package.parent) if native else ""
