"""The table of hidden workloads counts what it shows; the figure shows every arm; both as commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import orjson
import pytest
from click.testing import CliRunner, Result

from tests.experiment.test_sharing import PAIRS
from trainers.arenas.errors import EvaluationError
from trainers.cli import main
from trainers.experiment.hidden import EVEN, Budget, Row, as_json, as_text, rows, summary
from trainers.experiment.statistics import effect


def row(found: float, best: float, picked: float, *, workload: str = "git", seed: int = 1) -> Row:
    return Row(workload, seed, 285, found, "s3-fifo", best, "clock", picked, imported=False)


def told_row(evaluations: int) -> Row:
    return replace(row(0.5, 0.4, 0.1), evaluations=evaluations)


def test_a_hair_is_neither_won_nor_lost() -> None:
    told = row(0.5, 0.0, 0.0)
    assert told.against(0.5 - 2 * EVEN) == "won"
    assert told.against(0.5 - EVEN / 2) == told.against(0.5 + EVEN / 2) == "even"
    assert told.against(0.5 + 2 * EVEN) == "lost"


def test_the_sums_count_every_row_once() -> None:
    found = [row(0.5, 0.4, 0.1), row(0.5, 0.6, 0.5, workload="notes"), row(0.2, 0.4, 0.1, seed=2)]
    told = summary(found)
    assert told["against_best"] == {"won": 1, "even": 0, "lost": 2}
    assert told["against_picked"] == {"won": 2, "even": 1, "lost": 0}
    assert told["found"] == pytest.approx(0.4)
    text = as_text("page_replacement", found)
    assert "1 won, 0 even, 2 lost" in text
    assert "1/0/1" in text  # git, over its two seeds


def test_a_fleets_choice_stands_beside_baselines_of_the_same_rows() -> None:
    budget = Budget(nodes=2, evaluations=200)
    found = list(rows(PAIRS, budget, seeds=1, processes=1))
    assert [one.workload for one in found] == [pair.train.name for pair in PAIRS]
    for one in found:
        assert one.picked <= one.best <= 1
        assert -1 <= one.found <= 1
    assert as_json("page_replacement", budget, found)["rows"][0]["workload"] == PAIRS[0].train.name


def test_the_command_prints_a_table_for_each_kind(tmp_path: Path) -> None:
    output = tmp_path / "hidden.json"
    options = ["--kind", "page_replacement", "--workloads", "orders", "--nodes", "2", "--evaluations", "100"]
    done = CliRunner().invoke(main, ["experiment", "hidden", *options, "--processes", "1", "--output", str(output)])
    assert done.exit_code == 0, done.output
    assert "s3-fifo" in done.output
    (told,) = orjson.loads(output.read_bytes())
    assert (told["nodes"], told["evaluations"], len(told["rows"])) == (2, 100, 1)


def test_a_budget_for_each_workload_is_not_divided() -> None:
    assert (Budget(evaluations=2000).share(7), Budget(evaluations=2000, each=True).share(7)) == (285, 2000)
    assert Budget(evaluations=100).share(1000) == 1


def hidden(output: Path, *options: str) -> Result:
    """Run the command for small fleets."""
    small = ["--kind", "page_replacement", "--nodes", "1", "--evaluations", "100", "--each", "--processes", "1"]
    return CliRunner().invoke(main, ["experiment", "hidden", *small, "--output", str(output), *options])


def test_what_a_run_that_ended_early_wrote_is_kept_and_only_the_rest_is_run(tmp_path: Path) -> None:
    output, whole = tmp_path / "hidden.json", tmp_path / "whole.json"
    hidden(output, "--workloads", "orders")
    hidden(whole, "--workloads", "orders,notes")
    (told,) = orjson.loads(output.read_bytes())
    marked = {**told["rows"][0], "found": 0.123}  # a row that no run would find: it stays, so it was not run again
    output.write_bytes(orjson.dumps([{**told, "rows": [marked]}]))
    done = hidden(output, "--workloads", "orders,notes", "--resume")
    assert done.exit_code == 0, done.output
    (resumed,), (uninterrupted,) = orjson.loads(output.read_bytes()), orjson.loads(whole.read_bytes())
    assert resumed["rows"] == [marked, uninterrupted["rows"][1]]
    assert uninterrupted["rows"][0] == told["rows"][0]
    assert [one["evaluations"] for one in resumed["rows"]] == [100, 100]


@pytest.mark.parametrize("options", [["--nodes", "2"], ["--evaluations", "200"], ["--workloads", "notes"]])
def test_another_run_is_not_taken_up(tmp_path: Path, options: list[str]) -> None:
    output = tmp_path / "hidden.json"
    output.write_bytes(orjson.dumps([as_json("page_replacement", Budget(1, 100, each=True), [told_row(100)])]))
    before = output.read_bytes()
    done = hidden(output, "--resume", *options)
    assert done.exit_code == EvaluationError.exit_code
    assert "is of another run" in done.output
    assert output.read_bytes() == before


@pytest.mark.parametrize("text", ["", "1", "[1]", '[{"kind": "page_replacement"}]'])
def test_what_is_no_output_of_the_command_is_not_taken_up(tmp_path: Path, text: str) -> None:
    output = tmp_path / "hidden.json"
    output.write_text(text)
    done = hidden(output, "--resume")
    assert done.exit_code == EvaluationError.exit_code
    assert str(output) in done.output.replace("\n", "")


def told_result() -> dict[str, object]:
    added = orjson.loads(orjson.dumps(effect({"git": [0.1, 0.2], "notes": [-0.05, 0.0]})))
    arms, nodes = {"patterns": added, "programs": added}, {"node_1": added}
    return {
        "kind": "page_replacement", "workloads": [{}, {}], "nodes": 4, "evaluations": 400, "seeds": 2,
        "effects": {"late": arms, "same": arms}, "gifts": {"late": nodes, "same": nodes},
    }  # fmt: skip


def test_the_figure_has_a_row_for_each_arm_of_each_setting(tmp_path: Path) -> None:
    result, svg = tmp_path / "result.json", tmp_path / "figure.svg"
    result.write_bytes(orjson.dumps(told_result()))
    done = CliRunner().invoke(main, ["experiment", "figure", str(result), str(result), "--svg", str(svg)])
    assert done.exit_code == 0, done.output
    words = [element.text for element in ET.fromstring(svg.read_text()).iter() if element.text]  # noqa: S314 — ours
    for name in ("patterns", "programs", "gifts of node_1"):
        assert words.count(name) == 4
    assert sum(text.startswith(("late: ", "same: ")) for text in words) == 4


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"effects": {}}'])
def test_what_is_no_result_is_one_clear_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    done = CliRunner().invoke(main, ["experiment", "figure", str(path), "--svg", str(tmp_path / "figure.svg")])
    assert done.exit_code != 0
    assert "experiment sharing --output" in str(done.exception or done.output) + done.output


def test_an_effect_of_ones_own_differences_is_told_as_the_experiments_own(tmp_path: Path) -> None:
    differences = {"git": [0.1, 0.3, 0.2], "notes": [-0.1, 0.0, 0.1]}
    path = tmp_path / "differences.json"
    path.write_bytes(orjson.dumps(differences))
    done = CliRunner().invoke(main, ["experiment", "effect", str(path), "--json"])
    assert done.exit_code == 0, done.output
    assert orjson.loads(done.output) == orjson.loads(orjson.dumps(effect(differences)))
