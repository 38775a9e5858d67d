"""docs/exit-codes.md: every code is one that commands end with, and every code that they end with is there."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from reference.exits import OTHERS

from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import MqttHubError
from tests.cli.test_bad_input import ONE_LINE, run
from tests.node.fleet import DEADLINE_S, ROOT, Hub, make_home
from trainers.outbox_file import OutboxError

CODES = {
    int(code)
    for code in re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "exit-codes.md").read_text(), re.MULTILINE)
}  # fmt: skip
# What runs until it is stopped, and what it prints once it does.
UNTIL_STOPPED = {
    "tail": rb"STATUS|LOG|PROGRESS",
    "dashboard --port 0": rb"http://",
    "browse --port 0": rb"http://",
    "broker --open --port 0": rb"listening on",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Yield the home of a running hub."""
    home = make_home(tmp_path_factory.mktemp("codes") / "hub")
    with Hub(home):
        yield home


def test_the_page_has_the_codes_of_all_errors_and_no_other() -> None:
    ours = {error.exit_code for error in MqttHubError.__subclasses__()} | {OutboxError.exit_code}
    assert ours | set(OTHERS) == CODES


def test_every_code_but_0_and_3_ends_one_of_the_lines_that_are_tried() -> None:
    assert {code for _, code, _ in ONE_LINE} == CODES - {0, 3}  # 3 takes a hub: the observer whose token is void


def test_what_could_be_done_ends_with_0(tmp_path: Path) -> None:
    for line in ("kernel-trainer tests --json", "mqtt-hub --version", "mqtt-hub init --home {place}/new"):
        assert run(line, tmp_path).returncode == 0


@pytest.mark.parametrize("words", UNTIL_STOPPED)
def test_what_runs_until_ctrl_c_ends_with_0(home: Home, words: str) -> None:
    place = [] if words.startswith("broker") else ["--home", str(home.path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "mqtt_hub", *words.split(), *place],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert re.search(UNTIL_STOPPED[words], process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, b"Traceback" in errors) == (0, False), errors


def test_a_reader_that_goes_away_ends_it_with_1_and_without_a_word(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "trainers", "tests"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(DEADLINE_S) == 1
