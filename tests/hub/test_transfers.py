"""Workloads on their way: from the first piece that somebody lacks, once for all, hidden parts to validators."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import Hello
from mqtt_hub.protocol.schema import checker
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.protocol.topics import build, subscriptions
from mqtt_hub.transfers import GATHER_S, Transfers
from mqtt_hub.workload_store import CHUNK_BYTES, StoredWorkload, WorkloadStore
from tests.hub.harness import RawClient, hub_on, make_home
from tests.hub.test_workload_store import workload
from tests.protocol.examples import KIND
from trainers.pieces import UNFINISHED_MAX

COUNT = 6


@pytest.fixture
def stored(tmp_path: Path) -> StoredWorkload:
    return WorkloadStore(tmp_path).add(workload(data=os.urandom(CHUNK_BYTES * COUNT - 500)))


class Line:
    """Transfers, with a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.transfers = Transfers(lambda: self.now)

    def sent(self, pieces_max: int = 100) -> list[int]:
        """Return the chunks that go out after the time to gather."""
        self.now += GATHER_S
        return [chunk.chunk for _type, chunk in self.transfers.pieces(pieces_max)]


def test_what_several_ask_for_is_sent_once_from_the_least_of_their_firsts(stored: StoredWorkload) -> None:
    line = Line()
    for first in (4, 2, 5):
        line.transfers.ask(stored, first)
    assert [chunk.chunk for _type, chunk in line.transfers.pieces(100)] == []  # there may be more who ask
    assert line.sent() == [2, 3, 4, 5]
    assert line.sent() == []


def test_who_asks_for_no_more_than_is_still_to_come_starts_nothing_anew(stored: StoredWorkload) -> None:
    line = Line()
    line.transfers.ask(stored)
    assert line.sent(3) == [0, 1, 2]
    line.transfers.ask(stored, 3)
    assert line.sent() == [3, 4, 5]
    assert line.sent() == []


def test_who_asks_for_what_has_passed_gets_it_after_the_rest(stored: StoredWorkload) -> None:
    line = Line()
    line.transfers.ask(stored)
    assert line.sent(3) == [0, 1, 2]
    line.transfers.ask(stored, 2)
    assert line.sent() == [3, 4, 5]
    assert line.sent() == [2, 3, 4, 5]


@pytest.mark.parametrize("first", [COUNT, COUNT + 1, 2**20])
def test_who_claims_to_hold_all_and_asks_gets_it_from_the_start(stored: StoredWorkload, first: int) -> None:
    line = Line()
    line.transfers.ask(stored, first)
    assert line.sent() == list(range(COUNT))


def test_a_file_that_is_gone_is_left_out_and_the_next_one_sent(stored: StoredWorkload, tmp_path: Path) -> None:
    other = WorkloadStore(tmp_path).add(workload("other"))
    line = Line()
    line.transfers.ask(stored)
    line.transfers.ask(other)
    stored.path.unlink()
    assert line.sent() == [0]


def test_hello_has_room_for_as_many_as_a_node_keeps() -> None:
    hello = {"role": "trainer", "specialization": "s", "kinds": [], "instance": "i", "capabilities": {}, "have": []}
    partial = {f"{number:064x}": number + 1 for number in range(UNFINISHED_MAX)}
    assert checker(Hello)(hello | {"partial": partial}, "body").partial == partial


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "hub", {"AI_Node_1": "trainer", "Validator_1": "validator"})


def test_a_node_that_holds_the_beginning_is_sent_the_rest(home: Home) -> None:
    train = WorkloadStore(home.workloads).add(workload(data=os.urandom(CHUNK_BYTES * COUNT - 500)))
    with hub_on(home) as running, RawClient(running, "AI_Node_1") as trainer:
        trainer.greet(partial={train.entry.id: 4})
        last = trainer.expect(MessageType.WORKLOAD, lambda body: body.chunk == COUNT - 1)
        assert last.body.id == train.entry.id
        assert [message.body.chunk for message in trainer.heard(MessageType.WORKLOAD)] == [4]


def test_a_hidden_part_never_reaches_a_trainer_that_subscribes_and_says_it_holds_some(home: Home) -> None:
    store = WorkloadStore(home.workloads)
    hidden = store.add(workload("a", "hidden", os.urandom(CHUNK_BYTES * COUNT)))
    train = store.add(workload("b"))
    topic = build(MessageType.WORKLOAD_HIDDEN, "hub", KIND)
    filters = [topic, *subscriptions("trainer", "AI_Node_1", (KIND,))]
    with (
        hub_on(home) as running,
        RawClient(running, "Validator_1", role="validator") as validator,
        RawClient(running, "AI_Node_1", filters=filters) as trainer,
    ):
        assert trainer.granted == [False] + [True] * (len(filters) - 1)
        trainer.greet(partial={hidden.entry.id: 1})
        assert trainer.expect(MessageType.WORKLOAD).body.id == train.entry.id
        validator.greet(partial={hidden.entry.id: 2})
        validator.expect(MessageType.WORKLOAD_HIDDEN, lambda body: body.chunk == COUNT)
        chunks = [message.body.chunk for message in validator.heard(MessageType.WORKLOAD_HIDDEN)]
        assert chunks == list(range(2, COUNT))  # nobody's wish but the validator's began it
        assert not [told for told, _payload, _retained in trainer.raw if told == topic]
