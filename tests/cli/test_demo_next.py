"""What the demo says to type next can be typed, where its program lies."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import click
import pytest

from mqtt_hub.cli import main
from mqtt_hub.demo.text import _next
from tests.node.fleet import make_home


def test_what_it_says_to_type_next_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(tmp_path / ".venv" / "bin" / "mqtt-hub"), "demo"])
    monkeypatch.chdir(tmp_path)
    home = make_home(tmp_path / "hub")
    home.port_path.write_text("1883\n")
    said = _next(home)
    typed = re.findall(r"^  \.venv/bin/mqtt-hub (\S+) (.*?)(?: {2,}\(|$)", said, re.MULTILINE)
    assert [name for name, _ in typed] == ["serve", "spawn", "spawn", "status", "browse"]
    for name, words in typed:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert command.make_context(name, shlex.split(words)).params["home"].path == home.path
    assert "first: .venv/bin/pip install datasette)" in said
