"""What recorders share: the tracer and the command are there, the trace is read line by line, a line has a bound.

::

    record_pages.py  strace ─▶ log  ──────────────┐
    record_cpu.py    perf ───▶ data ─▶ script ────┼─▶ bounded lines ─▶ the kind's rows
    record_io.py     perf ───▶ data ─▶ script ────┘
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import ORIGIN_CHARS_MAX, Workload

__all__ = ["Recording", "Script", "bounded", "name_of", "origin_of", "printed_by_perf", "tracer"]

COMPLAINT_CHARS_MAX = 65_536
_LOST = re.compile(r"lost (\d+) chunks")
PACKAGES = {"perf": "linux-perf", "strace": "strace"}  # of Debian and Ubuntu


@dataclass(frozen=True, slots=True)
class Recording:
    """What the command asked for, and how it ended (0: well; negative: by that signal).

    ``lost`` counts the gaps in it: times that the tracer came too late and events were overwritten.
    """

    workload: Workload
    status: int
    lost: int = 0


def tracer(tool: str, command: Sequence[str], kind: str) -> str:
    """Return the path of the tool that traces. Raises `WorkloadError` where it or the command is missing."""
    if not command:
        raise WorkloadError("no command given", hint=f"kernel-trainer workload record --kind {kind} -- COMMAND")
    path = shutil.which(tool)
    if path is None:
        raise WorkloadError(f"{tool} is not installed", hint=f"Debian and Ubuntu: apt-get install {PACKAGES[tool]}")
    if shutil.which(command[0]) is None:
        raise WorkloadError(f"{command[0]}: no such command")
    return path


def name_of(command: Sequence[str]) -> str:
    """Return a workload's name made of a command's."""
    return re.sub(r"[^a-z0-9._-]+", "-", Path(command[0]).name.lower()).strip("-._")[:64] or "recorded"


def origin_of(command: Sequence[str], *, remark: str = "") -> str:
    """Return where a recording comes from, as a workload file can say it."""
    text = f"recorded from {shlex.join(command)}"[: ORIGIN_CHARS_MAX - len(remark)] + remark
    return "".join(character if character.isprintable() else " " for character in text)


def bounded(lines: IO[str], chars_max: int) -> Iterator[str]:
    """Yield lines without their ends; a longer one comes in pieces, which no parser takes for a line of its own."""
    while line := lines.readline(chars_max):
        yield line.rstrip("\n")


class Script:
    """What perf prints of what it recorded: a line at a time, none longer than the bound."""

    def __init__(self, lines: Iterator[str], complaints: IO[str]) -> None:
        self._lines, self._complaints = lines, complaints

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def lost(self) -> int:
        """Return how often events were lost, as perf says when it has printed everything."""
        self._complaints.seek(0)
        said = _LOST.search(self._complaints.read(COMPLAINT_CHARS_MAX))
        return int(said[1]) if said else 0


@contextmanager
def printed_by_perf(perf: str, data: Path, *, subcommand: tuple[str, ...], chars_max: int) -> Iterator[Script]:
    """Run perf over what it recorded; gives what it prints, and ends it whatever happens."""
    with (
        tempfile.TemporaryFile("w+", errors="replace") as complaints,
        subprocess.Popen(
            [perf, *subcommand, "-i", str(data)], stdout=subprocess.PIPE, stderr=complaints,
            text=True, encoding="utf-8", errors="surrogateescape",
        ) as script,
    ):  # fmt: skip
        if script.stdout is None:
            raise AssertionError
        try:
            yield Script(bounded(script.stdout, chars_max), complaints)
        finally:
            script.kill()
