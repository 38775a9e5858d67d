"""The fault test in its short form: real processes killed at random under load, every message accounted for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.node.fleet import ROOT

FAULTS = ROOT / "scripts" / "durability" / "faults.py"
RUN_S = 150.0


@pytest.mark.long
def test_whoever_is_killed_every_message_that_an_outbox_accepted_is_archived_once(tmp_path: Path) -> None:
    """Eight kills with this seed: trainers, the hub with its broker, the validator, and all of them at once."""
    options = ["--kills", "8", "--seed", "13", "--trainers", "2", "--rate", "20", "--home", str(tmp_path / "home")]
    done = subprocess.run(
        [sys.executable, FAULTS, *options, "--json"],
        capture_output=True, text=True, timeout=RUN_S, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["lost"], report["doubled"], report["verify"]) == (0, 0, "ok")
    assert set(report["kills"]) == {"trainer", "hub", "validator", "all"}
    assert sum(report["kills"].values()) == 8
    assert report["accepted"] == report["archived"] > 100
    assert all(node["accepted"] > 0 for node in report["nodes"])
