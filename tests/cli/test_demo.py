"""`mqtt-hub demo`: the whole thing with real parts, and what its summary must be true of."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mqtt_hub.home import Home
from mqtt_hub.protocol.table import MessageType
from tests.node.fleet import DEADLINE_S, ROOT, processes_on, rows, until
from trainers.arenas.registry import kind_of
from trainers.policy import component_id, parse

TIMEOUT_S = 280
pytestmark = [pytest.mark.long, pytest.mark.timeout(TIMEOUT_S + 20)]


def demo(home: Path, *options: str) -> dict[str, Any]:
    """Run the demo to the end of its evaluations, so that a busy machine makes it slower and not different."""
    done = subprocess.run(
        [sys.executable, "-m", "mqtt_hub", "demo", "--seconds", "240", "--json", "--home", str(home), *options],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return demo(tmp_path_factory.mktemp("demo") / "home", "--nodes", "4", "--evaluations", "1500", "--seed", "1")


def test_the_summary_has_the_keys_that_it_promises(told: dict[str, Any]) -> None:
    assert told.keys() >= {
        "seconds", "seed", "evaluations", "messages_by_type", "nodes", "components", "hidden", "database",
    }  # fmt: skip
    assert told["seed"] == 1
    assert told["evaluations"] >= 4 * 1500
    for node in told["nodes"]:
        assert node.keys() >= {"name", "role", "sent", "archived", "rejected", "missing"}
    for component in told["components"]:
        assert component.keys() >= {"id", "kind", "verdict", "authors"}
    for row in told["hidden"]:
        assert row.keys() >= {"workload", "kind", "bound", "baselines", "best"}
        assert row["best"].keys() >= {"component", "value"}


def test_every_type_of_message_passed(told: dict[str, Any]) -> None:
    # Whether a node is stuck in a short run is chance, and only nodes 1 and 4 have a kind in common.
    chance = {MessageType.COLLABORATION_REQUEST.value, MessageType.COLLABORATION_RESPONSE.value}
    assert set(told["messages_by_type"]) | chance == {type_.value for type_ in MessageType}


def test_every_message_is_accounted_for_per_node(told: dict[str, Any]) -> None:
    assert {node["name"]: node["role"] for node in told["nodes"]} == {
        "Validator_1": "validator",
        "AI_Node_1": "trainer",
        "AI_Node_2": "trainer",
        "AI_Node_3": "trainer",
        "AI_Node_4": "trainer",
    }
    for node in told["nodes"]:
        assert node["sent"] > 0
        assert node["missing"] == node["rejected"] == 0
        assert node["sent"] == node["archived"] + node["missing"]


def test_no_component_is_better_than_the_bound_and_no_baseline_either(told: dict[str, Any]) -> None:
    assert told["hidden"]
    for row in told["hidden"]:
        assert set(row["baselines"]) == set(kind_of(row["kind"]).baselines)
        assert row["bound"] <= min(row["best"]["value"], *row["baselines"].values())


def test_what_is_best_was_accepted_and_its_source_and_c_are_shown(told: dict[str, Any]) -> None:
    accepted = {component["id"] for component in told["components"] if component["verdict"] == "accepted"}
    for row in told["hidden"]:
        name = row["best"]["component"]
        assert name in accepted
        form = kind_of(row["kind"]).form
        assert component_id(parse(told["sources"][name]["policy"], form)) == name
        assert any(function in told["sources"][name]["c"] for function in form.functions)


def test_every_submission_has_a_verdict_and_authors_that_took_part(told: dict[str, Any]) -> None:
    assert told["components"]
    for component in told["components"]:
        assert component["verdict"] in ("accepted", "rejected")
        assert component["authors"]
        assert set(component["authors"]) <= {node["name"] for node in told["nodes"]}


def test_validated_components_beat_the_default_on_most_hidden_workloads(told: dict[str, Any]) -> None:
    better = [row for row in told["hidden"] if row["best"]["value"] < row["baselines"][kind_of(row["kind"]).baseline]]
    assert len(better) > len(told["hidden"]) / 2
    assert len(told["hidden"]) >= 3


def test_the_archive_holds_what_the_summary_says(told: dict[str, Any]) -> None:
    home = Home(Path(told["database"]).parent)
    assert dict(rows(home, "SELECT type, count(*) FROM messages GROUP BY type")) == told["messages_by_type"]
    states = dict(rows(home, "SELECT name, state FROM nodes"))
    assert {states[node["name"]] for node in told["nodes"]} == {"disconnected"}


def test_one_node_with_the_same_seed_and_budget_finds_the_same_components_twice(tmp_path: Path) -> None:
    budget = ("--nodes", "1", "--evaluations", "400", "--seed", "3")
    runs = [demo(tmp_path / name, *budget) for name in ("first", "second")]
    components = [[component["id"] for component in run["components"]] for run in runs]
    assert components[0] == components[1] != []
    assert runs[0]["evaluations"] == runs[1]["evaluations"]
    shared = [
        rows(
            Home(Path(run["database"]).parent),
            "SELECT m.type, m.seq, json_extract(m.payload, '$.body') FROM messages m JOIN nodes n ON n.id = m.node"
            " WHERE n.name = 'AI_Node_1' AND m.seq IS NOT NULL ORDER BY m.seq",
        )
        for run in runs
    ]
    assert shared[0] == shared[1]  # all that it ever shared, to the last counter


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    home = Home(tmp_path / "home")
    process = subprocess.Popen(
        [sys.executable, "-m", "mqtt_hub", "demo", "--nodes", "1", "--home", str(home.path)],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        log = home.nodes / "AI_Node_1" / "node.log"
        until(lambda: log.exists() and "of the gap closed" in log.read_text())
        process.send_signal(number)
        _output, errors = process.communicate(timeout=DEADLINE_S)
        assert process.returncode != 0
        assert "Traceback" not in errors
        assert processes_on(home) == {}
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_S)
