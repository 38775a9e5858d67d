"""Between a study and the proposer: where the study stands goes there, proposals come back and are evaluated here."""

from __future__ import annotations

from collections import Counter, deque

from trainers.policy.source import canonical
from trainers.proposer.prompt import PARENTS_MAX, Situation, Told
from trainers.proposer.proposer import Proposal, Proposer
from trainers.search.population import Individual
from trainers.study import Study

__all__ = ["Adviser"]

WAITING_MAX = 16  # proposals for studies whose turn it is not


class Adviser:
    """Called between two evaluations; never waits. ``outcomes`` counts what became of proposals."""

    def __init__(self, proposer: Proposer) -> None:
        self._proposer = proposer
        self._waiting: deque[Proposal] = deque(maxlen=WAITING_MAX)
        self.outcomes: Counter[str] = Counter()

    def consult(self, study: Study) -> None:
        """Evaluate what was proposed for this study, and tell where it stands now."""
        self._waiting.extend(self._proposer.take())
        mine = [proposal for proposal in self._waiting if proposal.workload == study.workload.id]
        for proposal in mine:
            self._waiting.remove(proposal)
            self._try(study, proposal)
        self._proposer.offer(_situation(study))

    def _try(self, study: Study, proposal: Proposal) -> None:
        """Let a proposal enter as a peer's program does: evaluated here, and only then taken in."""
        before = study.island.best
        individual = study.island.adopt(proposal.component, "llm")
        source = canonical(proposal.component)
        if individual is None:
            self.outcomes["unusable"] += 1
            self._proposer.tell(study.workload.id, source, "It was known already, or did not run to its end.")
        elif before is not None and individual.score <= before.score:
            self.outcomes["no better"] += 1
            told = f"It closes {individual.score:.3f} of the gap; the best closes {before.score:.3f}."
            self._proposer.tell(study.workload.id, source, told)
        else:
            self.outcomes["better"] += 1


def _situation(study: Study) -> Situation:
    workload, kind = study.workload, study.kind
    about = (
        f"{workload.rows} {kind.rows}, {workload.size} {kind.size}, capacity {workload.capacity} {kind.capacity.unit}."
        f" 0 of the gap is {kind.baseline}, 1 the bound {kind.bound}, which no policy can pass."
    )
    best = study.island.finalists(PARENTS_MAX)
    return Situation(kind.form, workload.id, workload.name, about, tuple(_told(individual) for individual in best))


def _told(individual: Individual) -> Told:
    return Told(canonical(individual.component), f"It closes {individual.score:.3f} of the gap.")
