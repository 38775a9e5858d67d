"""A fleet of several kinds: each node works at its own, a validator at all, and what is of no kind is answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import CollaborationRequest, OsComponentShare
from mqtt_hub.protocol.codec import Message, stamp
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.spawn import NodePlan
from tests.node.fleet import Hub, make_home, rows, small_workloads, until
from tests.protocol.examples import named
from trainers.arenas.classics import classics
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.registry import DEFAULT, register
from trainers.library import Library
from trainers.node import Node, NodeSettings
from trainers.policy import canonical
from trainers.stop import Stop
from trainers.trainer import NetworkedKernelTrainer, TrainerSettings
from trainers.validator import KernelValidator

EXAMPLE = register("tests.kinds.disk_sleep")
BOTH = (DEFAULT, EXAMPLE.name)
TRAINER, VALIDATOR, PEER = "AI_Node_1", "Validator_1", "Mallory"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    plans = [NodePlan(name, "trainer", "power_management") for name in (TRAINER, PEER)]
    plans.append(NodePlan(VALIDATOR, "validator", "power_management"))
    return make_home(tmp_path / "hub", plans, [*small_workloads(), *bundled(EXAMPLE.name)])


def connect(home: Home, port: int, name: str, role: str) -> tuple[Node, Library, Stop]:
    place = home.nodes / name
    token = (place / "token").read_text().strip()
    settings = NodeSettings(name, role, "power_management", BOTH, token, place, port=port)
    library, stop = Library(place / "workloads"), Stop()
    return Node(settings, have=library.have, stop=stop), library, stop


@contextmanager
def running(node: Node, stop: Stop, work: threading.Thread) -> Iterator[None]:
    work.start()
    try:
        yield
    finally:
        stop.set()
        work.join(60)
        node.stop()


def judged(home: Home, kind: str) -> list[tuple[str, str]]:
    """Return verdicts and reasons on components of a kind, oldest first."""
    verdict, reason, of = (f"json_extract(payload, '$.body.{key}')" for key in ("verdict", "reason", "kind"))
    return rows(
        home,
        f"SELECT {verdict}, {reason} FROM messages WHERE type = 'TEST_RESULT' AND {of} = ? ORDER BY id",  # noqa: S608 — ours
        kind,
    )


def accepted(home: Home, kind: str) -> bool:
    return ("accepted", "every test passed") in judged(home, kind)


@pytest.mark.long
def test_one_fleet_searches_and_judges_components_of_two_kinds(home: Home) -> None:
    with Hub(home) as hub, Evaluators() as mine, Evaluators() as theirs:
        node, library, stop = connect(home, hub.port, VALIDATOR, "validator")
        validator = KernelValidator(node, library, theirs, stop)
        stray = canonical(classics(EXAMPLE.name)["break-even"])
        validator._await(PEER, OsComponentShare("network", named(stray), stray, (PEER,), (), (), "office"))
        with running(node, stop, threading.Thread(target=validator.run)):
            trainer, shelf, halt = connect(home, hub.port, TRAINER, "trainer")
            settings = TrainerSettings(seed=1)
            search = NetworkedKernelTrainer(trainer, shelf, mine, halt, settings)
            with running(trainer, halt, threading.Thread(target=search.run)):
                for kind in BOTH:
                    until(partial(accepted, home, kind), seconds=80, told=lambda: [judged(home, kind) for kind in BOTH])
        # No kind starves: the node's rounds go round its workloads, whatever they bring.
        spent = {study.kind.name: study.island.evaluations for study in search._studies.by_id.values()}
        assert set(spent) == set(BOTH)
        assert max(spent.values()) - min(spent.values()) <= settings.round_evaluations
        ((verdict, reason),) = judged(home, "network")
        assert verdict == "rejected"
        assert reason.startswith("kind: there is no component kind 'network' (known: page_replacement")
    hidden = dict(rows(home, "SELECT DISTINCT workload, metric FROM hidden_scores"))
    assert hidden["office"] == "energy"
    assert hidden.keys() & {"loops", "skewed"}
    assert {hidden[name] for name in hidden.keys() - {"office"}} == {"misses"}


def test_what_was_judged_is_judged_once_as_far_back_as_a_validator_remembers(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.validator.JUDGED_MAX", 1)
    node, library, stop = connect(home, 1, VALIDATOR, "validator")
    sources = [canonical(program) for program in list(classics(EXAMPLE.name).values())[:2]]
    first, second = (OsComponentShare("network", named(one), one, (PEER,), (), (), "office") for one in sources)
    with Evaluators() as evaluators:
        validator = KernelValidator(node, library, evaluators, stop)

        def judge(submission: OsComponentShare) -> bool:
            """Judge it if it is news."""
            news = validator._await(PEER, submission)
            for name in list(validator._waiting):
                validator._judge(name, *validator._waiting.pop(name))
            return news

        assert [judge(one) for one in (first, first, second, second, first)] == [True, False, True, False, True]
    node.stop()


def test_a_request_under_the_wrong_kind_is_declined_with_the_reason(home: Home) -> None:
    office = bundled(EXAMPLE.name)[0]
    source = canonical(classics(EXAMPLE.name)["break-even"])
    with Hub(home) as hub, Evaluators() as mine:
        trainer, shelf, halt = connect(home, hub.port, TRAINER, "trainer")
        search = NetworkedKernelTrainer(trainer, shelf, mine, halt, TrainerSettings(seed=1))
        asker, _, asker_stop = connect(home, hub.port, PEER, "trainer")
        with running(trainer, halt, threading.Thread(target=search.run)):
            until(lambda: search.meter.evaluations)
            with running(asker, asker_stop, threading.Thread(target=asker.start)):
                until(lambda: asker.ready)
                for number, kind in enumerate(BOTH):
                    request = CollaborationRequest(kind, office.id, source, named(source), 0.0, 1.0, "program", 5)
                    asker.share(
                        MessageType.COLLABORATION_REQUEST,
                        request,
                        correlation_id=f"{PEER}.{number}",
                        expires_at=stamp(asker._clock() + 600),
                    )
                mail: dict[tuple[str, str], str] = {}

                def heard() -> bool:
                    while not asker.inbox.empty():
                        letter: Message = asker.inbox.get_nowait()
                        if letter.type is MessageType.COLLABORATION_RESPONSE:
                            mail[letter.correlation_id, letter.body.status] = letter.body.reason
                    return (f"{PEER}.0", "declined") in mail and (f"{PEER}.1", "accepted") in mail

                until(heard, told=lambda: mail)
    assert mail[f"{PEER}.0", "declined"] == "this workload is for disk_sleep, not page_replacement"
