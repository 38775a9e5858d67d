"""Claims: trainers share workloads out among them, whoever goes or falls silent holds nothing, nobody is starved."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import CLAIMS_MAX, Status
from mqtt_hub.protocol.errors import ProtocolError
from mqtt_hub.protocol.schema import checker
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.spawn import NodePlan
from tests.node.fleet import SPECIALIZATION, Hub, RunningNode, make_home, rows, small_workloads, until
from trainers.arenas.page_replacement.kind import KIND
from trainers.claims import BEYOND_EVERY_ROUNDS, HOLDERS_MAX, RENEW_S, Claims
from trainers.node import Node, NodeSettings

ORDER = tuple("abcdefg")


class Clock:
    """Seconds that the test says."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def claims(clock: Clock) -> Claims:
    return Claims("M", clock)


def rounds(claims: Claims, count: int, order: tuple[str, ...] = ORDER) -> Counter[str]:
    """Return how many of so many rounds go where."""
    return Counter(claims.choose(order, turn) for turn in range(count))


def test_a_node_by_itself_goes_round_all_of_its_workloads(claims: Claims) -> None:
    assert [claims.choose(ORDER, turn) for turn in range(10)] == [*ORDER, *ORDER[:3]]
    assert claims.mine == ORDER


def test_what_another_claims_is_left_to_it_but_every_fourth_round(claims: Claims) -> None:
    claims.hear("A", 1, ("a", "b", "c"), 300)
    assert BEYOND_EVERY_ROUNDS == 4
    assert rounds(claims, 48) == {**dict.fromkeys("abc", 4), **dict.fromkeys("defg", 9)}
    assert set(claims.mine) == set("defg")


def test_a_claim_lapses_at_its_end_and_not_before(claims: Claims, clock: Clock) -> None:
    claims.hear("A", 1, ("a",), 60)
    clock.now_s += 59.9
    claims.choose(ORDER, 0)
    assert "a" not in claims.mine
    clock.now_s += 0.1
    claims.choose(ORDER, 1)
    assert claims.mine == tuple("bcdeafg")


def test_whoever_says_that_it_goes_holds_nothing_unless_it_is_the_will_of_an_earlier_start(claims: Claims) -> None:
    claims.hear("A", 2, ("a",), 300)
    claims.hear("A", 1, (), 0)
    claims.choose(ORDER, 0)
    assert "a" not in claims.mine
    claims.hear("A", 2, (), 0)
    claims.choose(ORDER, 1)
    assert "a" in claims.mine


def test_of_two_that_chose_the_same_the_first_by_name_keeps_it(clock: Clock) -> None:
    first, second = Claims("A", clock), Claims("B", clock)
    for claims in (first, second):
        claims.choose(ORDER, 0)
    assert first.mine == second.mine == ORDER
    first.hear("B", 1, second.mine, 300)
    second.hear("A", 1, first.mine, 300)
    for claims in (first, second):
        claims.choose(ORDER, 1)
    assert first.mine == ORDER[:4]  # its half, rounded up
    assert second.mine == ()  # until it hears what the other has left
    second.hear("A", 1, first.mine, 300)
    second.choose(ORDER, 2)
    assert second.mine == ORDER[4:]


def test_whoever_claims_all_for_ever_changes_nothing_for_the_others(claims: Claims) -> None:
    claims.hear("A", 1, ORDER, 600)
    assert [claims.choose(ORDER, turn) for turn in range(10)] == [*ORDER, *ORDER[:3]]
    assert claims.mine == ()


def test_who_claims_nothing_of_ours_is_left_no_share_and_who_looks_for_work_is(claims: Claims) -> None:
    claims.hear("A", 1, ("elsewhere",), 300)
    claims.choose(ORDER, 0)
    assert len(claims.mine) == 7
    claims.hear("B", 1, (), 300)
    claims.choose(ORDER, 1)
    assert claims.mine == ORDER[:4]


def test_a_node_claims_no_more_than_a_message_holds_and_still_works_at_all_that_is_free(claims: Claims) -> None:
    many = tuple(f"w{number:02d}" for number in range(CLAIMS_MAX + 4))
    went = rounds(claims, 2 * len(many), many)
    assert claims.mine == many[:CLAIMS_MAX]
    assert set(went.values()) == {2}


def test_claims_of_so_many_are_remembered_and_the_one_heard_longest_ago_goes_first(claims: Claims) -> None:
    claims.hear("longest ago", 1, ("a",), 300)
    claims.hear("later", 1, ("b",), 300)
    for number in range(HOLDERS_MAX - 1):
        claims.hear(f"N{number}", 1, ("elsewhere",), 300)
    claims.choose(ORDER, 0)
    assert "a" in claims.mine
    assert "b" not in claims.mine


