"""A search that is killed goes on where its last round ended, and comes to what one that ran through comes to."""

from __future__ import annotations

import logging
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from mqtt_hub.archive.digest import digests
from mqtt_hub.home import Home
from mqtt_hub.spawn import NodePlan
from tests.node.fleet import SPECIALIZATION, Hub, RunningNode, make_home, rows, small_workloads, until
from trainers.arenas.evaluate import classics
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.page_replacement.kind import KIND
from trainers.checkpoint import Checkpoint, UnreadableError, digest
from trainers.letters import findings
from trainers.outbox import summary
from trainers.study import Meter, Study

NAME = "AI_Node_1"
EVALUATIONS = 1000


def saved(home: Home) -> dict[str, Any]:
    """Return what the checkpoint says of the trainer; nothing where there is none yet."""
    path = home.nodes / NAME / "search.db"
    if not path.exists():
        return {}
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        try:
            row = db.execute("SELECT state FROM states WHERE name = 'trainer'").fetchone()
        except sqlite3.Error:  # being made
            return {}
    told: dict[str, Any] = orjson.loads(row[0]) if row else {}
    return told


def home_of(path: Path) -> Home:
    return make_home(path, [NodePlan(NAME, "trainer", SPECIALIZATION)])


def came_to(home: Home) -> tuple[str, str, int]:
    """Return the digests of what the node's search became and of what it has shared, and what it spent."""
    shared = digests(home.archive_path)[NAME].digest
    return digest(home.nodes / NAME / "search.db"), shared, int(summary(home.nodes / NAME)["evaluations"])


def run_through(home: Home, *options: str) -> None:
    with Hub(home) as hub, RunningNode(home, hub.port, NAME, "--evaluations", str(EVALUATIONS), *options) as node:
        assert node.exit_code() == 0, node.complaint()


def run_with_kills(home: Home, *kills: int) -> None:
    """Run to the end, killed whenever its checkpoint says that so much was spent."""
    with Hub(home) as hub, RunningNode(home, hub.port, NAME, "--evaluations", str(EVALUATIONS)) as node:
        for spent in kills:
            until(lambda: saved(home).get("evaluations", 0) >= spent, told=node.log)  # noqa: B023 — waited for here
            assert node.running.poll() is None, "it was done before it could be killed"
            node.kill()
            node.start()
        assert node.exit_code() == 0, node.complaint()
        assert node.log().count("going on after") == len(kills)


@pytest.mark.long
def test_a_search_that_is_killed_twice_comes_to_the_same_as_one_that_ran_through_in_another_home(
    tmp_path: Path,
) -> None:
    one, other, third = (home_of(tmp_path / name) for name in ("one", "other", "third"))
    run_through(one)
    run_with_kills(other, 100, 300)
    assert came_to(one) == came_to(other)
    sessions = "SELECT count(DISTINCT session) FROM messages WHERE seq IS NOT NULL"
    assert rows(one, sessions) == [(1,)]
    assert rows(other, sessions)[0][0] > 1
    run_through(third, "--seed", "2", "--evaluations", "200")  # and the digests tell searches apart
    assert not set(came_to(third)[:2]) & set(came_to(one)[:2])


@pytest.mark.long
def test_another_seed_or_anew_begins_anew_and_a_spent_budget_is_spent(tmp_path: Path) -> None:
    home = home_of(tmp_path / "home")
    with Hub(home) as hub:
        for options, said in (
            (("--evaluations", "120"), ""),
            (("--evaluations", "120"), "going on after 1"),
            (("--evaluations", "120", "--seed", "2"), "is of another search"),
            (("--evaluations", "120", "--seed", "2", "--anew"), ""),
        ):
            (home.nodes / NAME / "node.log").unlink(missing_ok=True)
            with RunningNode(home, hub.port, NAME, *options) as node:
                assert node.exit_code() == 0, node.complaint()
                assert said in node.log()
                assert node.said("of the gap closed") == (not said.startswith("going on"))


