"""The trainers' program, called: the hub never imports it. The recordings that come with it are fetched so."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import orjson

from mqtt_hub.protocol.errors import ConfigurationError, MqttHubError
from mqtt_hub.workload_store import StoredWorkload, WorkloadStore

__all__ = ["add_bundled", "kernel_trainer", "specializations"]

COMMAND_S_MAX = 60.0
LINES_MAX = 20  # of what it says on standard error
LINE_CHARS_MAX = 4096

_ERROR = "Error: "


def kernel_trainer(*arguments: str, codes: tuple[int, ...] = (0,), seconds_max: float = COMMAND_S_MAX) -> bytes:
    """Run a kernel-trainer command and return what it prints; its progress, if it shows any, is shown as it comes.

    Raises `ConfigurationError` with its complaint for a code not in ``codes``, `MqttHubError` where it cannot be run.
    """
    with (
        subprocess.Popen(
            [sys.executable, "-m", "trainers", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process,
        ThreadPoolExecutor(1) as aside,
    ):
        ended = threading.Timer(seconds_max, process.kill)
        ended.start()
        printed = aside.submit(_read, process.stdout)
        said = _forward(process.stderr)
        code = process.wait()
        in_time = ended.is_alive()
        ended.cancel()
    if code in codes:
        return printed.result()
    words = " ".join(word for word in arguments[:2] if word.isalpha())
    if not in_time:
        raise MqttHubError(f"kernel-trainer {words} took more than {seconds_max:.0f} s", hint="a part of it will do")
    complaint = said[-1] if said else str(code)
    if complaint.startswith(_ERROR):
        raise ConfigurationError(complaint.removeprefix(_ERROR))
    raise MqttHubError(
        f"kernel-trainer {words} failed: {complaint}",
        hint="is the trainer extra installed? pip install '.[hub,trainer]'",
    )


def _read(stream: IO[bytes] | None) -> bytes:
    return stream.read() if stream else b""


def _forward(stream: IO[bytes] | None) -> list[str]:
    """Show progress, lines that end with a carriage return; return the other lines."""
    said = deque[str](maxlen=LINES_MAX)
    with io.TextIOWrapper(stream, errors="replace", newline="") as lines:  # type: ignore[type-var]
        while line := lines.readline(LINE_CHARS_MAX):
            if line.endswith("\r"):
                sys.stderr.write(line)
                sys.stderr.flush()
            elif line.strip():
                said.append(line.strip())
    return list(said)


def specializations() -> list[str]:
    """Return what nodes can specialize in and find recordings for, each once, in the trainers' order."""
    kinds = [orjson.loads(line) for line in kernel_trainer("kinds", "--json").splitlines()]
    return list(dict.fromkeys(name for kind in kinds if kind["workloads"] for name in kind["specializations"]))


def add_bundled(store: WorkloadStore, *, some: Mapping[str, Collection[str]] | None = None) -> list[StoredWorkload]:
    """Put the bundled workloads, train and hidden parts, into the hub's store.

    ``some`` names the only ones wanted of a kind; kinds that it does not name come whole.
    """
    with tempfile.TemporaryDirectory(prefix="mqtt-hub-") as directory:
        kernel_trainer("workload", "bundled", "--output", directory)
        paths = sorted(Path(directory).glob("*.workload"))
        return [store.add(path.read_bytes()) for path in paths if _wanted(path, some or {})]


def _wanted(path: Path, some: Mapping[str, Collection[str]]) -> bool:
    kind, _, rest = path.name.partition(".")  # KIND.NAME.PART.workload
    return kind not in some or rest.rsplit(".", 2)[0] in some[kind]
