"""Bring your own trace to the fleet: one command, while everything runs, and components for it are judged."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from mqtt_hub.spawn import NodePlan
from mqtt_hub.workload_store import WorkloadStore
from tests.node.fleet import ROOT, SPECIALIZATION, Hub, RunningNode, make_home, rows, until
from trainers.workloads.format import read

TRAINER, VALIDATOR = "AI_Node_1", "Validator_1"
ROWS, CAPACITY = 4000, 30


def trace(path: Path) -> Path:
    """Write the log of a shop: a loop a little larger than the cache, and popular articles."""
    rng = random.Random(7)
    articles = (step % 45 if rng.random() < 0.5 else 100 + int(rng.paretovariate(0.9)) % 80 for step in range(ROWS))
    lines = [f"{time},article-{article},{rng.randrange(1, 9)}\n" for time, article in enumerate(articles)]
    path.write_text("clock,article,size\n" + "".join(lines))
    return path


def mqtt_hub(*words: str) -> str:
    """Run a command as its user does; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "mqtt_hub", *words], check=True, capture_output=True, text=True, timeout=60, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.stdout


@pytest.mark.long
def test_a_trace_added_by_one_command_while_all_runs_is_searched_and_judged_on_its_hidden_part(tmp_path: Path) -> None:
    plans = [NodePlan(TRAINER, "trainer", SPECIALIZATION), NodePlan(VALIDATOR, "validator", SPECIALIZATION)]
    home = make_home(tmp_path / "hub", plans, [])
    with (
        Hub(home) as hub,
        RunningNode(home, hub.port, TRAINER) as trainer,
        RunningNode(home, hub.port, VALIDATOR, role="validator") as validator,
    ):
        for node in (trainer, validator):
            node.until_said("accepted by the hub")
        said = mqtt_hub(
            "workload", "add", str(trace(tmp_path / "shop.csv")), "--column", "article", "--capacity", str(CAPACITY),
            "--home", str(home.path),
        )  # fmt: skip
        assert [line.split()[:3] for line in said.splitlines()] == [
            ["shop", "page_replacement", "train"], ["shop", "page_replacement", "hidden"],
        ]  # fmt: skip
        judged = "SELECT id, verdict FROM components WHERE target = 'shop' AND verdict != 'pending'"
        until(lambda: rows(home, judged), seconds=120, told=lambda: trainer.log() + validator.log())
        measured = rows(home, "SELECT payload FROM messages WHERE type = 'TEST_RESULT' ORDER BY id")
        result = orjson.loads(measured[0][0])["body"]

    parts = {entry.part: entry for entry in WorkloadStore(home.workloads).entries()}
    (score,) = result["hidden"]
    hidden = read(home.workloads / f"{parts['hidden'].id}.workload")
    assert (score["workload"], score["capacity"], score["requests"]) == ("shop", CAPACITY, ROWS // 2)
    assert score["id"] == hidden.id
    assert score["bound"] <= score["value"]

    def on_disk_of(name: str) -> set[str]:
        return {path.stem for path in (home.nodes / name / "workloads").iterdir()}

    assert on_disk_of(TRAINER) == {parts["train"].id}
    assert on_disk_of(VALIDATOR) == {parts["train"].id, parts["hidden"].id}

    best = mqtt_hub("workload", "best", "shop", "--as", "json", "--home", str(home.path))
    accepted = rows(home, "SELECT id FROM components WHERE target = 'shop' AND verdict = 'accepted' ORDER BY message")
    assert orjson.loads(best)["component"] == (accepted[-1][0] if accepted else None)
