"""`mqtt-hub experiment`: real fleets with and without sharing, beside the same in one process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import trainers.cli
from mqtt_hub.archive.digest import digests
from mqtt_hub.cli import main
from mqtt_hub.experiment.fleet import ARMS
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import ConfigurationError
from tests.node.fleet import ROOT, processes_on, rows
from trainers.studies import TAKES

TIMEOUT_S = 420  # a minute where nothing else runs


@pytest.mark.long
@pytest.mark.timeout(TIMEOUT_S + 10)
def test_fleets_that_share_build_on_each_other_and_isolated_ones_do_not(tmp_path: Path) -> None:
    options = ["--workload", "orders", "--nodes", "3", "--evaluations", "600", "--seeds", "1", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "mqtt_hub", "experiment", *options, "--home", str(tmp_path)],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    isolated, everything = (told["fleet"]["arms"][arm] for arm in ("isolated", "all"))
    assert isolated["built_on"] == isolated["answered"] == 0
    assert everything["built_on"] + everything["answered"] > 0  # imported knowledge is used, by the archive's own count
    assert min(isolated["evaluations"], everything["evaluations"]) >= 3 * 600
    effects = (told["fleet"]["effects"]["all"]["mean"], told["process"]["effects"]["all"]["mean"])
    assert all(-2 < effect < 2 for effect in effects)
    assert effects[0] == pytest.approx(everything["hidden"] - isolated["hidden"])
    for arm in ("isolated", "all"):
        home = Home(tmp_path / f"{arm}-1")
        assert processes_on(home) == {}
        shared = digests(home.archive_path)
        # Islands differ: no two trainers came to the same.
        assert len({shared[f"AI_Node_{number}"].digest for number in (1, 2, 3)}) == 3
        assert rows(home, "SELECT count(*) FROM rejected") == [(0,)]


def test_arms_are_ways_to_take_that_a_trainer_knows() -> None:
    for arm, words in ARMS.items():
        assert set(words.split(",")) <= TAKES or (arm, words) == ("isolated", "nothing")


@pytest.mark.parametrize("options", [["--kind", "nothing"], ["--workload", "nowhere"]])
def test_what_there_is_not_is_told_with_what_there_is(options: list[str]) -> None:
    done = CliRunner().invoke(main, ["experiment", *options])
    assert done.exit_code == ConfigurationError.exit_code
    assert "known: " in done.output


def test_a_trainer_told_to_take_what_nobody_gives_says_what_there_is(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    options = ["--name", "AI_Node_1", "--token-file", str(token), "--home", str(tmp_path), "--takes", "programs,gold"]
    done = CliRunner().invoke(trainers.cli.main, ["run", *options])
    assert done.exit_code == ConfigurationError.exit_code
    assert "'gold'" in done.output
    assert "patterns, programs, requests, nothing" in done.output
