"""The demonstration with cheating nodes: everything they do is caught, and its exit code would say if it were not."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts" / "trust"


@pytest.fixture
def cheat(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("cheat")


@pytest.mark.long
def test_every_cheat_is_caught_and_costs_its_sender_and_nobody_else(tmp_path: Path, cheat: Any) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "cheat.py"), "--json", "--home", str(tmp_path / "home")],
        capture_output=True, check=False, timeout=170,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    rows = {row["node"]: row for row in orjson.loads(done.stdout)}
    assert set(rows) == {*cheat.ACTS, cheat.HONEST, cheat.PEER}
    assert all(row["caught"] and row["how"] for row in rows.values())
    assert {name for name, row in rows.items() if "quarantined" in row["cost"]} == {
        "Cheat_Scores", "Cheat_Forger", "Cheat_Flooder",
    }  # fmt: skip


def test_a_cheat_that_gets_away_is_shown_and_makes_the_command_fail(
    monkeypatch: pytest.MonkeyPatch, cheat: Any
) -> None:
    got_away = cheat.Row("Cheat_X", "does what nobody thought of", caught=False, how="it has credit", cost="nothing")
    monkeypatch.setattr(cheat, "play", lambda _home: [got_away])
    done = CliRunner().invoke(cheat.main)
    assert done.exit_code == 1
    assert "NOT AS IT MUST BE: it has credit" in done.output
    assert "UNCAUGHT: Cheat_X" in done.output
