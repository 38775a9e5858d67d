"""`doctor` finds what is planted, names it, and says what to do; what is sound it calls sound."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from mqtt_hub.cli.home import create_home
from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.workload_store import WorkloadStore
from tests.hub.archives import Archive
from tests.hub.entries import hello
from tests.hub.processes import Hub
from tests.node.fleet import ROOT, make_home, small_workloads
from trainers.workloads.format import write


def doctor(module: str, *options: str) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """Return the exit code and the findings by check."""
    done = subprocess.run(
        [sys.executable, "-m", module, "doctor", "--json", *options],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    found: dict[str, list[dict[str, str]]] = {}
    for finding in orjson.loads(done.stdout):
        found.setdefault(finding["check"], []).append(finding)
    return done.returncode, found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "hub")
    create_home(home, Config(port=0))
    return home


def problems(home: Home) -> dict[str, list[dict[str, str]]]:
    code, found = doctor("mqtt_hub", "--home", str(home.path))
    bad = {check: [one for one in said if one["level"] == "problem"] for check, said in found.items()}
    bad = {check: said for check, said in bad.items() if said}
    assert code == int(bool(bad))
    assert all(one["advice"] for said in bad.values() for one in said)
    return bad


def test_a_running_hub_with_workloads_is_sound(tmp_path: Path) -> None:
    home = make_home(tmp_path / "hub")
    with Hub(home):
        code, found = doctor("mqtt_hub", "--home", str(home.path))
    assert code == 0
    assert {one["level"] for said in found.values() for one in said} == {"ok"}
    assert "node evaluation" in found
    assert found["hub"][0]["found"].startswith("answers on port ")


def test_a_new_home_lacks_a_hub_and_workloads_and_nothing_else(home: Home) -> None:
    code, found = doctor("mqtt_hub", "--home", str(home.path))
    lacking = {check for check, said in found.items() for one in said if one["level"] != "ok"}
    assert (code, lacking) == (0, {"hub", "workloads"})


def test_no_home_is_told_with_how_to_make_one(tmp_path: Path) -> None:
    found = problems(Home(tmp_path / "nowhere"))
    assert "mqtt-hub init" in found["home"][0]["advice"]


def test_a_token_that_others_can_read_is_found(home: Home) -> None:
    (home.tokens / "observer").chmod(0o644)
    found = problems(home)
    assert list(found) == ["secrets"]
    assert found["secrets"][0]["advice"] == f"chmod 600 {home.tokens / 'observer'}"


def test_a_damaged_archive_is_found(home: Home) -> None:
    archive = Archive(home.archive_path)
    archive.commit(hello("AI_Node_1", session=1))
    archive.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    archive.db.conn.close()
    with home.archive_path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    assert "archive" in problems(home)


def test_a_clock_behind_the_archive_is_found(home: Home) -> None:
    archive = Archive(home.archive_path)
    archive.commit(hello("AI_Node_1", session=1))
    archive.db.execute("UPDATE nodes SET last_seen = '2999-01-01T00:00:00.000Z'")
    archive.db.conn.close()
    assert list(problems(home)) == ["clock"]


def test_a_damaged_and_a_lonely_workload_are_found(home: Home) -> None:
    train = small_workloads()[0]
    stored = WorkloadStore(home.workloads).add(write(train))
    (home.workloads / f"{'0' * 64}.workload").write_bytes(stored.path.read_bytes())
    code, found = doctor("mqtt_hub", "--home", str(home.path))
    told = [(one["level"], one["found"]) for one in found["workloads"] if one["level"] != "ok"]
    assert code == 1
    assert told == [
        ("problem", f"{'0' * 64}.workload: not what its name says, left out"),
        ("warning", f"{train.name} (page_replacement) has no hidden part"),
    ]


def test_a_taken_port_is_found(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        home = Home(tmp_path / "hub")
        create_home(home, Config(port=taken.getsockname()[1]))
        found = problems(home)
    assert list(found) == ["port"]
    assert "Address already in use" in found["port"][0]["found"]


def test_of_another_broker_each_host_is_looked_for_and_the_own_port_is_not(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker, socket.create_server(("127.0.0.1", 0)) as unused:
        here, nowhere = broker.getsockname()[1], unused.getsockname()[1]
        unused.close()
        home.config_path.write_text(
            f'port = {here}\n[broker]\nurl = "mqtt://127.0.0.1:{here}"\nhosts = ["127.0.0.1:{nowhere}"]\n'
        )
        found = problems(home)
    assert [one["found"].partition(": ")[0] for one in found["port"]] == [f"the broker at 127.0.0.1:{nowhere}"]


def test_a_hub_that_was_killed_is_told_as_nobody_answering(home: Home) -> None:
    home.port_path.write_text("1\n")
    assert "nobody answers at 127.0.0.1:1" in problems(home)["hub"][0]["found"]


def test_the_nodes_doctor_runs_a_policy_and_looks_at_home_and_broker(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        code, found = doctor("trainers", "--home", str(tmp_path), "--host", "127.0.0.1", "--port", port)
    assert (code, found["broker"][0]["level"], found["home"][0]["level"]) == (0, "ok", "ok")
    code, found = doctor("trainers", "--home", str(tmp_path / "none"), "--host", "127.0.0.1", "--port", port)
    levels: dict[str, Any] = {check: said[0]["level"] for check, said in found.items()}
    assert (code, levels["broker"], levels["home"]) == (1, "problem", "problem")


def test_a_damaged_database_of_sqlite_is_no_traceback(home: Home) -> None:
    home.archive_path.write_bytes(b"no database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(home.archive_path).execute("SELECT 1 FROM sqlite_master").fetchall()
    assert "archive" in problems(home)
