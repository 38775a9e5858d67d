"""The README's walk, typed as a newcomer would: init, serve, spawn, status, tail, mosquitto_sub, a node by hand."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from mqtt_hub.protocol.codec import decode
from tests.real_parts import need

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.long


def until(condition: Callable[[], bool], *, deadline_s: float = 60.0) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, condition
        time.sleep(0.05)


def run(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], check=True, capture_output=True, text=True, timeout=60,
        env={"MQTT_HUB_HOME": str(home), "PATH": "/usr/bin:/bin", "HOME": str(home.parent)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A hub with two trainers and a validator, started by the README's commands."""
    home = tmp_path_factory.mktemp("walk") / "hub"
    run("mqtt_hub", "init", "--port", "0", home=home)
    started: list[subprocess.Popen[bytes]] = []
    try:
        for words in (
            ["serve", "--dashboard-port", "0"],
            ["spawn", "-n", "1", "--role", "validator"],
            ["spawn", "-n", "2"],
        ):
            command = [sys.executable, "-m", "mqtt_hub", *words, "--home", str(home)]
            started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            until((home / "hub.port").exists)
        yield home
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGINT)
            process.wait(30)


def status(home: Path) -> dict[str, object]:
    report: dict[str, object] = orjson.loads(run("mqtt_hub", "status", "--json", home=home).stdout)
    return report


def test_status_shows_the_spawned_nodes_with_their_specializations(home: Path) -> None:
    nodes = {"AI_Node_1", "AI_Node_2", "Validator_1"}
    until(lambda: status(home)["connected_nodes"] == dict.fromkeys(sorted(nodes), "memory_management"))
    assert "AI_Node_1" in run("mqtt_hub", "status", home=home).stdout


def test_a_node_added_by_hand_joins(home: Path) -> None:
    token = home.parent / "AI_Node_9.token"
    run(
        "mqtt_hub", "node", "add", "AI_Node_9", "--role", "trainer", "--specialization", "memory_management",
        "--token-file", str(token), home=home,
    )  # fmt: skip
    assert token.stat().st_mode & 0o777 == 0o600
    node = subprocess.Popen(
        [
            sys.executable, "-m", "trainers", "run", "--name", "AI_Node_9", "--token-file", str(token),
            "--port", (home / "hub.port").read_text().strip(), "--home", str(home.parent / "AI_Node_9"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        until(lambda: "AI_Node_9" in status(home)["connected_nodes"])  # type: ignore[operator]
    finally:
        node.send_signal(signal.SIGINT)
        _, said = node.communicate(timeout=30)
    assert re.search(
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - AI_Node_9 - INFO - accepted by the hub", said, re.MULTILINE
    )
    assert node.returncode == 0


def test_tail_shows_traffic_and_stops_after_count(home: Path) -> None:
    assert len(run("mqtt_hub", "tail", "--count", "3", home=home).stdout.splitlines()) == 3


def test_tail_as_json_prints_envelopes_as_topics_md_has_them(home: Path) -> None:
    lines = run("mqtt_hub", "tail", "--json", "--count", "3", home=home).stdout.splitlines()
    assert len([decode(line.encode()) for line in lines]) == 3


def recipes() -> list[str]:
    text = (ROOT / "topics.md").read_text() + (ROOT / "README.md").read_text()
    return sorted(set(re.findall(r"^mosquitto_sub .*$", text, re.MULTILINE)))


@pytest.mark.parametrize("recipe", recipes())
def test_every_mosquitto_sub_recipe_is_let_in(home: Path, recipe: str) -> None:
    need("mosquitto_sub")
    port = (home / "hub.port").read_text().strip()
    line = recipe.replace("-p 1883", f"-p {port}").replace("~/.mqtt-hub", shlex.quote(str(home)))
    wants_now = "status" in line or "'kernel/v1/#'" in line  # there is a retained status, and telemetry flows
    done = subprocess.run(  # noqa: S602 — the line as a person types it
        f"{line} {'-C 1' if wants_now else ''} -W {20 if wants_now else 1}",
        shell=True, check=False, capture_output=True, text=True, timeout=40,
    )  # fmt: skip
    # 27: the time is over and nothing came on that topic, but the broker let us in and subscribe.
    assert done.returncode in ((0,) if wants_now else (0, 27)), done.stderr
    assert "denied" not in done.stderr
    if wants_now:
        topic, payload = done.stdout.split(" ", 1)
        assert topic.startswith("kernel/v1/")
        assert orjson.loads(payload)["v"] == 1
