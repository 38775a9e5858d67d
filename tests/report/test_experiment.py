"""The sharing experiment's file is taken as it is written, and refused where it is something else."""

from __future__ import annotations

from array import array
from dataclasses import fields
from pathlib import Path
from typing import Any

import orjson
import pytest

from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.report.experiment import read_experiment
from trainers.experiment.fleet import Outcome
from trainers.experiment.settings import Pair, Setting
from trainers.experiment.sharing import Design, Record
from trainers.experiment.text import as_json
from trainers.workloads.format import Workload


def outcome(hidden: float) -> Outcome:
    made: dict[str, Any] = {field.name: 0 for field in fields(Outcome)}
    made |= {"adopted": {}, "refused": {}, "used": {}, "chosen": ()}
    return Outcome(**(made | {"node": "node_1", "workload": "w", "counted": True, "hidden": hidden}))


def part(name: str) -> Workload:
    words = array("I", (1, 2, 3))
    return Workload(name, "page_replacement", "w", name, 2, words, rows=3, size=3, origin="made up")


def experiment() -> dict[str, Any]:
    """Return the JSON of a small experiment, written by the code that writes it."""
    design = Design(
        (Pair(part("train"), part("hidden")),), settings=(Setting.LATE,), arms=("isolated", "programs"), seeds=3
    )
    found = [
        Record(Setting.LATE, "w", seed, arm, "", (outcome(0.1 * seed + 0.2 * (arm == "programs")),))
        for seed in (1, 2, 3)
        for arm in ("isolated", "programs")
    ]
    made: dict[str, Any] = orjson.loads(orjson.dumps(as_json(design, found)))
    return made


def written(directory: Path, said: Any) -> Path:
    path = directory / "sharing.json"
    path.write_bytes(said if isinstance(said, bytes) else orjson.dumps(said))
    return path


def test_effects_come_with_both_intervals_and_the_arms_hidden_scores(tmp_path: Path) -> None:
    read = read_experiment(written(tmp_path, experiment()))
    assert (read["kind"], read["seeds"], read["workloads"]) == ("page_replacement", 3, ["w"])
    assert read["controls"] == [{"setting": "late", "hidden": pytest.approx(0.2)}]
    (effect,) = read["effects"]
    assert (effect["setting"], effect["arm"], effect["pairs"]) == ("late", "programs", 3)
    assert effect["mean"] == pytest.approx(0.2)
    assert effect["hidden"] == pytest.approx(0.4)
    assert effect["seeds"].keys() == effect["workloads"].keys() == {"low", "high"}


@pytest.mark.parametrize(
    "said",
    [
        b"{", b"[]", b"{}", b'"x"', experiment() | {"seeds": None}, experiment() | {"effects": {"late": {"all": 3}}},
        experiment() | {"kind": 3}, experiment() | {"workloads": 5}, experiment() | {"scores": [1]},
        experiment() | {"effects": {"late": {"all": {"mean": "nan", "pairs": 1, "seeds": {}, "workloads": {}}}}},
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_one_line(tmp_path: Path, said: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"sharing\.json is no") as raised:
        read_experiment(written(tmp_path, said))
    assert "--output FILE" in raised.value.hint
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read_experiment(tmp_path / "nothing.json")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, experiment())
    monkeypatch.setattr("mqtt_hub.report.experiment.FILE_BYTES_MAX", path.stat().st_size)
    read_experiment(path)
    monkeypatch.setattr("mqtt_hub.report.experiment.FILE_BYTES_MAX", path.stat().st_size - 1)
    with pytest.raises(ConfigurationError, match="bytes"):
        read_experiment(path)
