"""What the fleet searches for: added by the command line, sent by the hub that runs, train and hidden together."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from mqtt_hub.cli import main
from mqtt_hub.home import Home
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.workload_store import WorkloadStore
from tests.hub.harness import RawClient, hub_on, make_home
from trainers.workloads.format import halves, write
from trainers.workloads.format import workload as made_of


def parts(name: str = "loops") -> tuple[bytes, bytes]:
    train, hidden = halves(made_of(name, [number % 40 for number in range(400)]))
    return write(train), write(hidden)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "hub", {"AI_Node_1": "trainer", "Validator_1": "validator"})


def run(*words: str, home: Home, code: int = 0) -> str:
    done = CliRunner().invoke(main, [*words, "--home", str(home.path)])
    assert done.exit_code == code, done.output
    return done.output


def test_files_are_added_under_their_digest_and_listed(home: Home, tmp_path: Path) -> None:
    files = [tmp_path / "a.workload", tmp_path / "b.workload"]
    for file, data in zip(files, parts(), strict=True):
        file.write_bytes(data)
    said = run("workload", "add", *map(str, files), home=home)
    assert said.count("loops") == 2
    assert "one part only" not in said
    listed = orjson.loads(run("workload", "list", "--json", home=home))
    assert [(entry["name"], entry["part"]) for entry in listed] == [("loops", "train"), ("loops", "hidden")]
    assert run("workload", "add", *map(str, files), home=home) == said  # again changes nothing


def test_half_a_workload_is_taken_and_said_to_be_half(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.workload").write_bytes(parts()[0])
    assert "one part only" in run("workload", "add", str(tmp_path / "a.workload"), home=home)


def test_what_is_no_workload_is_one_clear_error(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.workload").write_text("hello")
    assert "no workload file" in run("workload", "add", str(tmp_path / "a.workload"), home=home, code=2)
    assert "No such file" in run("workload", "add", str(tmp_path / "missing"), home=home, code=2)
    run("workload", "add", home=home, code=2)


def test_the_bundled_recordings_are_added_with_both_parts(home: Home) -> None:
    run("workload", "add", "--bundled", home=home)
    entries = WorkloadStore(home.workloads).entries()
    assert len(entries) >= 6
    assert {entry.part for entry in entries if entry.name == entries[0].name} == {"train", "hidden"}


def test_what_is_added_while_the_hub_runs_goes_out_by_itself_hidden_parts_to_validators_only(home: Home) -> None:
    with (
        hub_on(home) as running,
        RawClient(running, "AI_Node_1") as trainer,
        RawClient(running, "Validator_1", role="validator") as validator,
    ):
        trainer.greet()
        validator.greet()
        assert running.status()["workloads"] == 0
        store = WorkloadStore(home.workloads)  # as another process does
        train, hidden = (store.add(data).entry.id for data in parts())
        assert validator.expect(MessageType.WORKLOAD_HIDDEN).body.id == hidden
        assert trainer.expect(MessageType.WORKLOAD).body.id == train
        assert not trainer.heard(MessageType.WORKLOAD_HIDDEN)
        running.until(lambda status: status["workloads"] == 2)
