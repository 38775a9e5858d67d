"""One node of an experiment: a real study, a budget, and what it does with what others give it.

::

    others' gifts ─▶ take_programs, take_function, take_patterns, take_foreign ─▶ evaluated here, paid for ─▶ population
                                                                      └▶ adopted, used: counted by kind of gift
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trainers.arenas.classics import classics
from trainers.arenas.evaluator import Failure
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.kind import Kind
from trainers.arenas.registry import kind_of
from trainers.experiment.roles import Foreign, Reading, Untranslatable
from trainers.experiment.settings import Pair, Plan
from trainers.policy.parse import complete
from trainers.policy.source import component_id
from trainers.policy.tree import Component
from trainers.search.final import Choice
from trainers.search.island import Ancestor
from trainers.search.objective import gap_closed
from trainers.search.patterns import Pattern
from trainers.study import Meter, Study
from trainers.workloads.format import Workload
from trainers.yardstick import Yardstick

__all__ = ["ANSWER", "FOREIGN", "FUNCTION", "PATTERN", "PROGRAM", "REQUEST", "Member", "Snapshot", "hidden_score"]

# Kinds of gifts; a request brings its helper the requester's program.
PROGRAM, FUNCTION, PATTERN, ANSWER, REQUEST = "program", "function", "pattern", "answer", "request"
FOREIGN = "foreign pattern"
STUCK_EVALUATIONS = 100  # as in trainers.collaboration
STUCK_SHARE = 4  # or this part of the budget, where that is less: who has little cannot wait so long
HELP_EVALUATIONS = 100


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A member that has spent its budget, to be taken up again once for every arm."""

    plan: Plan
    seed: int
    evaluations: int
    state: dict[str, Any]
    known: tuple[tuple[str, Ancestor], ...]
    behaviours: tuple[tuple[int, None], ...]


