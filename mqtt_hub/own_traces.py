"""A user's own trace becomes what the fleet searches for: cut in two by the trainers' program, both parts kept.

::

    part that was split already ────────────────────────────────▶ store
    whole workload, or a trace ─▶ kernel-trainer workload split ─▶ store: train, hidden

The hub never imports the trainers, and never reads a trace itself.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import orjson

from mqtt_hub.bundled import kernel_trainer
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.workload_store import HEADER_BYTES_MAX, StoredWorkload, WorkloadStore

__all__ = ["add_own"]

SPLIT_S_MAX = 3600.0  # the largest traces take minutes on a small machine


def add_own(store: WorkloadStore, path: Path, options: dict[str, str], *, progress: bool) -> list[StoredWorkload]:
    """Put a workload file or a trace into the store; ``options`` are those of ``kernel-trainer workload split``.

    Raises `ConfigurationError` with what is wrong with the file, and where the store has another workload of that name.
    """
    part = _part_of(path)
    if part in ("train", "hidden"):
        if options:
            raise ConfigurationError(
                f"{path} is a {part} part already: --{', --'.join(options)} would change nothing",
                hint="they are for whole workloads and traces",
            )
        return _keep(store, [_read(path)])
    with tempfile.TemporaryDirectory(prefix="mqtt-hub-") as directory:
        train, hidden = Path(directory) / "train", Path(directory) / "hidden"
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        if progress:
            words.append("--progress")
        kernel_trainer(
            "workload", "split", *words, "--train", str(train), "--hidden", str(hidden), "--", str(path),
            seconds_max=SPLIT_S_MAX,
        )  # fmt: skip
        return _keep(store, [_read(train), _read(hidden)])


def _keep(store: WorkloadStore, files: list[bytes]) -> list[StoredWorkload]:
    """Add files, all or none."""
    known = {(entry.kind, entry.name, entry.part): entry.id for entry in store.entries()}
    for data in files:
        entry = store.entry_of(data)
        if known.get((entry.kind, entry.name, entry.part), entry.id) != entry.id:
            raise ConfigurationError(
                f"there is another {entry.part} part of a workload {entry.name} for {entry.kind} here",
                hint="give this one a --name of its own",
            )
    return [store.add(data) for data in files]


def _part_of(path: Path) -> str:
    """Return what a workload file's header says of its part; empty where the file is none."""
    try:
        with path.open("rb") as file:
            line = file.readline(HEADER_BYTES_MAX)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    try:
        header = orjson.loads(line)
    except orjson.JSONDecodeError:
        return ""
    return str(header.get("part", "")) if isinstance(header, dict) else ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
