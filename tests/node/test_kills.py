"""The fault test in its short form: real processes killed at random under load, every message accounted for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.node.fleet import ROOT
from tests.real_parts import need

FAULTS = ROOT / "scripts" / "durability" / "faults.py"
RUN_S = 150.0


def report_of(tmp_path: Path, *options: str) -> dict[str, Any]:
    """Run the fault test; return its report, in which nothing may be missing or twice."""
    done = subprocess.run(
        [sys.executable, FAULTS, *options, "--trainers", "2", "--home", str(tmp_path / "home"), "--json"],
        capture_output=True, text=True, timeout=RUN_S, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert (report["lost"], report["doubled"], report["verify"]) == (0, 0, "ok")
    assert report["accepted"] == report["archived"]
    assert all(node["accepted"] > 0 for node in report["nodes"])
    return report


@pytest.mark.long
def test_whoever_is_killed_every_message_that_an_outbox_accepted_is_archived_once(tmp_path: Path) -> None:
    """Eight kills with this seed: trainers, the hub with its broker, the validator, and all of them at once."""
    report = report_of(tmp_path, "--kills", "8", "--seed", "13", "--rate", "20")
    assert set(report["kills"]) == {"trainer", "hub", "validator", "all"}
    assert sum(report["kills"].values()) == 8
    assert report["accepted"] > 100


@pytest.mark.long
@pytest.mark.parametrize(("persistence", "seed"), [("on", "66"), ("off", "90")])
def test_whoever_is_killed_behind_mosquitto_the_same_holds_whether_it_saves_or_not(
    tmp_path: Path, persistence: str, seed: str
) -> None:
    """Six kills with each seed: a trainer, the hub, mosquitto twice or more, and all of them at once."""
    need("mosquitto")
    options = ["--broker", "mosquitto", "--persistence", persistence]
    report = report_of(tmp_path, "--kills", "6", "--seed", seed, "--rate", "15", *options)
    assert set(report["kills"]) == {"trainer", "hub", "broker", "all"}
    assert report["kills"]["broker"] >= 2
    assert (tmp_path / "home" / "mosquitto" / "mosquitto.db").exists() is (persistence == "on")
