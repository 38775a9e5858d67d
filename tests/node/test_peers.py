"""What peers send can be wrong, hostile or somebody else's: no node ends by it, and authorship stays honest."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mqtt_hub.desk import PENDING_MAX
from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import (
    Claim,
    CodeShare,
    CollaborationRequest,
    CollaborationResponse,
    OsComponentShare,
    PatternShare,
)
from mqtt_hub.protocol.codec import Message, stamp
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.spawn import NodePlan
from mqtt_hub.workload_store import WorkloadStore
from tests.node.fleet import SPECIALIZATION, Hub, RunningNode, make_home, rows, small_workloads, until
from tests.protocol.examples import named
from trainers.arenas.evaluate import classics
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.page_replacement.kind import KIND
from trainers.collaboration import HELP_EVALUATIONS_MAX
from trainers.node import Node, NodeSettings
from trainers.policy import PolicyError, canonical, component_id, parse
from trainers.search.patterns import Pattern
from trainers.study import AUTHORS_MAX, CREDITED_MAX, Meter, Study
from trainers.workloads.format import Workload, write

TRAINER, VALIDATOR, PEER = "AI_Node_1", "Validator_1", "Mallory"
SOURCE = "def on_insert():\n    return tail(0, 0)\n"
NO_PATTERNS = [
    ("on_hit", "import os"),
    ("on_hit", "__import__('os')"),
    ("on_hit", "mark +"),
    ("on_hit", "ghost_rank"),  # which on_hit does not see
    ("nowhere", "mark + 1"),
    ("on_hit", "(" * 1000),
]


@pytest.fixture
def study(evaluators: Evaluators, train: list[Workload]) -> Study:
    seeds = [classics(KIND.name)[name] for name in ("lru", "fifo")]
    return Study(train[0], seeds=seeds, rivals=(), meter=Meter(evaluators), rng=random.Random(1))


def long_program() -> str:
    """Return a program of allowed length whose canonical source is too long for any message."""
    deep = "".join(" " * depth + "if register:\n" for depth in range(1, 30))
    steps = (" " * 30 + "a=a//a\n") * 100
    return f"def on_insert(capacity,register):\n a=capacity\n{deep}{steps} return head(0,a)\n"


# -- one study, no network ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("function", "expression"), NO_PATTERNS)
def test_what_is_no_pattern_is_refused_when_it_comes_and_never_reaches_the_search(
    study: Study, function: str, expression: str
) -> None:
    with pytest.raises(PolicyError):
        study.offer_pattern(Pattern(function, expression, "free", 1e18), PEER)
    study.island.run(30)
    assert study.island.evaluations == 30


def test_of_whom_imports_are_is_remembered_within_a_bound(study: Study) -> None:
    for number in range(CREDITED_MAX + 5):
        study.offer_pattern(Pattern("on_hit", f"mark + {number}", "free", 0.1), PEER)
    assert len(study._authors) == CREDITED_MAX
    assert Pattern("on_hit", "mark + 4", "free", 0.1).id not in study._authors
    assert Pattern("on_hit", "mark + 5", "free", 0.1).id in study._authors


def test_a_pattern_without_an_author_credits_nobody(study: Study) -> None:
    study.offer_pattern(Pattern("on_hit", "mark + 1", "free", 0.1), "")
    while study.island.best is None or not any(study.island.best.credits.values()):
        study.island.step()
        graft = next((member for member in study.island.population if any(member.credits.values())), None)
        if graft is not None:
            assert study.authors(graft, "me") == ("me",)
            return
        assert study.island.evaluations < 3000


def test_the_first_to_share_a_pattern_is_its_author(study: Study) -> None:
    pattern = Pattern("on_hit", "mark + 1", "free", 0.1)
    for author in ("first", "second"):
        study.offer_pattern(pattern, author)
    assert study._authors[pattern.id] == {"first"}


def test_a_program_found_here_too_stays_ours_when_a_peer_shares_it(study: Study) -> None:
    study.island.run(40)
    ours = study.island.best
    assert ours is not None
    study.offer(ours.component, (PEER,), 1.0)
    study.adopt_waiting()
    assert study.authors(ours, "me") == ("me",)


def test_a_peers_program_as_it_came_stays_the_peers(study: Study) -> None:
    study.offer(parse(SOURCE, KIND.form), (PEER,), 1.0)
    (adopted,) = study.adopt_waiting()
    assert study.authors(adopted, "me") == (PEER,)


def test_the_list_of_authors_is_bounded_and_never_without_oneself(study: Study) -> None:
    study.island.run(2)
    individual = study.island.seeds[0]
    crowd = frozenset(f"A{number:02d}" for number in range(AUTHORS_MAX + 5))
    study._authors["pattern"] = crowd
    object.__setattr__(individual, "credits", {"on_hit": frozenset(("pattern",))})
    authors = study.authors(individual, "me")
    assert len(authors) == AUTHORS_MAX
    assert "me" in authors
    assert crowd.issuperset(set(authors) - {"me"})


def test_a_program_too_long_to_be_shared_on_does_not_enter_the_search(study: Study) -> None:
    program = parse(long_program(), KIND.form)
    assert len(canonical(program)) > 8192 >= len(long_program())
    study.offer(program, (PEER,), 1.0)
    assert study.adopt_waiting() == []
    assert len(study.island.population) == 0


# -- over the wire -----------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Home:
    plans = [NodePlan(name, "trainer", SPECIALIZATION) for name in (TRAINER, PEER)]
    return make_home(tmp_path / "hub", [*plans, NodePlan(VALIDATOR, "validator", SPECIALIZATION)])


@pytest.fixture
def hub(home: Home) -> Iterator[Hub]:
    with Hub(home) as hub:
        yield hub


@contextmanager
def peer(home: Home, port: int) -> Iterator[Node]:
    """Connect as a trainer whose words the test writes."""
    place = home.nodes / PEER
    token = (place / "token").read_text().strip()
    settings = NodeSettings(PEER, "trainer", SPECIALIZATION, (KIND.name,), token, place, port=port)
    node = Node(settings, have=lambda: (), stop=threading.Event())
    node.start()
    try:
        until(lambda: node.ready)
        yield node
    finally:
        node.stop()


def answer(node: Node, mail: list[Message], name: str, status: str) -> CollaborationResponse:
    """Return the answer of that status to the request of that name; all that came is kept in ``mail``."""

    def look() -> list[CollaborationResponse]:
        while not node.inbox.empty():
            mail.append(node.inbox.get_nowait())
        mine = [letter for letter in mail if letter.type is MessageType.COLLABORATION_RESPONSE]
        ours = [letter.body for letter in mine if letter.correlation_id == f"{PEER}.{name}"]
        return [body for body in ours if body.status == status]

    found: list[CollaborationResponse] = until(look)
    return found[0]


def train_part() -> str:
    """Return the id of a train workload as nodes name it in claims."""
    return next(part.id for part in small_workloads() if part.part == "train")


def test_nothing_that_a_peer_shares_ends_a_trainer(home: Home, hub: Hub) -> None:
    workload = train_part()
    claim = Claim(workload, 2**31, {"misses": -1})
    digest = "0" * 64
    with peer(home, hub.port) as mallory, RunningNode(home, hub.port, TRAINER) as trainer:
        trainer.until_said("of the gap closed")
        for function, expression in NO_PATTERNS:
            body = PatternShare(KIND.name, function, expression, "no unit", 1e18, 2**62, workload, digest)
            mallory.share(MessageType.PATTERN_SHARE, body)
        forgery = "\x00\x1b[2J\n2025-06-04 07:45:26,123 - AI_Node_1 - INFO - forged"
        for source in ("no program", forgery, long_program()):
            mallory.share(
                MessageType.CODE_SHARE, CodeShare(KIND.name, named(source), source, (), (digest,) * 16, (claim,) * 32)
            )
            mallory.share(
                MessageType.COLLABORATION_REQUEST,
                CollaborationRequest(KIND.name, workload, source, named(source), -1e18, 1e18, "program", 1),
                correlation_id=f"{PEER}.1",
                expires_at=stamp(time.time() + 600),
            )
            mallory.share(
                MessageType.COLLABORATION_RESPONSE,
                CollaborationResponse(KIND.name, "completed", "", 2**62, named(source), source, (), (claim,)),
                recipient=TRAINER,
                correlation_id=f"{TRAINER}.1.1",
            )
        mallory.share(MessageType.CODE_SHARE, CodeShare(KIND.name, named(SOURCE), SOURCE, (), (), (claim,)))
        ask(mallory, "f" * 64, 1, name="the.end")
        answer(mallory, [], "the.end", "declined")  # so all before it was heard
        assert trainer.said("shared what is no pattern")
        assert trainer.said("shared what is no program")
        assert trainer.terminate() == 0, trainer.complaint()
        assert trainer.complaint() == ""
        forged = [line for line in trainer.log().splitlines() if line.startswith("2025-06-04 07:45:26,123")]
        assert forged == []
    # A late joiner gets the same patterns from the hub, whose claims of gain are the largest.
    with RunningNode(home, hub.port, TRAINER, "--evaluations", "250") as late:
        assert late.exit_code() == 0, late.log()


def ask(node: Node, workload: str, evaluations: int, *, name: str, lives_s: float = 600) -> None:
    request = CollaborationRequest(KIND.name, workload, SOURCE, named(SOURCE), -5.0, 6.0, "program", evaluations)
    node.share(
        MessageType.COLLABORATION_REQUEST,
        request,
        correlation_id=f"{PEER}.{name}",
        expires_at=stamp(time.time() + lives_s) if lives_s else "",
    )


def test_a_request_is_answered_honestly_and_one_that_asks_too_much_is_declined(home: Home, hub: Hub) -> None:
    workload = train_part()
    with peer(home, hub.port) as asker, RunningNode(home, hub.port, TRAINER) as trainer:
        trainer.until_said("of the gap closed")
        ask(asker, workload, HELP_EVALUATIONS_MAX + 1, name="too.much")
        ask(asker, "f" * 64, 10, name="unknown")
        ask(asker, workload, 10, name="no.end", lives_s=0)
        ask(asker, workload, 10, name="fair")

        mail: list[Message] = []
        assert "at a time" in answer(asker, mail, "too.much", "declined").reason
        assert "not here" in answer(asker, mail, "unknown", "declined").reason
        done = answer(asker, mail, "fair", "completed")
        assert 0 < done.evaluations <= 10 + 2  # its own and at most what waited to be adopted
        assert done.component == component_id(parse(done.source, KIND.form))
        assert done.claims[0].workload == workload
        assert trainer.terminate() == 0, trainer.complaint()
    answered = rows(home, "SELECT DISTINCT correlation_id FROM messages WHERE type = 'COLLABORATION_RESPONSE'")
    assert (f"{PEER}.no.end",) not in answered


def test_a_trainer_told_to_stop_while_it_helps_stops(home: Home, hub: Hub) -> None:
    with peer(home, hub.port) as asker, RunningNode(home, hub.port, TRAINER) as trainer:
        trainer.until_said("of the gap closed")
        ask(asker, train_part(), HELP_EVALUATIONS_MAX, name="long")
        answer(asker, [], "long", "accepted")
        assert trainer.terminate() == 0, trainer.complaint()


def test_no_submission_ends_a_validator_and_each_gets_a_verdict_of_its_own(home: Home, hub: Hub) -> None:
    workload = train_part()
    claim = Claim(workload, 5, {"misses": 1})

    def submission(source: str, *claims: Claim) -> OsComponentShare:
        return OsComponentShare(KIND.name, named(source), source, (PEER,), (), claims, "loops")

    with peer(home, hub.port) as mallory, RunningNode(home, hub.port, VALIDATOR, role="validator") as validator:
        validator.until_said("accepted by the hub")
        sent = [
            submission("no program"),
            submission(SOURCE, *[Claim(workload, 2**31, {"misses": 1})] * 32),
            submission(SOURCE.replace("tail(0, 0)", "head(0, 0)")),
            submission("def on_scan(mark):\n    return keep(mark + 1)\n", claim),
            submission(SOURCE, claim),
        ]
        for body in sent:
            mallory.share(MessageType.OS_COMPONENT_SHARE, body)
        results = "SELECT component, verdict FROM test_results"
        # Two of them claim different things of one source.
        judged = until(lambda: len(rows(home, results)) == 5 and rows(home, results), told=validator.log)
        assert len({component for component, _verdict in judged}) == 4
        assert {verdict for _component, verdict in judged} <= {"rejected", "not_reproduced"}
        assert validator.terminate() == 0, validator.complaint()
        assert validator.complaint() == ""


def test_a_validator_that_comes_late_judges_all_that_waits_though_it_is_told_a_few_at_a_time(
    home: Home, hub: Hub
) -> None:
    claim = Claim(train_part(), 5, {"misses": 1})
    with peer(home, hub.port) as submitter:
        for mark in range(3 * PENDING_MAX):
            source = f"def on_insert():\n    return tail(0, {mark})\n"
            name = component_id(parse(source, KIND.form))
            body = OsComponentShare(KIND.name, name, source, (PEER,), (), (claim,), "loops")
            submitter.share(MessageType.OS_COMPONENT_SHARE, body)
        pending = "SELECT count(*) FROM components WHERE verdict = 'pending'"
        until(lambda: rows(home, pending) == [(3 * PENDING_MAX,)])
        with RunningNode(home, hub.port, VALIDATOR, role="validator") as validator:
            until(lambda: rows(home, pending) == [(0,)], told=validator.log)
            assert validator.terminate() == 0, validator.complaint()


def test_a_submission_waits_until_the_hidden_part_of_its_workload_is_here(tmp_path: Path) -> None:
    """What could not be tried must not be rejected: a rejection is for ever."""
    train, hidden = small_workloads()[:2]
    plans = [NodePlan(name, "trainer", SPECIALIZATION) for name in (PEER, TRAINER)]
    plans.append(NodePlan(VALIDATOR, "validator", SPECIALIZATION))
    home = make_home(tmp_path / "hub", plans, [train])
    claim = Claim(train.id, 5, {"misses": 1})
    body = OsComponentShare(KIND.name, named(SOURCE), SOURCE, (PEER,), (), (claim,), train.name)
    with (
        Hub(home) as hub,
        peer(home, hub.port) as submitter,
        RunningNode(home, hub.port, VALIDATOR, role="validator") as validator,
    ):
        validator.until_said(f"workload {train.name} (train) is here")
        submitter.share(MessageType.OS_COMPONENT_SHARE, body)
        until(lambda: rows(home, "SELECT verdict FROM components") == [("pending",)])
        validator.until_said("waits for the hidden part")
        assert rows(home, "SELECT count(*) FROM test_results") == [(0,)]
        WorkloadStore(home.workloads).add(write(hidden))
        until(lambda: rows(home, "SELECT count(*) FROM test_results") == [(1,)], told=validator.log)
