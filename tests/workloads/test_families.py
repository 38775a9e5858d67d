"""Generated families do to caches what they are said to do, the same each time, and their parts differ."""

from __future__ import annotations

import itertools
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.registry import kinds, register
from trainers.cli import main
from trainers.workloads.errors import WorkloadError
from trainers.workloads.families import families_of, generate, two_parts
from trainers.workloads.format import read

PAGES = list(families_of("page_replacement"))
EVERY = [(kind, family) for kind in kinds() for family in families_of(kind)]


@pytest.mark.parametrize(("kind", "family"), EVERY)
def test_a_seed_makes_the_same_workload_again_and_another_seed_another(kind: str, family: str) -> None:
    train, hidden = two_parts(family, "7", kind=kind)
    assert (train.part, hidden.part) == ("train", "hidden")
    assert (train.name, train.kind) == (hidden.name, hidden.kind) == (family, kind)
    assert generate(family, "7 train", kind=kind, part="train") == train
    assert list(train.words) != list(hidden.words)
    assert families_of(kind)[family].meaning in train.origin


@pytest.mark.parametrize("family", PAGES)
def test_as_many_requests_as_asked_for(family: str) -> None:
    assert generate(family, "1", length=777).rows == 777
    assert generate(family, "1").rows == families_of("page_replacement")[family].length


@pytest.fixture(scope="module")
def misses() -> dict[tuple[str, str], float]:
    """Return miss ratios by (family, baseline)."""
    found = {}
    with Evaluator() as evaluator:
        for family in PAGES:
            made = generate(family, "1")
            evaluator.load(made)
            for name in ("lru", "lfu", "s3-fifo", "lirs", "belady"):
                counters = evaluator.baseline(name, made.id, made.capacity)
                assert isinstance(counters, Counters)
                found[family, name] = counters.values["misses"] / made.rows
    return found


def test_a_loop_over_more_than_fits_defeats_lru_and_not_lirs(misses: dict[tuple[str, str], float]) -> None:
    assert misses["loop", "lru"] > 0.9
    assert misses["loop", "lirs"] < 0.4


def test_frequency_is_what_helps_where_nothing_changes_and_harms_where_all_does(
    misses: dict[tuple[str, str], float],
) -> None:
    assert misses["zipf", "lfu"] < misses["zipf", "lru"] - 0.03
    assert misses["phases", "lfu"] > misses["phases", "lru"] + 0.1
    assert misses["fork-storm", "lfu"] > misses["fork-storm", "lru"]


def test_what_resists_scans_beats_lru_on_them(misses: dict[tuple[str, str], float]) -> None:
    for family, name in itertools.product(("scans", "index"), ("s3-fifo", "lirs")):
        assert misses[family, name] < misses[family, "lru"] - 0.02


def test_every_family_leaves_room_to_the_bound(misses: dict[tuple[str, str], float]) -> None:
    for family in PAGES:
        assert misses[family, "belady"] < misses[family, "lru"] - 0.05


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(WorkloadError, match=r"no family 'none'.*zipf"):
        generate("none", "1")
    with pytest.raises(WorkloadError, match="a length of 0"):
        generate("zipf", "1", length=0)
    register("tests.kinds.disk_sleep")
    with pytest.raises(WorkloadError, match="known: none"):
        generate("zipf", "1", kind="disk_sleep")


def test_the_command_writes_one_workload_or_two_parts(tmp_path: Path) -> None:
    base = ["workload", "generate", "--family", "zipf", "--seed", "5", "--length", "500", "--capacity", "40"]
    files = {name: tmp_path / name for name in ("whole", "train", "hidden")}
    for options in (["--output"], ["--train", "--hidden"]):
        names = ["whole"] if len(options) == 1 else ["train", "hidden"]
        words = [word for option, name in zip(options, names, strict=True) for word in (option, str(files[name]))]
        done = CliRunner().invoke(main, [*base, *words])
        assert done.exit_code == 0, done.output
    assert read(files["whole"]) == generate("zipf", "5", length=500, capacity=40)
    assert (read(files["train"]), read(files["hidden"])) == two_parts("zipf", "5", length=500, capacity=40)
    for wrong in ([], ["--train", "t"], ["--output", "o", "--hidden", "h"]):
        assert CliRunner().invoke(main, [*base, *wrong]).exit_code == 2


def test_families_are_listed_with_what_they_mean() -> None:
    said = CliRunner().invoke(main, ["workload", "families"]).output
    for name, family in families_of("page_replacement").items():
        assert f"{name} " in said
        assert family.meaning in said
    as_json = CliRunner().invoke(main, ["workload", "families", "--json"]).output
    assert orjson.loads(as_json) == {name: family.meaning for name, family in families_of("page_replacement").items()}
