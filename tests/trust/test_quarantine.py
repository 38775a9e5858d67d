"""Quarantine in a running hub: what it stops, what it leaves, how it begins and ends; and who hears a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from mqtt_hub.accounts import AccountBook, Accounts
from mqtt_hub.cli import main
from mqtt_hub.external.senders import Senders
from mqtt_hub.home import Home
from mqtt_hub.protocol.codec import encode
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.protocol.topics import build
from mqtt_hub.trust import STRIKES_MAX
from tests.hub.entries import accepted, digest, source
from tests.hub.harness import RawClient, RunningHub, hub_on, make_home, until
from tests.protocol.examples import KIND, message

A, B, V = "AI_Node_1", "AI_Node_2", "Validator_1"
PATTERN, SHARE, RESULT, VERDICT = (
    MessageType.PATTERN_SHARE,
    MessageType.OS_COMPONENT_SHARE,
    MessageType.TEST_RESULT,
    MessageType.VERDICT,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", {A: "trainer", B: "trainer", V: "validator"})


@pytest.fixture
def running(home: Home) -> Iterator[RunningHub]:
    with hub_on(home) as hub:
        yield hub


def command(home: Home, *words: str) -> str:
    done = CliRunner().invoke(main, [*words, "--home", str(home.path)])
    assert done.exit_code == 0, done.output
    return done.output


def forge(client: RawClient, times: int) -> None:
    """Publish as somebody else so often."""
    for number in range(times):
        said = encode(message(PATTERN, B, session=1, seq=number + 1))
        client.publish(build(PATTERN, B, KIND), said)


def levels(running: RunningHub) -> dict[str, str]:
    return dict(running.rows("SELECT name, level FROM standings WHERE role = 'trainer'"))


def test_whoever_forges_senders_is_quarantined_by_rule_and_nobody_hears_what_it_shares_from_then_on(
    running: RunningHub,
) -> None:
    with RawClient(running, A) as a, RawClient(running, B) as b:
        a.greet()
        b.greet()
        a.say(PATTERN, seq=1)
        b.expect(PATTERN)
        forge(a, STRIKES_MAX)
        until(lambda: levels(running).get(A) == "quarantined", lambda: levels(running))
        status = running.until(lambda status: A in status["trust"]["quarantined"])
        assert "forgery: access: AI_Node_1 may not publish as AI_Node_2" in status["trust"]["quarantined"][A]
        a.say(PATTERN, seq=2)
        assert "quarantined" in a.rejection("is quarantined").rejected[0].reason
        b.say(PATTERN, seq=1)
        b.receipt(1)
        assert {heard.sender for heard in b.heard(PATTERN)} <= {B}
        assert running.rows("SELECT count(*) FROM rejected WHERE reason LIKE 'access: AI_Node_1 is quarantined%'") == [
            (1,)
        ]
        # It may still announce itself, is told why, and its receipts free its outbox.
        assert "nothing you share is taken; quarantined: " in a.greet().reason


def test_a_quarantine_survives_a_restart_and_the_operator_ends_it_on_a_live_connection(home: Home) -> None:
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet()
        command(home, "node", "quarantine", A, "--reason", "looks strange")
        until(lambda: levels(running).get(A) == "quarantined")
    with hub_on(home) as running, RawClient(running, A) as a:
        a.greet(session=2)
        a.say(PATTERN, seq=1)
        a.rejection("AI_Node_1 is quarantined: by the operator: looks strange")
        assert "quarantined, trust 0.50" in command(home, "node", "list")
        command(home, "node", "release", A)
        until(lambda: levels(running)[A] == "new")
        running.until(lambda status: not status["trust"]["quarantined"])
        a.say(PATTERN, seq=2)
        a.receipt(2)
        assert running.rows("SELECT count(*) FROM patterns") == [(1,)]
        events = "SELECT deed FROM trust_events ORDER BY id"
        assert running.rows(events) == [("quarantine",), ("release",)]


def test_what_the_operator_decided_while_no_hub_ran_is_done_at_its_start(home: Home) -> None:
    command(home, "node", "quarantine", A)
    with hub_on(home) as running, RawClient(running, A) as a:
        until(lambda: levels(running) == {} and running.rows("SELECT name FROM trust JOIN nodes ON nodes.id = node"))
        a.greet()
        a.say(PATTERN, seq=1)
        a.rejection("is quarantined: by the operator")
    listed = orjson.loads(command(home, "node", "list", "--json"))
    assert [row["level"] for row in listed if row["name"] == A] == ["quarantined"]


@pytest.mark.parametrize("action", ["quarantine", "release"])
def test_whom_nobody_knows_nobody_can_quarantine(home: Home, action: str) -> None:
    done = CliRunner().invoke(main, ["node", action, "Nobody", "--home", str(home.path)])
    assert (done.exit_code, "there is no account Nobody" in done.output) == (2, True)


def test_trainers_hear_the_verdict_and_never_the_scores_behind_it(running: RunningHub) -> None:
    everything = [f"kernel/v1/{level}/+/{KIND}" for level in ("test_result", "verdict", "os_component_share")]
    with (
        RawClient(running, A) as a,
        RawClient(running, B, filters=everything) as b,
        RawClient(running, V, role="validator") as v,
        RawClient(running, "observer", role="observer", filters=everything) as observer,
    ):
        assert observer.granted == [True, True, True]
        assert b.granted == [False, True, True]
        a.greet()
        v.greet()
        a.say(SHARE, seq=1, source=source(1))
        v.expect(SHARE)
        name = submission_id(A, accepted(SHARE, A, source=source(1)).message.body)
        v.say(RESULT, seq=1, component=digest(1), submission=name, told="every test passed")
        for client in (a, b):
            said = client.expect(VERDICT).body
            assert (said.verdict, said.submitter, said.submission, said.agreeing) == ("accepted", A, name, 1)
        assert not any(b"hidden" in payload for _topic, payload, _retained in [*a.raw, *b.raw])


def test_a_submission_is_listed_and_reopened_by_the_start_of_its_name(running: RunningHub, home: Home) -> None:
    with RawClient(running, A) as a, RawClient(running, V, role="validator") as v:
        a.greet()
        v.greet()
        a.say(SHARE, seq=1, source=source(1))
        v.expect(SHARE)
        name = submission_id(A, accepted(SHARE, A, source=source(1)).message.body)
        v.say(RESULT, seq=1, component=digest(1), submission=name)
        a.expect(VERDICT)
        assert name[:12] in command(home, "submission", "list", "--verdict", "accepted")
        command(home, "submission", "reopen", name[:8], "--reason", "the validator was old")
        until(lambda: running.rows("SELECT verdict, round FROM submissions") == [("pending", 1)])
        assert [item.round for item in v.greet().pending] == [1]
        assert orjson.loads(command(home, "submission", "list", "--json"))[0]["verdict"] == "pending"
    unknown = CliRunner().invoke(main, ["submission", "reopen", "f00", "--home", str(home.path)])
    assert (unknown.exit_code, "no submission is called f00" in unknown.output) == (2, True)


def test_behind_an_external_broker_the_hub_refuses_what_a_quarantined_node_shares(home: Home) -> None:
    senders = Senders(AccountBook(Accounts(home.accounts_path)), "kernel")
    share, hello = (build(type_, A, scope) for type_, scope in ((PATTERN, KIND), (MessageType.HELLO, "")))
    assert (senders.of(share).refused, senders.of(hello).refused) == (None, None)
    senders.quarantine({A: "three offences in a row"})
    assert senders.of(share).refused == "AI_Node_1 is quarantined: three offences in a row"
    assert senders.of(hello).refused is None
    senders.quarantine({A: ""})
    assert senders.of(share).refused is None
