"""`mqtt-hub spawn`: real nodes under a supervisor, and nothing of them left when it ends, however it ends."""

from __future__ import annotations

import datetime as dt
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mqtt_hub.accounts import Accounts
from mqtt_hub.certificates import Authority
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.spawn import shown_certificate
from tests.node.fleet import (
    DEADLINE_S,
    ROOT,
    Hub,
    all_processes,
    command_line,
    make_home,
    processes_on,
    revoke,
    rows,
    until,
)

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - (\S+) - (DEBUG|INFO|WARNING|ERROR|CRITICAL) - \S.*")
NAMES = ["AI_Node_1", "AI_Node_2"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "hub")


@pytest.fixture
def hub(home: Home) -> Iterator[Hub]:
    with Hub(home) as hub:
        yield hub


@contextmanager
def spawned(home: Home, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``mqtt-hub spawn`` and end it and its nodes whatever the test does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mqtt_hub", "spawn", "-n", "2", "--home", str(home.path), *options],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_S)
        until(lambda: not nodes_of(home))


def nodes_of(home: Home) -> dict[str, int]:
    """Return the running nodes of this home: pid by name."""
    return {line.split(" --name ")[1].split()[0]: pid for pid, line in processes_on(home).items() if " --name " in line}


def log(home: Home, name: str) -> str:
    path = home.nodes / name / "node.log"
    return path.read_text() if path.exists() else ""


def accepted(home: Home, times: int = 1) -> bool:
    return all(log(home, name).count("accepted by the hub") >= times for name in NAMES)


def test_each_node_has_its_own_account_token_name_and_log_and_a_killed_one_comes_back(home: Home, hub: Hub) -> None:
    with spawned(home) as supervisor:
        until(lambda: accepted(home) and "submitted" in log(home, NAMES[0]))
        nodes = nodes_of(home)
        assert sorted(nodes) == NAMES
        tokens = {name: (home.nodes / name / "token").read_text().strip() for name in NAMES}
        assert len(set(tokens.values())) == 2
        assert all((home.nodes / name / "token").stat().st_mode & 0o077 == 0 for name in NAMES)

        os.kill(nodes[NAMES[0]], signal.SIGKILL)
        until(lambda: log(home, NAMES[0]).count("accepted by the hub") == 2)
        assert nodes_of(home)[NAMES[0]] != nodes[NAMES[0]]
        assert nodes_of(home)[NAMES[1]] == nodes[NAMES[1]]  # the other one was left in peace

        everything = [command_line(pid) for pid in all_processes()]
        assert not any(token in line for line in everything for token in tokens.values())

        supervisor.send_signal(signal.SIGINT)  # what Ctrl-C sends
        output, errors = supervisor.communicate(timeout=DEADLINE_S)
        assert supervisor.returncode == 0
        assert errors == b""
        assert nodes_of(home) == {}

    for name in NAMES:
        lines = log(home, name).splitlines()
        assert lines
        assert [line for line in lines if not (found := LINE.fullmatch(line)) or found[1] != name] == []
        assert (home.nodes / name / "stderr.log").read_bytes() == b""
    shown = output.decode()
    assert all(name in shown for name in NAMES)
    assert "(1 restarts)" in shown
    states = dict(rows(home, "SELECT name, state FROM nodes"))
    assert [states[name] for name in NAMES] == ["disconnected"] * 2
    hub.terminate()
    files = [path for path in home.path.rglob("*") if path.is_file() and path.name != "token"]
    assert [path for path in files if any(token.encode() in path.read_bytes() for token in tokens.values())] == []


@pytest.mark.usefixtures("hub")
def test_the_nodes_end_with_their_supervisor_even_when_it_is_killed(home: Home) -> None:
    with spawned(home) as supervisor:
        until(lambda: accepted(home))
        supervisor.kill()
        until(lambda: nodes_of(home) == {})


@pytest.mark.usefixtures("hub")
def test_with_a_budget_the_supervisor_ends_when_all_are_done(home: Home) -> None:
    with spawned(home, "--evaluations", "50") as supervisor:
        _output, errors = supervisor.communicate(timeout=DEADLINE_S)
        assert (supervisor.returncode, errors) == (0, b"")


def test_nodes_show_a_certificate_where_the_hub_asks_for_one(home: Home) -> None:
    authority = Authority(home.tls, now=dt.datetime.now(dt.UTC))
    authority.issue_server(("hub.test",))
    settings = home.config_path.read_text().replace("tls = false", "tls = true")
    home.config_path.write_text(settings.replace('tls_client_ca = ""', 'tls_client_ca = "tls/ca.pem"'))
    with Hub(home), spawned(home, "--evaluations", "1") as supervisor:
        _output, errors = supervisor.communicate(timeout=DEADLINE_S)
        assert (supervisor.returncode, errors) == (0, b"")
    assert accepted(home)
    own = {name: (home.tls / f"{name}.pem").read_bytes() for name in NAMES}
    assert shown_certificate(home, home.config(), NAMES[0])[1] == str(home.tls / f"{NAMES[0]}.pem")
    assert (home.tls / f"{NAMES[0]}.pem").read_bytes() == own[NAMES[0]], "it is made once"


def test_where_another_authority_is_asked_for_a_node_without_its_certificate_is_told_of(home: Home) -> None:
    config = replace(home.config(), tls=True, tls_client_ca="elsewhere/ca.pem")
    with pytest.raises(ConfigurationError, match=r"AI_Node_1\.pem"):
        shown_certificate(home, config, NAMES[0])
    assert shown_certificate(home, home.config(), NAMES[0]) == ()


@pytest.mark.usefixtures("hub")
def test_a_node_that_is_shut_out_stays_down_and_is_told_in_one_line(home: Home) -> None:
    with spawned(home, "--evaluations", "1") as supervisor:
        supervisor.communicate(timeout=DEADLINE_S)
    accounts = Accounts(home.accounts_path)
    accounts.rotate(NAMES[0])  # the file beside it still has the old token
    accounts.close()
    with spawned(home, "--evaluations", "1") as supervisor:
        _output, errors = supervisor.communicate(timeout=DEADLINE_S)
        assert supervisor.returncode != 0
        (line,) = errors.decode().splitlines()
        assert NAMES[0] in line
        assert "mqtt-hub node rotate" in line
    revoke(home, NAMES[0])
    with spawned(home) as supervisor:
        _output, errors = supervisor.communicate(timeout=DEADLINE_S)
        assert supervisor.returncode == 3
        assert "is revoked" in errors.decode()


@pytest.mark.usefixtures("hub")
def test_a_specialization_that_no_kind_has_is_not_tried_for_ever(home: Home) -> None:
    with spawned(home, "--specialization", "cooking") as supervisor:
        _output, errors = supervisor.communicate(timeout=DEADLINE_S)
        assert supervisor.returncode != 0
        (line,) = errors.decode().splitlines()
        assert "cooking" in line


def test_without_a_hub_on_a_home_whose_port_is_any_there_is_no_one_to_connect_to(home: Home) -> None:
    with spawned(home) as supervisor:
        _output, errors = supervisor.communicate(timeout=DEADLINE_S)
        assert supervisor.returncode == 4
        (line,) = errors.decode().splitlines()
        assert "mqtt-hub serve" in line
