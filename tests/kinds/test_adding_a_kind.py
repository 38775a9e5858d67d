"""A fourth kind is a folder: evaluator, search, bench and commands take it as it is; docs/adding-a-kind.md is true."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from mqtt_hub.protocol.bodies import OsComponentShare
from trainers.arenas.classics import classics
from trainers.arenas.errors import EvaluationError
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluator import Evaluator
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.kind import Kind
from trainers.arenas.registry import kind_of, register
from trainers.bench import Bench
from trainers.policy import canonical
from trainers.study import Meter, Study
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import halves, read, workload, write

ROOT = Path(__file__).parents[2]
EXAMPLE = register("tests.kinds.disk_sleep")
TEXT = (ROOT / "docs" / "adding-a-kind.md").read_text()
TRAIN, HIDDEN = sorted(bundled(EXAMPLE.name), key=lambda part: part.part, reverse=True)


def test_search_finds_a_component_and_the_bench_accepts_it() -> None:
    with Evaluators() as evaluators:
        programs = list(classics(EXAMPLE.name).values())
        meter = Meter(evaluators)
        study = Study(TRAIN, seeds=programs[:1], rivals=programs, meter=meter, rng=random.Random(3))
        study.island.run(120)
        choice = study.choose()
        assert choice is not None
        assert choice.mean > 0.1, "of the way from break-even to the clairvoyant"
        claim = study.claim(choice.component)
        assert claim is not None
        assert claim.counters.keys() == {"energy", "stops", "fuel"}
        submission = OsComponentShare(
            EXAMPLE.name, choice.id, canonical(choice.component), ("A",), (), (claim,), TRAIN.name
        )
        result = Bench(evaluators.of(EXAMPLE.name)).judge(submission, "A", [TRAIN], [HIDDEN])
    assert (result.verdict, result.reason) == ("accepted", "every test passed")
    (score,) = result.hidden
    assert score.metric == "energy"
    assert score.bound <= score.value < score.baselines["break-even"]
    assert set(score.baselines) == set(EXAMPLE.baselines)
    assert "timeout" in result.c_source


def test_a_baseline_may_be_a_program() -> None:
    for engine in ("wasm", "reference"):
        with Evaluator(EXAMPLE.name, engine=engine) as running:
            running.load(TRAIN)
            baseline = running.baseline("break-even", TRAIN.id, 10)
            program = running.run(classics(EXAMPLE.name)["break-even"], TRAIN.id, 10)
            assert (baseline.values, baseline.digest) == (program.values, program.digest)  # type: ignore[union-attr]


def test_break_even_never_spends_twice_the_bound() -> None:
    """Karlin, Manasse, McGeoch and Owicki 1990: the ratio is 2 at worst, and gaps just above the cost come near."""
    rng = random.Random(1)
    made = [
        workload("any", [(rng.randint(1, 60),) for _ in range(200)], kind=EXAMPLE.name),
        workload("worst", [(11,)] * 50, kind=EXAMPLE.name),
    ]
    with Evaluator(EXAMPLE.name, engine="wasm") as running:
        for one in made:
            running.load(one)
            least, spent = (
                running.baseline(name, one.id, 10).values["energy"] for name in ("clairvoyant", "break-even")
            )
            assert least <= spent <= 2 * least
    assert (least, spent) == (500, 1000)


def test_a_workload_of_one_kind_does_not_run_in_another() -> None:
    with pytest.raises(EvaluationError, match="is a workload for disk_sleep, not page_replacement"):
        Evaluator().load(TRAIN)


def test_rows_outside_of_their_bounds_are_refused() -> None:
    with pytest.raises(WorkloadError, match=r"row 1: gap 0 is not within 1\.\.1048576 s"):
        workload("w", [(5,), (0,)], kind=EXAMPLE.name)
    with pytest.raises(WorkloadError, match="row 0: 2 columns instead of 1"):
        workload("w", [(5, 6)], kind=EXAMPLE.name)
    with pytest.raises(WorkloadError, match="no gaps"):
        workload("w", [], kind=EXAMPLE.name)
    with pytest.raises(WorkloadError, match="1 gaps cannot be split"):
        halves(workload("w", [(5,)], kind=EXAMPLE.name))
    header = write(TRAIN).split(b"\n")[0]
    with pytest.raises(WorkloadError, match="header field 'columns' is not"):
        read(header.replace(b'"gap"', b'"lap"') + write(TRAIN)[len(header) :])


def test_a_name_that_is_taken_and_a_package_that_is_no_kind_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EvaluationError, match=r"tests\.search is no component kind"):
        register("tests.search")
    with pytest.raises(EvaluationError, match=r"no component kind '\.\./search'"):
        kind_of("../search")
    (tmp_path / "twin").mkdir()
    (tmp_path / "twin" / "__init__.py").touch()
    shutil.copy(EXAMPLE.folder / "kind.py", tmp_path / "twin")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EvaluationError, match="there is a kind disk_sleep already"):
        register("twin")


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the trainers and put the example's folder beside the other kinds', and nothing else."""
    root = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "trainers", root / "trainers", ignore=ignored)
    shutil.copytree(EXAMPLE.folder, root / "trainers" / "arenas" / "disk_sleep", ignore=ignored)
    (root / "mqtt_hub").symlink_to(ROOT / "mqtt_hub")
    return root


def kernel_trainer(root: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "trainers", *map(str, arguments)]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_a_copied_folder_is_all_it_takes(copied: Path) -> None:
    shown = [json.loads(line) for line in kernel_trainer(copied, "kinds", "--json").stdout.splitlines()]
    assert [kind["name"] for kind in shown if kind["specializations"] == ["power_management"]] == ["disk_sleep"]
    folder = copied / "trainers" / "arenas" / "disk_sleep"
    hidden = folder / "workloads" / "office.hidden.workload"
    policy = folder / "classics" / "last-gap.policy"
    done = kernel_trainer(
        copied, "evaluate", "--kind", "disk_sleep", "--workload", hidden, "--policy", policy, "--json"
    )
    assert done.returncode == 0, done.stderr
    score = json.loads(done.stdout)
    assert {"energy", "stops", "energy_a_gap", "bound_energy_a_gap"} < score.keys()
    assert score["bound_energy_a_gap"] <= score["energy_a_gap"]
    told = kernel_trainer(copied, "workload", "show", hidden)
    assert (told.returncode, "gap" in told.stdout) == (0, True), told.stderr


def test_a_kind_of_another_distribution_is_found_by_its_entry_point(copied: Path) -> None:
    """What pip writes for ``[project.entry-points."mqtt_hub.kinds"]``."""
    shutil.copytree(EXAMPLE.folder, copied / "elsewhere")
    kind = copied / "elsewhere" / "kind.py"
    kind.write_text(kind.read_text().replace("disk_sleep", "disk_nap"))
    (copied / "elsewhere-1.0.dist-info").mkdir()
    (copied / "elsewhere-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n"
    )
    (copied / "elsewhere-1.0.dist-info" / "entry_points.txt").write_text("[mqtt_hub.kinds]\ndisk_nap = elsewhere\n")
    assert "disk_nap" in kernel_trainer(copied, "kinds").stdout


def test_the_document_names_every_file_and_field() -> None:
    for path in EXAMPLE.folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.name in TEXT or f"*{path.suffix}" in TEXT, path.name
    for field in fields(Kind):
        assert f"`{field.name}`" in TEXT, field.name
