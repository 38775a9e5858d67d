"""From any trace to the two parts that a fleet searches with: read, cut by time, write.

::

    workload file ──────────────┐
    trace, --format or suffix ──┴─▶ whole ─▶ halves ─▶ train, hidden
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mqtt_hub.protocol.bar import Bar
from trainers.arenas.registry import kind_of
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import Workload, halves, read
from trainers.workloads.importers import FORMATS, import_workload

__all__ = ["SUFFIXES", "parts_of"]

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".keys": "keys",
    ".txt": "keys",
    ".oraclegeneral": "oracle-general",
    ".swf": "swf",
    ".vscsi": "vscsi",
}  # what a file's name says of its format
_HEADER = b"{"


def parts_of(
    path: Path,
    *,
    kind: str | None = None,
    format: str | None = None,  # noqa: A002 — the option's name
    column: str | None = None,
    name: str | None = None,
    capacity: int | None = None,
    bar: Bar,
) -> tuple[Workload, Workload]:
    """Return the train and the hidden part of a trace or of a whole workload file.

    Raises `WorkloadError` where it is of another kind than ``kind``, is a part already, or cannot be read.
    """
    whole = _whole(path, kind, format, column, name, capacity, bar)
    if kind is not None and whole.kind != kind_of(kind).name:
        raise WorkloadError(f"{path} is a workload for {whole.kind}, not for {kind}")
    if whole.part != "whole":
        raise WorkloadError(f"{path} is the {whole.part} part of a workload already", hint="only a whole one is split")
    bar.stage("cutting and packing")
    return halves(whole)


def _whole(
    path: Path,
    kind: str | None,
    format_: str | None,
    column: str | None,
    name: str | None,
    capacity: int | None,
    bar: Bar,
) -> Workload:
    format_ = format_ or _format_of(path)
    if format_ is None:
        bar.stage("reading")
        whole = read(path)
        # The id is not renewed: `halves` makes and checks what becomes of name and capacity.
        return replace(whole, name=name or whole.name, capacity=whole.capacity if capacity is None else capacity)
    return import_workload(path, format_, kind=kind, column=column, name=name, capacity=capacity, watch=bar.watch)


def _format_of(path: Path) -> str | None:
    """Return what a trace is written in, by its name; None for a workload file."""
    format_ = SUFFIXES.get(path.suffix.lower())
    if format_ in FORMATS:
        return format_
    try:
        with path.open("rb") as file:
            opening = file.read(len(_HEADER))
    except OSError as error:
        raise WorkloadError(f"{path}: {error.strerror or error}") from error
    if opening == _HEADER:
        return None
    raise WorkloadError(
        f"{path}: no workload file, and its name does not say what it is written in",
        hint=f"say it: --format {', '.join(FORMATS)}",
    )