class Member:
    """A node: searches its own workload, and helps on others'."""

    def __init__(self, plan: Plan, evaluators: Evaluators, seed: int) -> None:
        self.plan = plan
        self.meter = Meter(evaluators)
        self.adopted = Counter[str]()  # by kind of gift: what was evaluated here, or may be grafted
        self.refused = Counter[str]()  # foreign patterns that say nothing here, or nothing new, by reason
        self.helped = 0  # requests answered
        self._gifts: dict[str, str] = {}  # id of what was taken: kind of gift
        self._spent_helping = 0
        self._seed = seed
        self._programs = classics(plan.pair.train.kind)
        self._studies: dict[str, Study] = {}
        self._asked_at = 0
        self.study = self.study_of(plan.pair.train)

    @classmethod
    def resumed(cls, snapshot: Snapshot, evaluators: Evaluators) -> Member:
        """Return a member that goes on where another stood."""
        member = cls(snapshot.plan, evaluators, snapshot.seed)
        member.study.resume(snapshot.state)
        member.study.island.known.resume(len(snapshot.known), snapshot.known)
        member.study.island.behaviours.resume(len(snapshot.behaviours), snapshot.behaviours)
        member.meter.evaluations = snapshot.evaluations
        return member

    def snapshot(self) -> Snapshot:
        """Return what `resumed` goes on from. Studies begun to help others are not in it."""
        island = self.study.island
        known, behaviours = tuple(island.known.items()), tuple(island.behaviours.items())
        return Snapshot(self.plan, self._seed, self.meter.evaluations, self.study.state(), known, behaviours)

    @property
    def kind(self) -> Kind:
        """The component kind it searches for."""
        return self.study.kind

    @property
    def left(self) -> int:
        """Evaluations that it may still spend."""
        return max(0, self.plan.evaluations - self.meter.evaluations)

    @property
    def spare(self) -> int:
        """Evaluations that it may spend on others: what is left, or what it holds back for nothing else."""
        return self.left or max(0, self.plan.reserve - self._spent_helping)

    @property
    def best(self) -> Component | None:
        """The best program of its own study so far."""
        found = self.study.island.best
        return found.component if found else None

    def study_of(self, workload: Workload) -> Study:
        """Return its study of a workload, begun when it is first needed."""
        if workload.id not in self._studies:
            seeds = [self._programs[name] for name in self.plan.seeds]
            rng = random.Random(f"{self._seed}/{self.plan.node}/{workload.name}")
            self._studies[workload.id] = Study(workload, seeds=seeds, rivals=[], meter=self.meter, rng=rng)
        return self._studies[workload.id]

    def search(self, evaluations: int) -> None:
        """Spend that many evaluations on its own study, as far as the budget goes."""
        target = self.meter.evaluations + min(evaluations, self.left)
        while self.meter.evaluations < target:
            self.study.island.step()

    def take_programs(self, programs: Iterable[Component], gift: str = PROGRAM) -> None:
        """Evaluate others' programs here, unless they are known; what is good enters the population."""
        for program in programs:
            name = component_id(program)
            if self.left and name not in self.study.island.known:
                self._gifts.setdefault(name, gift)
                self.study.island.adopt(program, "peer")
                self.adopted[gift] += 1

    def take_function(self, donor: Component) -> None:
        """Try the first function of another's program that was not tried in the own best one yet.

        My on_insert, your on_scan: one a donor and round, so that it costs what a whole program costs.
        """
        mine = self.best
        if mine is None:
            return
        own = complete(mine).functions
        mixed = (mine.with_function(given) for name, given in donor.functions.items() if own[name] != given)
        new = (program for program in mixed if component_id(program) not in self.study.island.known)
        self.take_programs([program for program in [next(new, None)] if program is not None], FUNCTION)

    def take_patterns(self, patterns: Iterable[Pattern], author: str, gift: str = PATTERN) -> None:
        """Let others' patterns be grafted from now on; that costs nothing until it happens."""
        for pattern in patterns:
            self.study.offer_pattern(pattern, author)
            self.adopted[gift] += pattern.id not in self._gifts
            self._gifts.setdefault(pattern.id, gift)

    def take_foreign(self, foreign: Foreign, read: Reading) -> None:
        """Let a pattern of another kind be grafted, as this kind reads it; count why not, where it does not."""
        try:
            pattern = read(foreign.pattern, kind_of(foreign.kind).form, self.kind.form)
        except Untranslatable as refusal:
            self.refused[refusal.reason] += 1
            return
        if pattern.id in self._gifts:
            self.refused["known"] += 1
        self.take_patterns([pattern], foreign.giver, FOREIGN)

    def patterns(self) -> list[Pattern]:
        """Mine the own best program; ablation is paid from the budget, and free for who has spent it all."""
        return self.study.mine()

    def used(self) -> Counter[str]:
        """Return how many new bests go back to something given, by kind of gift."""
        counts = Counter[str]()
        for name, uses in self.study.island.uses.items():
            counts[self._gifts[name]] += uses
        return counts

    def gifts_in(self, choice: Choice) -> tuple[str, ...]:
        """Return which kinds of gifts the functions of its final choice go back to."""
        return tuple(sorted({self._gifts[name] for names in choice.individual.credits.values() for name in names}))

    def stuck(self) -> bool:
        """Say whether to ask for help: nothing better for long, and not asked since."""
        island = self.study.island
        since = min(island.since_improvement, island.evaluations - self._asked_at)
        if since < min(STUCK_EVALUATIONS, self.plan.evaluations // STUCK_SHARE):
            return False
        self._asked_at = island.evaluations
        return True

    def help(self, requester: Member) -> Component | None:
        """Spend own budget on another's problem, from its best program; return a better one, if any."""
        theirs, study = requester.study.island.best, self.study_of(requester.study.workload)
        if theirs is None:
            return None
        before, budget = study.island.evaluations, min(HELP_EVALUATIONS, self.spare)
        if theirs.id not in study.island.known:
            self._gifts.setdefault(theirs.id, REQUEST)
            study.island.adopt(theirs.component, "peer")
        while study.island.evaluations - before < budget:
            study.island.step()
        self._spent_helping += study.island.evaluations - before
        self.helped += 1
        best = study.island.best
        return best.component if best and best.score > theirs.score else None

    def choose(self) -> Choice | None:
        """Return its final choice, made on the train part alone; the same for all arms, and beyond the budget."""
        return self.study.choose()


def hidden_score(evaluators: Evaluators, kind: Kind, pair: Pair, component: Component) -> float:
    """Return the gap that a component closes on the hidden part, cold, at that part's capacity; -1 where it fails.

    By the value that validators judge by, which is not always the one that search climbs.
    """
    evaluator = evaluators.of(kind.name)
    evaluator.load(pair.hidden)
    yardstick = Yardstick(evaluator)
    outcome = evaluator.run(component, pair.hidden.id, pair.hidden.capacity)
    if isinstance(outcome, Failure):
        return -1.0
    values = yardstick.baselines(pair.hidden)
    return gap_closed(yardstick.value(outcome, pair.hidden), values[kind.baseline], values[kind.bound])
