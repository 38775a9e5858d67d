"""What was started on a home, and with which options: a line of JSON each in ``HOME/starts.jsonl``.

The archive knows what nodes said, not how they were told to search: seeds and budgets are options of commands. They
are written down here so that a report can say how to do it again. Nothing depends on them, and no secret is in them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from mqtt_hub.protocol.codec import stamp
from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["note_start", "starts"]

STARTS_MAX = 100  # kept, the newest


def note_start(home: Path, command: str, options: Mapping[str, Any]) -> None:
    """Append a start to what is known; options that are None are left out. Raises `ConfigurationError`."""
    given = {name: value for name, value in options.items() if value is not None}
    lines = [orjson.dumps(start) for start in starts(home)[1 - STARTS_MAX :]]
    lines.append(orjson.dumps({"at": stamp(time.time()), "command": command, "options": given}))
    path = _path(home)
    draft = path.with_name(path.name + ".new")
    try:
        draft.write_bytes(b"\n".join(lines) + b"\n")
        draft.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", hint="this user must own the home") from error


def starts(home: Path) -> list[dict[str, Any]]:
    """Return what was started, oldest first: ``at``, ``command``, ``options``. A line that is none is left out."""
    try:
        lines = _path(home).read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines[-STARTS_MAX:]:
        try:
            start = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(start, dict) and {"at", "command", "options"} <= start.keys():
            found.append(start)
    return found


def _path(home: Path) -> Path:
    return home / "starts.jsonl"
