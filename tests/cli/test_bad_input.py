"""What bad input gets on the command lines: an exit code and one line, never a traceback."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_hub.home import Home
from mqtt_hub.spawn import NodePlan
from tests.node.fleet import ROOT, SPECIALIZATION, Hub, make_home
from trainers.workloads.format import save, workload

TIMEOUT_S = 60


def run(line: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run ``mqtt-hub …`` or ``kernel-trainer …`` in a directory; HOME is there too."""
    program, *words = line.replace("{place}", str(place)).split(" ")
    module = {"mqtt-hub": "mqtt_hub", "kernel-trainer": "trainers"}[program]
    environment = {**os.environ, "HOME": str(place), "PYTHONPATH": str(ROOT)}
    for name in ("MQTT_HUB_HOME", "KERNEL_TRAINER_TOKEN"):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=place, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a directory with all that the command lines below name; ``taken`` has a running hub."""
    place = tmp_path_factory.mktemp("place")
    make_home(place / "home", [NodePlan("AI_Node_1", "trainer", SPECIALIZATION)])
    for name in ("newer", "damaged", "config", "prefix", "no-token"):
        make_home(place / name)
    with sqlite3.connect(place / "newer" / "archive.db") as db:
        known = "SELECT migration_set, 'm9999', '' FROM _sqlite_migrations LIMIT 1"
        db.execute(f"INSERT INTO _sqlite_migrations (migration_set, name, applied_at) {known}")
    db.close()
    (place / "damaged" / "archive.db").write_bytes(b"no database" * 1000)
    (place / "config" / "config.toml").write_text("port = 'many'\n")
    (place / "prefix" / "config.toml").write_text("prefix = 'a/b'\n")
    (place / "no-token" / "tokens" / "observer").unlink()
    (place / "file").write_text("in the way\n")
    (place / "token").write_text("wrong\n")
    (place / "bytes").write_bytes(b"\xff\xfe\x00")
    (place / "loop.policy").write_text("def on_insert():\n    while 1:\n        pass\n")
    (place / "long.policy").write_text("#" * 9000)
    (place / "good.policy").write_text("def on_insert():\n    return head(0, 0)\n")
    (place / "keys").write_text("a\nb\nc\na\n")
    save(workload("tiny", [1, 2, 3, 1, 2], part="train"), place / "tiny.workload")
    (place / "cut.workload").write_bytes((place / "tiny.workload").read_bytes()[:-2])
    (place / "empty").write_bytes(b"")
    (place / "in-the-way" / "outbox.db").mkdir(parents=True)
    (place / "node").mkdir()
    (place / "node" / "outbox.db").write_bytes(b"no database" * 1000)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        (place / "port").write_text(str(listener.getsockname()[1]))
        yield place


RUN = "kernel-trainer run --name AI_Node_1 --home {place}/n --port 1 --token-file {place}/token"
EVALUATE = "kernel-trainer evaluate --workload {place}/tiny.workload"

ONE_LINE = [
    # command line, exit code (docs/exit-codes.md), what the line tells
    ("mqtt-hub init --home {place}/home", 2, "already"),
    ("mqtt-hub init --home {place}/file/home", 2, "Not a directory"),
    ("mqtt-hub serve --home {place}/nowhere", 2, "mqtt-hub init"),
    ("mqtt-hub serve --home {place}/newer", 5, "newer"),
    ("mqtt-hub serve --home {place}/damaged", 5, "archive.db"),
    ("mqtt-hub serve --home {place}/config", 2, "port must be int"),
    ("mqtt-hub serve --home {place}/prefix", 2, "prefix"),
    ("mqtt-hub serve --home {place}/home --port {port} --log-file {place}/log", 2, "{port}"),
    ("mqtt-hub serve --home {place}/home --log-file {place}/nowhere/log", 2, "--log-file"),
    ("mqtt-hub broker --open --port {port}", 2, "{port}"),
    ("mqtt-hub node add AI_Node_1 --role trainer --home {place}/home", 2, "rotate"),
    ("mqtt-hub node add a/b --role trainer --home {place}/home", 2, "no node name"),
    ("mqtt-hub node add hub --role trainer --home {place}/home", 2, "hub"),
    ("mqtt-hub node add new --role trainer --specialization a/b --home {place}/home", 2, "specialization"),
    ("mqtt-hub node add new --role trainer --home {place}/nowhere", 2, "mqtt-hub init"),
    ("mqtt-hub node add lost --role trainer --home {place}/home --token-file {place}/nowhere/t", 1, "nowhere"),
    ("mqtt-hub node revoke nobody --home {place}/home", 2, "nobody"),
    ("mqtt-hub node rotate nobody --home {place}/home", 2, "nobody"),
    ("mqtt-hub node list --home {place}/nowhere", 2, "mqtt-hub init"),
    ("mqtt-hub status --home {place}/home", 4, "mqtt-hub serve"),
    ("mqtt-hub status --home {place}/no-token", 2, "rotate observer"),
    ("mqtt-hub tail --home {place}/home", 4, "mqtt-hub serve"),
    ("mqtt-hub archive verify --home {place}/nowhere", 5, "no archive there"),
    ("mqtt-hub archive verify --home {place}/damaged", 5, "archive.db"),
    ("mqtt-hub archive backup {place}/token --home {place}/home", 5, "exists"),
    ("mqtt-hub archive backup {place}/copy --home {place}/nowhere", 5, "no archive there"),
    ("mqtt-hub archive prune --older-than 1d --home {place}/nowhere", 5, "no archive there"),
    ("mqtt-hub tail --home {place}/nowhere", 2, "mqtt-hub init"),
    ("mqtt-hub spawn -n 1 --home {place}/nowhere", 2, "mqtt-hub init"),
    ("mqtt-hub spawn -n 1 --home {place}/home", 4, "mqtt-hub serve"),
    ("mqtt-hub spawn -n 1 --name a/b --home {place}/home", 2, "no node name"),
    ("mqtt-hub demo --home {place}/home", 2, "already"),
    ("mqtt-hub demo --home {place}/file/demo", 2, "Not a directory"),
    (RUN.replace("AI_Node_1", "a/b"), 2, "no node name"),
    (RUN + " --specialization cooking", 2, "memory_management"),
    (RUN + " --prefix a/b", 2, "prefix"),
    (RUN.replace("{place}/token", "{place}/nowhere"), 2, "nowhere"),
    (RUN.replace("{place}/token", "{place}/bytes"), 2, "bytes"),
    (RUN.replace("{place}/token", "{place}/empty"), 2, "empty"),
    (RUN.replace("{place}/n", "{place}/file/n"), 2, "Not a directory"),
    (RUN.replace("{place}/n", "{place}/in-the-way"), 6, "outbox.db"),
    (RUN + " --log-file {place}/nowhere/log", 2, "--log-file"),
    ("kernel-trainer outbox --home {place}/nowhere", 6, "no outbox"),
    ("kernel-trainer outbox --home {place}/node", 6, "node"),
    (EVALUATE + " --policy {place}/loop.policy", 2, "line 2, column 5"),
    (EVALUATE + " --policy {place}/long.policy", 2, "limit"),
    (EVALUATE + " --policy {place}/bytes", 1, "byte 0"),
    (EVALUATE + " --policy {place}/nowhere", 1, "nowhere"),
    (EVALUATE + " --baseline best", 1, "lru"),
    (EVALUATE + " --kind cooking --baseline lru", 1, "page_replacement"),
    (EVALUATE + " --baseline lru --capacity 0", 1, "capacity"),
    (EVALUATE + " --baseline lru --capacity-percent none", 1, "none"),
    ("kernel-trainer evaluate --workload {place}/cut.workload --baseline lru", 1, "cut short"),
    ("kernel-trainer evaluate --workload {place}/file --baseline lru", 1, "byte 0"),
    ("kernel-trainer evaluate --workload {place}/nowhere --baseline lru", 1, "nowhere"),
    ("kernel-trainer workload show {place}/file", 1, "byte 0"),
    ("kernel-trainer workload import {place}/empty --format keys --output {place}/o", 1, "empty"),
    ("kernel-trainer workload import {place}/file --format oracle-general --output {place}/o", 1, "byte"),
    ("kernel-trainer workload import {place}/nowhere --format keys --output {place}/o", 1, "nowhere"),
    ("kernel-trainer workload import {place}/keys --format keys --output {place}/nowhere/o", 1, "nowhere"),
    ("kernel-trainer workload import {place}/keys --format csv --column none --output {place}/o", 1, "none"),
    ("kernel-trainer workload record --output {place}/o -- /no/such/program", 1, "/no/such/program"),
]  # fmt: skip

USAGE = [
    "mqtt-hub init --port 65536",
    "mqtt-hub node add x --role king",
    "mqtt-hub broker",
    "mqtt-hub tail --type NO_SUCH_TYPE",
    "mqtt-hub spawn -n 0",
    "mqtt-hub demo --seconds 1",
    "mqtt-hub fly",
    "kernel-trainer run",
    "kernel-trainer run --name x --evaluations 0",
    "kernel-trainer run --name x --port 0",
    "kernel-trainer workload bundled --output {place}/file",
    EVALUATE,
    EVALUATE + " --baseline lru --policy {place}/good.policy",
    "kernel-trainer workload import {place}/keys --format pdf --output {place}/o",
]


@pytest.mark.parametrize(("line", "code", "tells"), ONE_LINE, ids=[line for line, *_ in ONE_LINE])
def test_what_the_user_can_mend_is_one_line_with_its_exit_code(place: Path, line: str, code: int, tells: str) -> None:
    port = (place / "port").read_text()
    done = run(line.replace("{port}", port), place)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr
    (said,) = done.stderr.splitlines()
    assert tells.replace("{port}", port) in said


@pytest.mark.parametrize("line", USAGE)
def test_wrong_usage_says_what_is_wrong_and_how_to_get_help(place: Path, line: str) -> None:
    done = run(line, place)
    assert "Traceback" not in done.stderr
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert len(done.stderr.splitlines()) <= 4


def test_a_second_hub_on_one_home_is_turned_away(tmp_path: Path) -> None:
    home = make_home(tmp_path / "hub")
    with Hub(home):
        done = run("mqtt-hub serve --home {place}/hub --port 0", tmp_path)
        assert done.returncode == 2
        (said,) = done.stderr.splitlines()
        assert "already running" in said


def test_an_observer_whose_token_is_void_is_told_so(tmp_path: Path) -> None:
    home = make_home(tmp_path / "hub")
    with Hub(home):
        (home.tokens / "observer").write_text("wrong\n")
        for command in ("status", "tail"):
            done = run(f"mqtt-hub {command} --home {{place}}/hub", tmp_path)
            assert done.returncode == 3
            (said,) = done.stderr.splitlines()
            assert "rotate observer" in said


def test_a_home_is_for_its_owner_alone(tmp_path: Path) -> None:
    done = run("mqtt-hub init --home {place}/hub", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "hub").stat().st_mode & 0o077 == 0
    private = [Home(tmp_path / "hub").accounts_path, *Home(tmp_path / "hub").tokens.iterdir()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in private)
