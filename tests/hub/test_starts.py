"""What was started is kept as it was given, the newest of it, and a damaged line costs that line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.starts import STARTS_MAX, note_start, starts


def test_starts_come_back_in_order_without_what_was_not_given(tmp_path: Path) -> None:
    assert starts(tmp_path) == []
    note_start(tmp_path, "demo", {"seconds": 60, "seed": 1, "evaluations": None})
    note_start(tmp_path, "spawn", {"specialization": ["storage"]})
    found = starts(tmp_path)
    assert [(start["command"], start["options"]) for start in found] == [
        ("demo", {"seconds": 60, "seed": 1}), ("spawn", {"specialization": ["storage"]}),
    ]  # fmt: skip
    assert all(start["at"].endswith("Z") for start in found)


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for number in range(STARTS_MAX + 1):
        note_start(tmp_path, "spawn", {"seed": number})
    assert [start["options"]["seed"] for start in starts(tmp_path)] == list(range(1, STARTS_MAX + 1))


def test_a_line_that_is_none_is_left_out(tmp_path: Path) -> None:
    note_start(tmp_path, "spawn", {"seed": 1})
    with (tmp_path / "starts.jsonl").open("a") as file:
        file.write('{"at": \n[1]\n{"at": "x", "command": "y"}\n')
    note_start(tmp_path, "spawn", {"seed": 2})
    assert [start["options"]["seed"] for start in starts(tmp_path)] == [1, 2]


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"starts\.jsonl"):
        note_start(tmp_path / "missing", "spawn", {})
