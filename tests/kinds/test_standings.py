"""What there is to beat is told for every workload, and nothing is below a bound."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner

import trainers.cli
from trainers.arenas.evaluate import bundled, classics
from trainers.arenas.evaluator import Evaluator
from trainers.arenas.kind import Kind
from trainers.standings import markdown, standing
from trainers.workloads.format import save
from trainers.yardstick import Yardstick


def test_a_standing_names_everything_and_nothing_is_beyond_the_bound(kind: Kind, evaluator: Evaluator) -> None:
    told = standing(Yardstick(evaluator), bundled(kind.name)[0])
    assert tuple(told.baselines) == kind.baselines
    assert tuple(told.oracles) == kind.oracles
    assert told.programs.keys() == classics(kind.name).keys()
    assert told.beyond == []
    assert told.baselines[told.best] == min(told.baselines.values())
    table = markdown(kind, [told]).splitlines()
    assert len({line.count("|") for line in table}) == 1
    assert f"**{told.shown(told.baselines[told.best]):.3f}**" in table[-1]
    lower = replace(told, bound=told.bound + 10**9)
    assert set(lower.beyond) == {*kind.baselines, *kind.oracles, *classics(kind.name)}


def test_the_command_tells_it(kind: Kind, tmp_path: Path) -> None:
    save(bundled(kind.name)[0], tmp_path / "one.workload")
    words = ["baselines", "--workload", str(tmp_path / "one.workload")]
    (told,) = json.loads(CliRunner().invoke(trainers.cli.main, [*words, "--json"]).stdout)
    assert (told["kind"], told["beyond_the_bound"]) == (kind.name, [])
    text = CliRunner().invoke(trainers.cli.main, words)
    assert (text.exit_code, f"best {told['best']}" in text.stdout) == (0, True)
    assert all(name in text.stdout for name in (*kind.baselines, *kind.oracles))
