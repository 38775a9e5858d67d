"""Scoring for people: the object that `evaluate --json` prints, and one clear line for whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from mqtt_hub.protocol.errors import MqttHubError
from trainers import commands_workload
from trainers.arenas.errors import EvaluationError
from trainers.arenas.evaluate import baselines, bundled, capacity_of, classics, evaluate
from trainers.arenas.evaluator import Evaluator
from trainers.policy.errors import PolicyError
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import read, save, workload, write

KEYS = {"kind", "workload", "capacity", "requests", "misses", "miss_ratio", "bound_miss_ratio", "fuel"}
CLASSICS = Path(commands_workload.__file__).parent / "arenas" / "page_replacement" / "classics"


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    path = tmp_path / "loop.workload"
    save(workload("loop", [number % 20 for number in range(400)]), path)
    return path


def run(*arguments: str | Path) -> Result:
    group = click.Group(commands=[commands_workload.evaluate, commands_workload.workload])
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


def test_a_baseline_s_score_has_exactly_these_keys(loop: Path) -> None:
    score = evaluate("page_replacement", loop, baseline="lru", capacity=10)
    assert set(score) == KEYS | {"baseline"}
    assert score == {
        "kind": "page_replacement",
        "workload": "loop",
        "capacity": 10,
        "baseline": "lru",
        "requests": 400,
        "misses": 400,
        "miss_ratio": 1.0,
        "bound_miss_ratio": score["bound_miss_ratio"],
        "fuel": 0,
    }
    assert 0.5 < score["bound_miss_ratio"] < 0.6, "of 20 pages in a loop the optimum keeps 9 or 10"


def test_a_policy_s_score_has_exactly_these_keys(loop: Path) -> None:
    policy = CLASSICS / "sieve.policy"
    score = evaluate("page_replacement", loop, policy=policy, capacity=10)
    assert set(score) == KEYS | {"policy"}
    assert (score["policy"], score["fuel"] > 0) == (str(policy), True)


def test_the_command_prints_the_same_object(loop: Path) -> None:
    result = run("evaluate", "--workload", loop, "--baseline", "arc", "--capacity-percent", "50", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == evaluate("page_replacement", loop, baseline="arc", capacity=10)


def test_without_wasmtime_the_score_is_the_same_but_for_fuel(loop: Path, reference: Evaluator) -> None:
    for policy in sorted(CLASSICS.glob("*.policy")):
        slow = evaluate("page_replacement", loop, policy=policy, capacity=7, evaluator=reference)
        fast = evaluate("page_replacement", loop, policy=policy, capacity=7)
        assert slow == {**fast, "fuel": 0}
    for name in baselines("page_replacement"):
        slow = evaluate("page_replacement", loop, baseline=name, capacity=7, evaluator=reference)
        assert slow == evaluate("page_replacement", loop, baseline=name, capacity=7)


def test_the_bound_is_a_baseline_too(loop: Path) -> None:
    score = evaluate("page_replacement", loop, baseline="belady", capacity=7)
    assert score["miss_ratio"] == score["bound_miss_ratio"]


@pytest.mark.parametrize(
    ("percent", "pages"), [("10", 2), ("5", 1), ("0.001", 1), ("99.99", 19), ("100", 20), (29, 5), (5.0, 1)]
)
def test_a_percentage_is_rounded_down_to_one_page_at_least(percent: str | float, pages: int, loop: Path) -> None:
    assert capacity_of(read(loop), percent=percent) == pages


@pytest.mark.parametrize("percent", ["0", "-1", "100.1", "nan", "many"])
def test_impossible_percentages_are_refused(percent: str, loop: Path) -> None:
    with pytest.raises(EvaluationError):
        capacity_of(read(loop), percent=percent)


def test_without_a_capacity_the_workload_s_own_counts(loop: Path) -> None:
    assert evaluate("page_replacement", loop, baseline="lru")["capacity"] == 2


def test_errors_are_the_project_s_own(loop: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.policy"
    wrong.write_text("def on_hit():\n    return jump(1)\n")
    binary = tmp_path / "binary.policy"
    binary.write_bytes(b"\xff\xfe")
    for error, keywords in (
        (PolicyError, {"policy": wrong}),
        (EvaluationError, {"policy": binary}),
        (EvaluationError, {"policy": tmp_path / "missing.policy"}),
        (EvaluationError, {}),
        (EvaluationError, {"baseline": "lru", "policy": wrong}),
        (EvaluationError, {"baseline": "random"}),
    ):
        with pytest.raises(error):
            evaluate("page_replacement", loop, **keywords)
    with pytest.raises(EvaluationError, match="no component kind"):
        evaluate("network", loop, baseline="lru")
    with pytest.raises(WorkloadError, match="No such file"):
        evaluate("page_replacement", tmp_path / "missing", baseline="lru")
    other = tmp_path / "other.workload"
    other.write_bytes(write(workload("other", "abc")).replace(b'"kind":"page_replacement"', b'"kind":"network"'))
    with pytest.raises(WorkloadError, match="no component kind 'network'"):
        evaluate("page_replacement", other, baseline="lru")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--policy", "a", "--baseline", "lru"),
        ("--baseline", "lru", "--capacity", "1", "--capacity-percent", "1"),
        ("--baseline", "lru", "--capacity", "many"),
    ],
)
def test_usage_errors_exit_with_2(arguments: tuple[str, ...], loop: Path) -> None:
    assert run("evaluate", "--workload", loop, *arguments).exit_code == 2


def test_import_show_split_and_list(tmp_path: Path) -> None:
    keys, out, train, hidden = (tmp_path / name for name in ("My Keys.txt", "out", "train", "hidden"))
    keys.write_text("a\nb\na\nc\n" * 10)
    assert run("workload", "import", keys, "--format", "keys", "--output", out).exit_code == 0
    assert (read(out).name, read(out).size) == ("my-keys", 3)
    assert json.loads(run("workload", "show", out, "--json").stdout)["requests"] == 40
    assert "first use" in run("workload", "show", out).stdout
    assert run("workload", "split", out, "--train", train, "--hidden", hidden).exit_code == 0
    assert [read(path).part for path in (train, hidden)] == ["train", "hidden"]
    listed = run("workload", "list", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in listed] == [found.id for found in bundled()]


def test_a_broken_trace_raises_the_project_s_error_through_the_command(tmp_path: Path) -> None:
    result = run("workload", "import", tmp_path / "none", "--format", "csv", "--output", tmp_path / "out")
    assert isinstance(result.exception, MqttHubError)
    assert not (tmp_path / "out").exists()


def test_kinds_tell_their_baselines_and_classics() -> None:
    known = ("fifo", "lru", "clock", "lfu", "2q", "sieve", "s3-fifo", "arc", "lirs", "w-tinylfu")
    assert baselines("page_replacement") == known
    assert {*known} - {"lfu"} <= set(classics("page_replacement"))
    with pytest.raises(EvaluationError):
        baselines("network")
