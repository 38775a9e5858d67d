"""Whatever a session has lived through: what is on disk after a commit is what is in memory."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.broker.counters import Counters
from mqtt_hub.broker.exchange import Exchange
from mqtt_hub.broker.gate import Peer, RuleGate
from mqtt_hub.broker.identity import Account
from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.message import Message
from mqtt_hub.broker.restore import restore
from mqtt_hub.broker.session import Session
from mqtt_hub.broker.state_file import TABLES, StateFile
from mqtt_hub.broker.store import Store
from tests.broker.test_session import Line

LIMITS = Limits(inflight_messages_max=3, queue_messages_max=5, retained_messages_max=2)
NAMES = ("one", "two")
Step = tuple[str, int, int]


class Life:
    """An exchange on a state file, and what happens to two persistent sessions of it."""

    def __init__(self, path: Path, limits: Limits = LIMITS) -> None:
        self.store = Store(StateFile(path), Counters())
        gate = RuleGate(lambda *_: None, 100)
        self.exchange = Exchange(gate, limits, self.store._counters, self.store)
        restore(self.exchange, self.store, None, now_s=0.0)

    def session(self, number: int) -> Session:
        peer = Peer(Account(NAMES[number % 2], "node"), NAMES[number % 2])
        found = self.exchange.sessions.get(peer.key)
        if found is None:
            opened = self.exchange.open_session(peer, clean=False)
            assert opened is not None
            found = opened[0]
            found.attach(Line(), peer)
            self.exchange.subscribe(found, [("t0", 1), ("t1", 2)])
        return found

    def take(self, step: Step, count: int) -> None:
        kind, number, value = step
        session, exchange = self.session(number), self.exchange
        packet_ids = list(session._inflight)
        packet_id = packet_ids[value % len(packet_ids)] if packet_ids else 1
        does: dict[str, Callable[[], Any]] = {
            "subscribe": lambda: exchange.subscribe(session, [(f"t{value % 2}", value % 3)]),
            "unsubscribe": lambda: exchange.unsubscribe(session, [f"t{value % 2}"]),
            "publish": lambda: exchange.route(Message(f"t{value % 2}", b"%d" % count, qos=2)),
            "retain": lambda: exchange.route(Message(f"t{value % 3}", b"r" * (number % 2), qos=1, retain=True)),
            "puback": lambda: session.pubacks([packet_id]),
            "pubrec": lambda: session.pubrec(packet_id),
            "pubcomp": lambda: session.pubcomp(packet_id),
            "leave": lambda: exchange.leave(session, 0.0),
            "return": lambda: self.come_back(session),
            "forget": lambda: exchange.forget(session),
        }
        does[kind]()

    @staticmethod
    def come_back(session: Session) -> None:
        session.attach(Line(), session.peer)
        session.pump()

    async def committed(self) -> None:
        done = asyncio.Event()
        self.store.after_commit(done.set)
        await asyncio.wait_for(done.wait(), 10)

    def seen(self) -> Any:
        sessions = {
            key: (
                session.subscriptions,
                [(item.message.topic, item.message.payload, item.qos) for item in session._queue],
                {i: (sent.message.payload, sent.qos, sent.released) for i, sent in session._inflight.items()},
            )
            for key, session in self.exchange.sessions.items()
        }
        return sessions, {(message.topic, message.payload) for message in self.exchange.retained.match("#")}

    def rows(self) -> dict[str, int]:
        sessions = self.exchange.sessions.values()
        waiting = [message for s in sessions for _, message in s._rows()]
        return {
            "sessions": len(sessions),
            "subscriptions": sum(len(session.subscriptions) for session in sessions),
            "outgoing": len(waiting),
            "messages": len({id(message) for message in waiting}),
            "retained": len(self.exchange.retained),
            "received": 0,
            "wills": 0,
        }


KINDS = (
    *["publish"] * 8, "puback", "pubrec", "pubrec", "pubcomp", "pubcomp", "leave", "return", "commit", "restart",
    "subscribe", "unsubscribe", "retain", "forget",
)  # fmt: skip


async def live(path: Path, steps: list[Step]) -> None:
    life = Life(path)
    for count, step in enumerate([*steps, ("restart", 0, 0)]):
        if step[0] not in ("commit", "restart"):
            life.take(step, count)
            continue
        await life.committed()
        await life.committed()  # what the first one released may have changed more
        if step[0] == "restart":
            before, rows = life.seen(), life.rows()
            assert {name: len(life.store._file.rows(name)) for name in TABLES} == rows
            await life.store.close(10)
            life = Life(path)
            assert life.seen() == before
    await life.store.close(10)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 5)), min_size=20, max_size=60))
def test_what_is_on_disk_after_a_commit_is_what_is_in_memory(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(live(Path(directory) / "broker.db", steps))


async def with_three_sessions_under_a_bound_of_two(path: Path) -> None:
    life = Life(path)
    for client_id in "abc":
        peer = Peer(Account("one", "node"), client_id)
        opened = life.exchange.open_session(peer, clean=False)
        assert opened
        opened[0].attach(Line(), peer)
        life.exchange.subscribe(opened[0], [("t", 1)])
    await life.committed()
    await life.store.close(10)
    life = Life(path, Limits(sessions_per_account_max=2))
    assert len(life.exchange.sessions) == 2
    assert life.exchange.counters.sessions_refused_account == 1
    assert life.exchange.open_session(Peer(Account("one", "node"), "d"), clean=False) is None
    await life.committed()
    assert len(life.store._file.rows("sessions")) == 2, "what was dropped is gone from disk too"
    await life.store.close(10)


def test_sessions_of_an_account_that_are_restored_are_within_its_bound(tmp_path: Path) -> None:
    asyncio.run(with_three_sessions_under_a_bound_of_two(tmp_path / "broker.db"))
