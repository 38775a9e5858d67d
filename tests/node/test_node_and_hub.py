"""Nodes and a hub as processes: what is sent is archived once, whoever is killed, and every end has its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import AccessDeniedError
from mqtt_hub.rehearsal import free_port
from mqtt_hub.spawn import NodePlan
from tests.node.fleet import SPECIALIZATION, Hub, RunningNode, give_token, make_home, revoke, rows, until
from trainers.outbox import Outbox, summary

TRAINER, VALIDATOR = "AI_Node_1", "Validator_1"
ACCEPTED = "accepted by the hub"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    plans = [NodePlan(TRAINER, "trainer", SPECIALIZATION), NodePlan(VALIDATOR, "validator", SPECIALIZATION)]
    return make_home(tmp_path / "hub", plans)


@pytest.fixture
def hub(home: Home) -> Iterator[Hub]:
    with Hub(home) as hub:
        yield hub


def archived_keys(home: Home, name: str) -> list[tuple[int, int]]:
    """Return (session, seq) of all that the archive has of a node, accepted or rejected, duplicates too."""
    sql = " UNION ALL ".join(
        f"SELECT t.session, t.seq FROM {table} t JOIN nodes n ON n.id = t.node WHERE n.name = ? AND t.seq IS NOT NULL"  # noqa: S608 — names above
        for table in ("messages", "rejected")
    )
    return sorted(rows(home, sql, name, name))


def sessions_sent(home: Home, name: str) -> list[tuple[int, int]]:
    """Return (session, last seq) as the node's own outbox has it, where anything was sent."""
    outbox = Outbox(home.nodes / name / "outbox.db")
    sent = outbox._db.execute("SELECT session, last_seq FROM sessions WHERE last_seq > 0 ORDER BY session").fetchall()
    outbox.close()
    return [(int(session), int(last)) for session, last in sent]


def assert_all_is_archived_once(home: Home, name: str) -> int:
    """Every message that the node has put into its outbox is in the archive, once; returns how many."""
    assert summary(home.nodes / name)["pending"] == 0
    expected = [(session, seq) for session, last in sessions_sent(home, name) for seq in range(1, last + 1)]
    assert archived_keys(home, name) == expected
    return len(expected)


def state(home: Home, name: str) -> str:
    """Return a node's presence as the hub has it."""
    ((state,),) = rows(home, "SELECT coalesce(state, '') FROM nodes WHERE name = ?", name)
    return str(state)


def verdicts(home: Home) -> dict[str, int]:
    return dict(rows(home, "SELECT verdict, count(*) FROM components GROUP BY verdict"))


def test_all_that_a_trainer_and_a_validator_send_is_archived_and_judged(home: Home, hub: Hub) -> None:
    with (
        RunningNode(home, hub.port, VALIDATOR, role="validator") as validator,
        RunningNode(home, hub.port, TRAINER, "--evaluations", "300") as trainer,
    ):
        assert trainer.exit_code() == 0, trainer.log()
        until(lambda: set(verdicts(home)) & {"accepted", "rejected"} and "pending" not in verdicts(home))
        assert validator.terminate() == 0
        assert assert_all_is_archived_once(home, TRAINER) > 3
        assert assert_all_is_archived_once(home, VALIDATOR) == sum(verdicts(home).values())
        assert "not_reproduced" not in verdicts(home)
        assert trainer.complaint() == validator.complaint() == ""
    assert rows(home, "SELECT count(*) FROM rejected") == [(0,)]
    assert summary(home.nodes / TRAINER)["evaluations"] >= 300


def test_a_wrong_token_ends_the_node_with_one_line(home: Home, hub: Hub) -> None:
    give_token(home, TRAINER, "wrong")
    with RunningNode(home, hub.port, TRAINER) as trainer:
        assert trainer.exit_code() == AccessDeniedError.exit_code
        (line,) = trainer.complaint().splitlines()
        assert "wrong or revoked token" in line
        assert f"mqtt-hub node rotate {TRAINER}" in line


def test_a_role_that_is_not_the_accounts_own_is_refused(home: Home, hub: Hub) -> None:
    with RunningNode(home, hub.port, TRAINER, role="validator") as trainer:
        assert trainer.exit_code() == AccessDeniedError.exit_code
        (line,) = trainer.complaint().splitlines()
        assert TRAINER in line


def test_a_node_that_is_revoked_while_it_runs_ends(home: Home, hub: Hub) -> None:
    with RunningNode(home, hub.port, TRAINER) as trainer:
        trainer.until_said(ACCEPTED)
        revoke(home, TRAINER)
        assert trainer.exit_code() == AccessDeniedError.exit_code
        assert len(trainer.complaint().splitlines()) == 1


def test_without_a_hub_the_node_keeps_trying_and_is_accepted_when_it_comes(home: Home) -> None:
    port = free_port()
    with RunningNode(home, port, TRAINER, "--evaluations", "1") as trainer:
        trainer.until_said("nobody answers")
        with Hub(home, port=port):
            assert trainer.exit_code() == 0, trainer.log()
            assert trainer.said(ACCEPTED)