def test_what_is_claimed_is_told_when_it_changes_and_when_it_is_due(claims: Claims, clock: Clock) -> None:
    assert claims.to_tell() == ()  # that it is there, so that the others leave it something
    assert claims.to_tell() is None
    claims.choose(ORDER, 0)
    assert claims.to_tell() == ORDER
    clock.now_s += RENEW_S - 0.1
    assert claims.to_tell() is None
    clock.now_s += 0.1
    assert claims.to_tell() == ORDER
    assert claims.to_tell() is None


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 6), st.integers(1, 12), st.data())
def test_fleets_of_any_size_share_any_number_of_workloads_out(nodes: int, workloads: int, data: st.DataObject) -> None:
    """Whatever the order in which they come to choose, and each hears the others late: soon no two hold the same."""
    names = [f"N{number}" for number in range(nodes)]
    fleet = {name: Claims(name, Clock()) for name in names}
    everything = [f"w{number:02d}" for number in range(workloads)]
    orders = {name: tuple(data.draw(st.permutations(everything), label=name)) for name in names}
    for turn in range(2 * (nodes + workloads)):
        for name in data.draw(st.permutations(names), label=f"round {turn}") if turn < 2 else names:
            fleet[name].choose(orders[name], turn)
            told = fleet[name].to_tell()
            for other in names:
                if told is not None and other != name:
                    fleet[other].hear(name, 1, told, 300)
    held = Counter(workload for claims in fleet.values() for workload in claims.mine)
    assert set(held.values()) <= {1}
    assert len(held) == workloads  # and nothing is left over
    assert max(len(claims.mine) for claims in fleet.values()) <= -(-workloads // nodes)


def test_a_status_of_an_older_version_claims_nothing_and_one_beyond_the_bounds_is_refused() -> None:
    check, digest = checker(Status), "0" * 64
    told = {"state": "ready", "session": 1, "role": "trainer"}
    assert (check(told, "body").claims, check(told, "body").claims_s) == ((), 0)
    allowed = {"claims": [digest] * CLAIMS_MAX, "claims_s": 600}
    assert check(told | allowed, "body").claims_s == 600
    for beyond in ({"claims": [digest] * (CLAIMS_MAX + 1)}, {"claims_s": 601}, {"claims": ["w"]}):
        with pytest.raises(ProtocolError, match=r"body\.claims"):
            check(told | beyond, "body")


# -- a fleet -----------------------------------------------------------------------------------------------------

FIRST, SECOND, SILENT = "AI_Node_1", "AI_Node_2", "AI_Node_0"
CLAIMING = ("--takes", "claims,patterns,programs,requests")
LAST_CLAIMS = (
    "SELECT n.name, json_extract(m.payload, '$.body.claims') FROM messages m JOIN nodes n ON n.id = m.node"
    " WHERE m.id IN (SELECT max(id) FROM messages WHERE type = 'STATUS' GROUP BY node) AND n.role = 'trainer'"
)
WORKLOADS = frozenset(part.id for part in small_workloads() if part.part == "train")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "hub", [NodePlan(name, "trainer", SPECIALIZATION) for name in (FIRST, SECOND, SILENT)])


def claimed(home: Home) -> dict[str, frozenset[str]]:
    """Return what each trainer claims by its newest status, as the archive has it."""
    return {name: frozenset(orjson.loads(told or "[]")) for name, told in rows(home, LAST_CLAIMS)}


@contextmanager
def who_says(home: Home, port: int, name: str) -> Iterator[Node]:
    """Connect as a trainer that claims what the test says and searches nothing."""
    place = home.nodes / name
    token = (place / "token").read_text().strip()
    node = Node(
        NodeSettings(name, "trainer", SPECIALIZATION, (KIND.name,), token, place, port=port, peers=True),
        have=lambda: (),
        stop=threading.Event(),
    )
    node.start()
    try:
        until(lambda: node.ready)
        yield node
    finally:
        node.stop()


@pytest.mark.long
def test_two_trainers_come_to_work_at_different_workloads_and_one_takes_over_what_a_killed_one_held(home: Home) -> None:
    with Hub(home) as hub, RunningNode(home, hub.port, FIRST, *CLAIMING) as first:
        until(lambda: claimed(home).get(FIRST) == WORKLOADS, told=first.log)
        with RunningNode(home, hub.port, SECOND, *CLAIMING, "--seed", "2") as second:
            until(lambda: [len(claimed(home).get(name, ())) for name in (FIRST, SECOND)] == [1, 1], told=second.log)
            assert claimed(home)[FIRST] | claimed(home)[SECOND] == WORKLOADS
            second.kill()
            until(lambda: claimed(home)[FIRST] == WORKLOADS, told=first.log)
            assert first.terminate() == 0, first.complaint()
        assert claimed(home)[FIRST] == frozenset()  # whoever goes drops what it held


@pytest.mark.long
def test_a_trainer_leaves_a_claimed_workload_alone_until_its_holder_has_been_silent_for_too_long(home: Home) -> None:
    theirs = min(WORKLOADS)
    with Hub(home) as hub, who_says(home, hub.port, SILENT) as holder:
        holder.claim((theirs,), 600)
        with RunningNode(home, hub.port, FIRST, *CLAIMING) as trainer:
            until(lambda: claimed(home).get(FIRST), told=trainer.log)
            assert claimed(home)[FIRST] == WORKLOADS - {theirs}  # it heard of the claim before it began
            holder.claim((theirs,), 1)
            until(lambda: claimed(home)[FIRST] == WORKLOADS, told=trainer.log)
            heard = [holder.inbox.get_nowait() for _ in range(holder.inbox.qsize())]
            assert {message.sender for message in heard if message.type is MessageType.STATUS} == {FIRST}
            assert trainer.terminate() == 0, trainer.complaint()
