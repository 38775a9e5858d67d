"""One node of an experiment: a real study, a budget, and what it does with what others give it."""

from __future__ import annotations

import random
from collections.abc import Iterable

from trainers.arenas.classics import classics
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.kind import Kind
from trainers.experiment.settings import Pair, Plan
from trainers.policy.parse import complete
from trainers.policy.tree import Component
from trainers.search.final import Choice
from trainers.search.objective import Objective
from trainers.search.patterns import Pattern
from trainers.study import Meter, Study
from trainers.workloads.format import Workload

__all__ = ["Member", "hidden_score"]

FUNCTIONS_A_DONOR_MAX = 2  # tried in one round, each costs an evaluation
STUCK_EVALUATIONS = 100  # as in trainers.collaboration
HELP_EVALUATIONS = 100


class Member:
    """A node: searches its own workload, and helps on others'."""

    def __init__(self, plan: Plan, evaluators: Evaluators, seed: int) -> None:
        self.plan = plan
        self.meter = Meter(evaluators)
        self.adopted = 0  # what others gave and was evaluated here
        self.helped = 0  # requests answered
        self._seed = seed
        self._programs = classics(plan.pair.train.kind)
        self._studies: dict[str, Study] = {}
        self._asked_at = 0
        self.study = self.study_of(plan.pair.train)

    @property
    def kind(self) -> Kind:
        """The component kind it searches for."""
        return self.study.kind

    @property
    def left(self) -> int:
        """Evaluations that it may still spend."""
        return max(0, self.plan.evaluations - self.meter.evaluations)

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

    def take_programs(self, programs: Iterable[Component]) -> None:
        """Evaluate others' programs here; what is good enters the population."""
        for program in programs:
            if self.left:
                self.study.island.adopt(program, "peer")
                self.adopted += 1

    def take_functions(self, donor: Component) -> None:
        """Try single functions of another's program in the own best one: my on_insert, your on_scan."""
        mine = self.best
        if mine is None:
            return
        own = complete(mine).functions
        new = [function for name, function in donor.functions.items() if own[name] != function]
        self.take_programs(mine.with_function(function) for function in new[:FUNCTIONS_A_DONOR_MAX])

    def take_patterns(self, patterns: Iterable[Pattern], author: str) -> None:
        """Let others' patterns be grafted from now on; that costs nothing until it happens."""
        for pattern in patterns:
            self.study.offer_pattern(pattern, author)
            self.adopted += 1

    def patterns(self) -> list[Pattern]:
        """Mine the own best program; ablation is paid from the budget, and free for who has spent it all."""
        return self.study.mine()

    def stuck(self) -> bool:
        """Say whether to ask for help: nothing better for long, and not asked since."""
        island = self.study.island
        since = min(island.since_improvement, island.evaluations - self._asked_at)
        if since < STUCK_EVALUATIONS:
            return False
        self._asked_at = island.evaluations
        return True

    def help(self, requester: Member) -> Component | None:
        """Spend own budget on another's problem, from its best program; return a better one, if any."""
        theirs, study = requester.study.island.best, self.study_of(requester.study.workload)
        if theirs is None:
            return None
        study.island.adopt(theirs.component, "peer")
        for _ in range(min(HELP_EVALUATIONS, self.left)):
            study.island.step()
        self.helped += 1
        best = study.island.best
        return best.component if best and best.score > theirs.score else None

    def choose(self) -> Choice | None:
        """Return its final choice, made on the train part alone; the same for all arms, and beyond the budget."""
        return self.study.choose()


def hidden_score(evaluators: Evaluators, kind: Kind, pair: Pair, component: Component) -> float:
    """Return the gap that a component closes on the hidden part, cold, at that part's capacity; -1 where it fails."""
    evaluator = evaluators.of(kind.name)
    evaluator.load(pair.hidden)
    fitness = Objective(evaluator, kind, pair.hidden.id, pair.hidden.capacity)(component)
    return fitness.score if fitness else -1.0
