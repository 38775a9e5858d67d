"""What the fleet searches for: added by the command line, sent by the hub that runs, train and hidden together."""

from __future__ import annotations

import io
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from mqtt_hub.bundled import _forward, kernel_trainer
from mqtt_hub.cli import main
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import ConfigurationError, MqttHubError
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.workload_store import WorkloadStore
from tests.hub.harness import RawClient, hub_on, make_home
from trainers.workloads.format import halves, read, save, write
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
    (tmp_path / "a.workload").write_text('{"part":"train"}\n')
    assert "no workload file" in run("workload", "add", str(tmp_path / "a.workload"), home=home, code=2)
    assert "No such file" in run("workload", "add", str(tmp_path / "missing"), home=home, code=2)
    run("workload", "add", home=home, code=2)


def test_a_trace_is_cut_in_two_and_both_parts_are_added(home: Home, tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("time,page\n" + "".join(f"{at},{at % 40}\n" for at in range(400)))
    said = run("workload", "add", str(tmp_path / "shop.csv"), "--capacity", "12", home=home)
    assert "one part only" not in said
    made = [read(path) for path in home.workloads.glob("*.workload")]
    assert {(part.name, part.part, part.capacity, part.rows) for part in made} == {
        ("shop", "train", 12, 200), ("shop", "hidden", 12, 200),
    }  # fmt: skip
    assert run("workload", "add", str(tmp_path / "shop.csv"), "--capacity", "12", home=home) == said


def test_a_whole_workload_is_cut_in_two_under_the_name_it_is_given(home: Home, tmp_path: Path) -> None:
    save(made_of("loops", [number % 40 for number in range(400)]), tmp_path / "a.workload")
    run("workload", "add", str(tmp_path / "a.workload"), "--name", "turns", home=home)
    assert [(entry.name, entry.part) for entry in WorkloadStore(home.workloads).entries()] == [
        ("turns", "train"), ("turns", "hidden"),
    ]  # fmt: skip


def test_another_workload_of_the_same_name_is_refused_and_nothing_added(home: Home, tmp_path: Path) -> None:
    for pages in (40, 41):
        (tmp_path / "keys.txt").write_text("".join(f"{at % pages}\n" for at in range(400)))
        said = run("workload", "add", str(tmp_path / "keys.txt"), home=home, code=0 if pages == 40 else 2)
    assert "--name" in said
    assert len(WorkloadStore(home.workloads).entries()) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--kind", "nonsense"], "no component kind"),
        (["--format", "nonsense"], "'nonsense' is not one of"),
        (["--column", "price"], "there is no column 'price'"),
        (["--name", "Shop"], "the name 'Shop' is not possible"),
        (["--capacity", "0"], "0 is not in the range"),
        (["--capacity", str(1 << 40)], "is not within 1.."),
    ],
)
def test_what_is_wrong_with_a_trace_is_the_trainers_own_word(
    home: Home, tmp_path: Path, words: list[str], told: str
) -> None:
    (tmp_path / "shop.csv").write_text("time,page\n" + "".join(f"{at},{at % 40}\n" for at in range(400)))
    said = run("workload", "add", str(tmp_path / "shop.csv"), *words, home=home, code=2)
    assert told in said
    assert "Traceback" not in said
    assert not WorkloadStore(home.workloads).entries()


def test_options_that_would_change_nothing_are_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.workload").write_bytes(parts()[0])
    said = run("workload", "add", str(tmp_path / "a.workload"), "--capacity", "5", home=home, code=2)
    assert "is a train part already" in said


def test_progress_of_the_trainers_program_is_shown_and_its_result_returned(capfd: pytest.CaptureFixture[str]) -> None:
    assert kernel_trainer("kinds", "--json")
    with pytest.raises(ConfigurationError, match="there is no component kind 'none'"):
        kernel_trainer("workload", "list", "--kind", "none")
    with pytest.raises(MqttHubError, match="took more than"):
        kernel_trainer("kinds", seconds_max=0.001)
    said = _forward(io.BytesIO(b"reading 10%\rreading 20%\r      \rError: no\xff good\n"))
    assert said == ["Error: no\N{REPLACEMENT CHARACTER} good"]
    assert capfd.readouterr().err == "reading 10%\rreading 20%\r      \r"


def test_before_anything_is_accepted_best_says_so(home: Home) -> None:
    with hub_on(home):
        pass
    assert "nothing is accepted for loops yet (0 submitted)" in run("workload", "best", "loops", home=home, code=1)
    there = orjson.loads(run("workload", "best", "loops", "--as", "json", home=home))
    assert (there["component"], there["submitted"]) == (None, 0)


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
