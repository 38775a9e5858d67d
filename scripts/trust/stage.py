"""The stage for cheats: a hub with its broker, a validator, an honest trainer, and accounts for everybody else."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from typing import Any, TypeVar

from puppet import DEADLINE_S, KIND, Puppet

from mqtt_hub.archive.queries import trust
from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.cli.home import create_home
from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import Claim, OsComponentShare
from mqtt_hub.protocol.errors import MqttHubError
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.rehearsal import running_hub
from mqtt_hub.spawn import NodePlan, Supervisor, enlist
from mqtt_hub.workload_store import WorkloadStore
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.policy import PolicyError, canonical, parse
from trainers.workloads.format import Workload, halves, workload, write

__all__ = ["HONEST", "Stage", "on_stage"]

HONEST = "AI_Node_1"
VALIDATOR = "Validator_1"
T = TypeVar("T")


def _workloads() -> list[Workload]:
    """Return two workloads, train and hidden: one like itself throughout, and one whose hidden part is another thing.

    A program tuned to the loop in ``shift`` is of no use for what comes after it, where recent pages come again.
    """
    rng = random.Random(7)
    mixed = [step % 45 if step % 9 else 100 + rng.randrange(8) for step in range(1600)]
    recent, again = list(range(40)), []
    for _ in range(1600):
        page = recent.pop(min(int(rng.paretovariate(1.2)) - 1, 39))
        recent.insert(0, page)
        again.append(page)
    shift = [
        workload("shift", [step % 45 for step in range(1600)], part="train"),
        workload("shift", again, part="hidden"),
    ]
    return [*halves(workload("loops", mixed)), *shift]


class Stage:
    """What the acts need: puppets, honest counters, and questions to the archive."""

    def __init__(self, home: Home, port: int, workloads: list[Workload], evaluator: Evaluator) -> None:
        self.home, self._port, self._evaluator = home, port, evaluator
        self._train = {item.name: item for item in workloads if item.part == "train"}
        for item in self._train.values():
            evaluator.load(item)

    def puppet(self, name: str) -> Puppet:
        """Return a node with an account and a token of its own."""
        enlist(self.home, [NodePlan(name, "trainer", "memory_management")])
        return Puppet(name, (self.home.nodes / name / "token").read_text().strip(), self._port)

    def submission(
        self, source: str, *, target: str = "loops", misses: int | None = None, authors: tuple[str, ...] = ()
    ) -> OsComponentShare:
        """Return a submission with the counters that a run here has, or with the misses that somebody claims."""
        if misses is not None:
            return self.submission_of(source, target=target, misses=misses, authors=authors)
        item = self._train[target]
        outcome = self._evaluator.run(parse(source, self._evaluator.kind.form), item.id, item.capacity)
        if not isinstance(outcome, Counters):
            raise MqttHubError(f"{source!r} does not run: {outcome.detail}")
        return self.submission_of(source, target=target, misses=outcome.values["misses"], authors=authors)

    def submission_of(
        self, source: str, *, target: str = "loops", misses: int = 1, authors: tuple[str, ...] = ()
    ) -> OsComponentShare:
        """Return a submission with these misses, whatever the source is."""
        item = self._train[target]
        claim = Claim(item.id, item.capacity, {"requests": item.rows, "misses": misses})
        name = sha256(source.encode()).hexdigest()
        return OsComponentShare(KIND, name, source, authors, (), (claim,), target)

    def program(self, text: str) -> str:
        """Return a source in canonical form, as an honest node sends it; what is no program stays as it is."""
        try:
            return canonical(parse(text, self._evaluator.kind.form))
        except PolicyError:
            return text

    def submit(self, puppet: Puppet, submission: OsComponentShare) -> dict[str, Any]:
        """Submit, and return the archived submission once it has its verdict."""
        puppet.say(MessageType.OS_COMPONENT_SHARE, submission)
        name = submission_id(puppet.name, submission)
        puppet.expect(MessageType.VERDICT, lambda body: body.submission == name)
        return self.query("SELECT * FROM submissions WHERE id = ?", name)[0]

    def query(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Ask the archive."""
        with closing(open_read_only(self.home.archive_path)) as db:
            return list(db.query(sql, values))

    def standing(self, name: str) -> dict[str, Any]:
        """Return how a node stands, by the archive."""
        with closing(open_read_only(self.home.archive_path)) as db:
            return next((row for row in trust.standings(db) if row["name"] == name), {})

    def rejected(self, name: str) -> list[str]:
        """Return why messages of a node were rejected, in order."""
        rows = self.query("SELECT r.reason FROM rejected r JOIN nodes n ON n.id = r.node WHERE n.name = ?", name)
        return [row["reason"] for row in rows]

    def until(self, condition: Callable[[], T]) -> T:
        """Return the condition's value as soon as it is true; its last value where it never is."""
        deadline = time.monotonic() + DEADLINE_S
        while not (value := condition()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return value


@contextmanager
def on_stage(home: Home) -> Iterator[Stage]:
    """Start hub, validator and honest trainer on a new home; stop them in order."""
    create_home(home, Config(port=0))
    workloads = _workloads()
    store = WorkloadStore(home.workloads)
    for item in workloads:
        store.add(write(item))
    plans = [
        NodePlan(VALIDATOR, "validator", "memory_management"),
        NodePlan(HONEST, "trainer", "memory_management", ("--evaluations", "300")),
    ]
    enlist(home, plans)
    with running_hub(home), Evaluator(KIND) as evaluator:
        port = home.running_port()
        supervisor = Supervisor(home, plans, host="127.0.0.1", port=port, prefix="kernel")
        supervisor.start()
        try:
            yield Stage(home, port, workloads, evaluator)
        finally:
            supervisor.stop()