def test_a_hub_killed_in_the_middle_loses_and_doubles_nothing(home: Home, hub: Hub) -> None:
    with RunningNode(home, hub.port, TRAINER) as trainer:
        trainer.until_said("submitted")
        hub.kill()
        trainer.until_said("connection lost")
        hub.start()
        trainer.until_said(ACCEPTED, times=2)
        assert trainer.terminate() == 0, trainer.complaint()
    assert assert_all_is_archived_once(home, TRAINER) > 3
    assert [session for session, _last in sessions_sent(home, TRAINER)] == [1]  # the same start: the same session


def test_a_trainer_killed_in_the_middle_loses_nothing_and_begins_a_new_session(home: Home, hub: Hub) -> None:
    with RunningNode(home, hub.port, TRAINER) as trainer:
        trainer.until_said("submitted")
        trainer.kill()
        until(lambda: state(home, TRAINER) == "lost")
        trainer.start()
        trainer.until_said("submitted", times=2)
        assert trainer.terminate() == 0, trainer.complaint()
        assert trainer.said("session 2")
    assert_all_is_archived_once(home, TRAINER)
    assert [session for session, _last in sessions_sent(home, TRAINER)] == [1, 2]


def test_a_validator_killed_before_it_judged_gives_its_verdict_after_a_restart_and_nobody_misses_it(
    home: Home, hub: Hub
) -> None:
    """The submitter was away, and its broker has forgotten all: the answer to HELLO tells what became of it."""
    with RunningNode(home, hub.port, VALIDATOR, role="validator") as validator:
        validator.until_said(ACCEPTED)
        validator.kill()
        with RunningNode(home, hub.port, TRAINER, "--evaluations", "300") as trainer:
            assert trainer.exit_code() == 0, trainer.log()
        submitted = verdicts(home)["pending"]
        assert verdicts(home) == {"pending": submitted}
        validator.start()
        until(lambda: "pending" not in verdicts(home), told=validator.log)
        assert validator.terminate() == 0
    assert sum(verdicts(home).values()) == submitted
    assert_all_is_archived_once(home, VALIDATOR)
    assert not trainer.said("the verdict on")
    hub.kill()
    for path in home.path.glob("broker.db*"):
        path.unlink()
    hub.start()
    with RunningNode(home, hub.port, TRAINER, "--evaluations", "1") as again:
        assert again.exit_code() == 0, again.log()
        assert again.log().count("the verdict on") == submitted


def test_a_lost_outbox_gets_a_session_beyond_all_that_were_and_no_key_is_used_twice(home: Home, hub: Hub) -> None:
    for evaluations in ("150", "300"):
        with RunningNode(home, hub.port, TRAINER, "--evaluations", evaluations) as trainer:
            assert trainer.exit_code() == 0, trainer.log()
    before = archived_keys(home, TRAINER)
    for path in (home.nodes / TRAINER).glob("outbox.db*"):
        path.unlink()
    with RunningNode(home, hub.port, TRAINER, "--evaluations", "150", "--seed", "2") as trainer:
        assert trainer.exit_code() == 0, trainer.log()
        assert trainer.said("session 3")
    after = archived_keys(home, TRAINER)
    assert len(after) == len(set(after)) > len(before)
    assert {session for session, _seq in after} == {1, 2, 3}
    assert_keys = [key for key in after if key[0] < 3]
    assert assert_keys == before


def test_sigterm_says_good_bye_and_kill_does_not(home: Home, hub: Hub) -> None:
    with RunningNode(home, hub.port, TRAINER) as trainer:
        trainer.until_said(ACCEPTED)
        until(lambda: state(home, TRAINER) == "ready")
        assert trainer.terminate() == 0, trainer.complaint()
        until(lambda: state(home, TRAINER) == "disconnected")
        trainer.start()
        until(lambda: state(home, TRAINER) == "ready")
        trainer.kill()
        until(lambda: state(home, TRAINER) == "lost")


def test_the_end_of_its_input_ends_a_node_that_was_told_so(home: Home, hub: Hub) -> None:
    with RunningNode(home, hub.port, TRAINER, "--stop-at-end-of-input") as trainer:
        trainer.until_said(ACCEPTED)
        assert trainer.running.stdin is not None
        trainer.running.stdin.close()
        assert trainer.exit_code() == 0, trainer.complaint()


def test_a_second_node_on_the_same_home_is_turned_away(home: Home, hub: Hub) -> None:
    with RunningNode(home, hub.port, TRAINER) as trainer, RunningNode(home, hub.port, TRAINER, start=False) as second:
        trainer.until_said(ACCEPTED)
        second.start()
        assert second.exit_code() == 2
        (line,) = second.complaint().splitlines()
        assert "already running" in line
        trainer.kill()
        second.start()  # a killed one holds nothing
        second.until_said(ACCEPTED, times=2)


def test_the_node_ends_with_its_evaluation_process(home: Home, hub: Hub) -> None:
    """Whatever ends the node, nothing of it is left running."""
    with RunningNode(home, hub.port, TRAINER) as trainer:
        trainer.until_said("gap closed")
        children = until(lambda: _children(trainer.running.pid))
        trainer.kill()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found
