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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import ORIGIN_CHARS_MAX, Workload

__all__ = ["Recording", "bounded", "name_of", "origin_of", "perf_script_lines", "tracer"]

PACKAGES = {"perf": "linux-perf", "strace": "strace"}  # of Debian and Ubuntu


@dataclass(frozen=True, slots=True)
class Recording:
    """What the command asked for, and how it ended (0: well; negative: by that signal)."""

    workload: Workload
    status: int


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


@contextmanager
def perf_script_lines(perf: str, data: Path, *, subcommand: tuple[str, ...], chars_max: int) -> Iterator[Iterator[str]]:
    """Run perf over what it recorded; gives the lines that it prints, and ends it whatever happens."""
    with subprocess.Popen(
        [perf, *subcommand, "-i", str(data)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, encoding="utf-8", errors="surrogateescape",
    ) as script:  # fmt: skip
        if script.stdout is None:
            raise AssertionError
        try:
            yield bounded(script.stdout, chars_max)
        finally:
            script.kill()
