"""Record which file pages a command asks for, through strace.

::

    strace -f -y … COMMAND ─▶ log ─▶ replay: descriptors and offsets ─▶ (file, page), (file, page), …

A page is 4 KiB of a file: each page that a read or write covers, in order, and each page of a mapping once,
when it is made (which overstates how sequential mapped files are used). Pipes, sockets, terminals and the
kernel's own file systems have no pages. A file position inherited over fork is followed, two processes that
move one shared position in turns are not. The log is a temporary file, removed in any case.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import workload
from trainers.workloads.tracers import Recording, bounded, name_of, origin_of, tracer

__all__ = ["PAGE_BYTES", "pages_of", "record"]

PAGE_BYTES = 4096
LOG_BYTES_MAX = 4 << 30
LINE_CHARS_MAX = 1 << 14  # of the log; a path has at most 4,096 bytes, escaped
CALLS = ("read", "pread64", "write", "pwrite64", "mmap", "openat", "lseek")

_UNFINISHED = re.compile(r"(\d+) +(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)$")
_CALL = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\w+)(?:<((?:[^>\\]|\\.)*)>)?")
_DESCRIPTOR = re.compile(r"(\d+)<(/(?:[^>\\]|\\.)*)>")
_NO_FILES = ("/dev/", "/proc/", "/sys/")


@dataclass(slots=True)
class _Files:
    """Where each descriptor of each process stands in its file."""

    positions: dict[tuple[int, int], tuple[str, int]] = field(default_factory=dict)
    latest: dict[tuple[int, str], int] = field(default_factory=dict)  # by descriptor and path, whatever process
    ends: dict[str, int] = field(default_factory=dict)

    def position(self, process: int, descriptor: int, path: str) -> int:
        known = self.positions.get((process, descriptor))
        if known is not None and known[0] == path:
            return known[1]
        return self.latest.get((descriptor, path), 0)

    def move(self, process: int, descriptor: int, path: str, position: int) -> None:
        self.positions[process, descriptor] = (path, position)
        self.latest[descriptor, path] = position
        self.ends[path] = max(self.ends.get(path, 0), position)


def record(
    command: Sequence[str],
    *,
    name: str | None = None,
    origin: str | None = None,
    capacity: int | None = None,
    part: str = "whole",
) -> Recording:
    """Run ``command`` to its end under strace and return the pages of files that it asked for.

    Raises `WorkloadError` where strace or the command is missing, or nothing was recorded.
    """
    strace = tracer("strace", command, "page_replacement")
    name = name or name_of(command)
    origin = origin_of(command) if origin is None else origin
    with tempfile.TemporaryDirectory(prefix="workload-") as folder:
        log = Path(folder) / "strace.log"
        options = ["-f", "-qq", "-y", "-s0", "-e", f"trace={','.join(CALLS)}", "-e", "signal=none", "-o", str(log)]
        status = subprocess.run([strace, *options, "--", *command], check=False).returncode
        if not log.exists() or not log.stat().st_size:
            raise WorkloadError(
                f"strace recorded nothing (exit status {status})", hint="is tracing allowed here? try: strace true"
            )
        if log.stat().st_size > LOG_BYTES_MAX:
            raise WorkloadError(f"the log has more than {LOG_BYTES_MAX} bytes", hint="record a shorter run")
        with log.open(encoding="utf-8", errors="surrogateescape") as lines:
            keys = pages_of(bounded(lines, LINE_CHARS_MAX))
            made = workload(name, keys, part=part, capacity=capacity, origin=origin)
    return Recording(made, status)


def pages_of(log: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield (path, page) for every page that the calls in a strace log cover."""
    files = _Files()
    for call in _whole_calls(log):
        process, name, arguments, result, opened = call
        if name == "openat":
            if opened:
                files.move(process, result, opened, files.ends.get(opened, 0) if "O_APPEND" in arguments else 0)
            continue
        described = _DESCRIPTOR.search(arguments)
        if described is None or result < 0 or described[2].startswith(_NO_FILES):
            continue
        descriptor, path = int(described[1]), described[2]
        after = arguments[described.end() :]
        if name == "lseek":
            files.move(process, descriptor, path, result)
            continue
        if name == "mmap":
            start, length = _number(after), _number(arguments.split(",")[1])
        elif name in ("pread64", "pwrite64"):
            start, length = _number(after), result
        else:
            start, length = files.position(process, descriptor, path), result
            files.move(process, descriptor, path, start + length)
        if length:
            for page in range(start // PAGE_BYTES, (start + length - 1) // PAGE_BYTES + 1):
                yield path, page


def _number(arguments: str) -> int:
    """Return the last of the comma-separated numbers, decimal or hexadecimal; 0 where it is none."""
    text = arguments.rsplit(",", 1)[-1].strip()
    try:
        return int(text, 0)
    except ValueError:
        return 0


def _whole_calls(log: Iterable[str]) -> Iterator[tuple[int, str, str, int, str | None]]:
    """Yield (process, call, arguments, result, path that the result opened); join calls that others interrupted."""
    begun: dict[str, str] = {}
    for line in log:
        text = line
        if unfinished := _UNFINISHED.match(line):
            begun[unfinished[1]] = unfinished[2]
            continue
        if resumed := _RESUMED.match(line):
            text = f"{resumed[1]} {begun.pop(resumed[1], '')}{resumed[2]}"
        called = _CALL.match(text)
        if called is None:
            continue
        process, name, arguments, result, opened = called.groups()
        # An address that mmap returns is no count, but it is not negative either: success is all we ask.
        yield int(process), name, arguments, int(result, 0) if result != "?" else -1, opened
