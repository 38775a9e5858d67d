"""``kernel-trainer tests``, ``check`` and ``export``, and the hub's side: ``mqtt-hub component show``."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

import mqtt_hub.cli
import trainers.cli
from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import Claim, HiddenScore, OsComponentShare
from mqtt_hub.protocol.table import MessageType
from tests.hub.archives import Archive
from tests.hub.entries import accepted, digest, result_on
from tests.real_parts import need
from trainers.arenas.evaluator import Evaluator
from trainers.arenas.page_replacement.kind import KIND
from trainers.bench import Bench
from trainers.policy import canonical, component_id, parse
from trainers.trials import TRIALS
from trainers.workloads.format import read, save, workload

GOOD = "def on_insert(capacity):\n    return tail(0, 0) if capacity > 3 else head(0, 0)\n"


def trainer(*words: str | Path, text: str | None = None) -> Result:
    return CliRunner().invoke(trainers.cli.main, [str(word) for word in words], input=text)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Return the options that name a train and a hidden part."""
    parts = [workload("loop", [step % size for step in range(900)], part=part, capacity=20)
             for part, size in (("train", 40), ("hidden", 44))]  # fmt: skip
    options: list[str] = []
    for part in parts:
        save(part, path := tmp_path / f"{part.part}.workload")
        options += ["--workload", str(path)]
    return options


def test_tests_lists_every_test() -> None:
    told = json.loads(trainer("tests", "--json").stdout)
    assert [one["name"] for one in told] == [trial.name for trial in TRIALS]
    lines = trainer("tests").stdout.splitlines()
    assert [line.split()[1] for line in lines] == [trial.name for trial in TRIALS]
    assert "limits" not in trainer("tests", "--kind", "page_replacement").stdout
    assert trainer("tests", "--kind", "no_such").exit_code == 1


def test_check_reports_as_text_json_and_junit_and_exits_with_the_outcome(files: list[str], tmp_path: Path) -> None:
    policy, junit = tmp_path / "mine.policy", tmp_path / "report.xml"
    policy.write_text(GOOD)
    done = trainer("check", policy, *files, "--json", "--junit", junit)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["passed"], told["component"]) == (True, component_id(parse(GOOD, KIND.form)))
    assert [one["name"] for one in told["tests"]] == [trial.name for trial in TRIALS]
    assert [one["workload"] for one in told["hidden"]] == ["loop"]
    assert 0 < told["hidden"][0]["gap_closed"] <= 1
    suite = ET.fromstring(junit.read_bytes())[0]  # noqa: S314 — our own output
    assert (suite.get("tests"), suite.get("failures")) == (str(len(TRIALS)), "0")
    assert [case.get("name") for case in suite] == [trial.name for trial in TRIALS]
    text = trainer("check", policy, *files).stdout
    assert all(trial.name in text for trial in TRIALS)
    assert "hidden workload" in text


def test_check_says_what_failed(files: list[str], tmp_path: Path) -> None:
    junit = tmp_path / "report.xml"
    done = trainer("check", "-", *files, "--junit", junit, text="def on_hit(mark):\n    return keep(mark)\n")
    assert done.exit_code == 1
    assert "useful       FAILED" in done.stdout
    failure = ET.fromstring(junit.read_bytes()).find(".//failure")  # noqa: S314 — our own output
    assert failure is not None
    assert "lru has" in str(failure.get("message"))
    bad = trainer("check", "-", *files, text="import os\n")
    assert bad.exit_code == 1
    assert "line 1, column 1" in bad.stdout


def test_people_and_validators_get_the_same_outcomes(files: list[str]) -> None:
    train, hidden = (read(Path(path)) for path in files[1::2])
    component = parse(GOOD, KIND.form)
    with Evaluator(KIND.name) as running:
        running.load(train)
        counted = running.run(component, train.id, train.capacity)
        claims = (Claim(train.id, train.capacity, counted.values),)  # type: ignore[union-attr]
        share = OsComponentShare(KIND.name, component_id(component), canonical(component), ("A",), (), claims, "loop")
        judged = Bench(running).judge(share, "A", [train], [hidden])
    told = json.loads(trainer("check", "-", *files, "--json", text=GOOD).stdout)
    people = {one["name"]: one["outcome"] for one in told["tests"]}
    for test in judged.tests:
        if test.name not in ("claims", "reproduction"):
            assert people[test.name] == test.outcome
    assert judged.hidden[0].value == told["hidden"][0]["value"]


def test_two_kinds_at_a_time_and_files_that_are_none_are_refused(files: list[str], tmp_path: Path) -> None:
    done = trainer("check", "-", "--kind", "disk_sleep", *files, text=GOOD)
    assert done.exit_code == 1
    assert "Error: " in done.output
    missing = trainer("check", tmp_path / "none.policy")
    assert missing.exit_code == 1
    assert "No such file" in missing.output
    nowhere = trainer("check", "-", *files, "--junit", tmp_path / "no" / "report.xml", text=GOOD)
    assert (nowhere.exit_code, "report.xml: No such file" in nowhere.output) == (1, True)


def test_exported_source_is_the_component_and_exported_c_compiles(tmp_path: Path) -> None:
    told = trainer("export", "-", "--as", "policy", "--author", "AI_Node_1", text=GOOD).stdout
    component = parse(GOOD, KIND.form)
    assert parse(told, KIND.form) == component
    assert told.startswith(f"# page_replacement component {component_id(component)}\n# authors: AI_Node_1\n")
    text = trainer("export", "-", "--as", "c", "--author", "*/ int main", text=GOOD).stdout
    assert "* / int main" in text
    source = tmp_path / "policy.c"
    source.write_text(text)
    flags = ["-ffreestanding", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    for compiler in ("gcc", "clang"):
        subprocess.run([need(compiler), *flags, source], check=True)


def test_the_hub_shows_what_its_archive_has(tmp_path: Path) -> None:
    home = Home(tmp_path / "hub")
    assert CliRunner().invoke(mqtt_hub.cli.main, ["init", "--home", str(home.path)]).exit_code == 0
    archive = Archive(home.archive_path)
    shared = accepted(
        MessageType.OS_COMPONENT_SHARE, "AI_Node_1", seq=1, source="source 1", authors=("AI_Node_1", "B"),
        parents=(digest(9),), target="shop",
    )  # fmt: skip
    archive.commit(shared)
    score = HiddenScore("shop", digest(7), "misses", 100, 1000, 390.0, 300.0, {"lru": 450.0, "arc": 410.0}, "lru")
    archive.commit(
        result_on(shared, "V1", seq=1, hidden=(score,), digest=digest(3), verdict="accepted", c_source="int x;\n")
    )
    archive.db.close()

    def show(*words: str) -> Result:
        return CliRunner().invoke(mqtt_hub.cli.main, ["component", "show", *words, "--home", str(home.path)])

    text = show(digest(1)[:12], "--as", "c").output
    for line in (digest(1), "authors: AI_Node_1, B", f"parents: {digest(9)}", "made for: shop", "verdict: accepted",
                 "hidden part of shop: 390; best baseline arc 410; bound 300"):  # fmt: skip
        assert line in text
    assert text.endswith(" */\nint x;\n")
    assert show(digest(1)).output.endswith("source 1")
    assert json.loads(show(digest(1), "--as", "json").output)["hidden"][0]["value"] == 390.0
    assert "no component is called beef" in show("beef").output
    assert show("beef").exit_code == 2