def checkpoint(path: Path, seed: int = 1) -> Checkpoint:
    return Checkpoint(path, {"seed": seed}, logging.getLogger("test"))


def test_a_study_that_cannot_be_read_begins_anew_and_a_damaged_file_is_set_aside(train: Any, tmp_path: Path) -> None:
    path = tmp_path / "search.db"
    with Evaluators() as evaluators:
        study = study_of(train, evaluators)
        study.island.run(5)
        with closing(checkpoint(path)) as kept:
            kept.save({"turn": 1}, [study], [])
            kept._write(f"study/{train.id}", b'{"island": {"individuals": [{"source": "import os"}]}}')
            with pytest.raises(UnreadableError):
                kept.resume(study_of(train, evaluators))
        with closing(checkpoint(path)) as kept:  # what it knew is gone with it
            kept.save({"turn": 1}, [study_of(train, evaluators)], [])
            assert kept._rows(train.id, "known") == []
        path.write_bytes(b"no database" * 1000)
        with closing(checkpoint(path)) as kept:
            assert kept.trainer() is None
    assert [one.name for one in tmp_path.glob("*.damaged-*")] == ["search.db.damaged-1"]


def test_what_was_to_be_told_is_there_until_it_was_sent(train: Any, tmp_path: Path) -> None:
    with Evaluators() as evaluators:
        study = study_of(train, evaluators)
        study.island.run(40)
        letters = findings(study, NAME)
        assert len(letters) > 1
        with closing(checkpoint(tmp_path / "search.db")) as kept:
            kept.save({"turn": 1}, [study], letters)
        with closing(checkpoint(tmp_path / "search.db")) as again:
            assert again.letters() == letters
            again.sent()
            assert again.letters() == []
        with closing(checkpoint(tmp_path / "search.db", seed=2)) as other:
            assert other.trainer() is None


def test_what_is_known_is_kept_row_by_row_within_its_bound(train: Any, tmp_path: Path) -> None:
    with Evaluators() as evaluators, closing(checkpoint(tmp_path / "search.db")) as kept:
        study = study_of(train, evaluators)
        study.island.known.size_max = 30
        for _round in range(5):
            study.island.run(12)
            kept.save({"turn": 1}, [study], [])
        assert len(kept._rows(train.id, "known")) == 30
        again = study_of(train, evaluators)
        assert kept.resume(again)
        assert list(again.island.known.items()) == list(study.island.known.items())
        assert again.island.known.added == study.island.known.added == 60


@pytest.fixture
def train() -> Any:
    return next(part for part in small_workloads() if part.part == "train")


def study_of(workload: Any, evaluators: Evaluators) -> Study:
    programs = classics(KIND.name)
    seeds = [programs[name] for name in ("lru", "2q", "clock")]
    return Study(workload, seeds=seeds, rivals=[programs["arc"]], meter=Meter(evaluators), rng=random.Random(1))


@pytest.mark.parametrize("at", [1, 2, 40])
def test_a_study_resumed_from_its_state_goes_on_as_the_first_would_have(train: Any, at: int) -> None:
    """Also before its seeds are measured, with programs and patterns of peers, and in what its measures remember."""
    with Evaluators() as evaluators:
        first = study_of(train, evaluators)
        first.island.run(at)
        first.choose()
        for pattern in first.mine():
            first.shared.add(pattern.id)
        first.offer(classics(KIND.name)["lirs"], ("peer",), 0.5)
        second = study_of(train, evaluators)
        second.resume(orjson.loads(orjson.dumps(first.state())))
        second.island.known.resume(first.island.known.added, first.island.known.since(0))
        second.island.behaviours.resume(first.island.behaviours.added, first.island.behaviours.since(0))
        for study in (first, second):
            study.adopt_waiting()
            study.island.run(60)
            study.choose()
            study.mine()
            study.bar()
        assert orjson.dumps(first.state()) == orjson.dumps(second.state())
        assert list(first.island.known.items()) == list(second.island.known.items())
        assert list(first.island.behaviours.items()) == list(second.island.behaviours.items()) != []
