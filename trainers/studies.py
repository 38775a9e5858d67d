"""A trainer's studies, one a workload: begun or resumed, whose turn it is, and what peers send for them.

::

    library ─▶ make ─ known to the checkpoint? resume : begin ─▶ studies ◀─ welcome, offer_program, offer_pattern
                                                                   └▶ in_order: each node begins at another
"""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass

from mqtt_hub.protocol.bodies import CodeShare, PatternShare, TrainingSync
from trainers.arenas.classics import classics
from trainers.arenas.kind import Kind
from trainers.checkpoint import Checkpoint, UnreadableError
from trainers.library import Library
from trainers.policy import PolicyError, parse
from trainers.search.patterns import Pattern, pattern_id
from trainers.study import Meter, Study
from trainers.workloads.format import Workload

__all__ = ["CLAIMS", "PATTERNS", "PROGRAMS", "REQUESTS", "TAKEN", "TAKES", "Studies", "TrainerSettings"]

PROGRAMS, PATTERNS, REQUESTS, CLAIMS = "programs", "patterns", "requests", "claims"
TAKES = frozenset((PROGRAMS, PATTERNS, REQUESTS, CLAIMS))
TAKEN = TAKES - {CLAIMS}  # unless told otherwise: what claims are worth is not shown (docs/experiments.md)


@dataclass(frozen=True, slots=True)
class TrainerSettings:
    """How a trainer searches; ``evaluations_max`` None: until told to stop. A restart goes on, unless ``anew``."""

    seed: int = 1
    evaluations_max: int | None = None
    round_evaluations: int = 100
    seeds: int = 4  # classics to start from, drawn by seed
    anew: bool = False
    takes: frozenset[str] = TAKEN  # what it takes from others

    def identity(self, node: str) -> dict[str, object]:
        """Return what a checkpoint must agree with. Claims say where rounds go, not what a study came to."""
        takes = sorted(self.takes - {CLAIMS})
        return {
            "node": node, "seed": self.seed, "round": self.round_evaluations, "seeds": self.seeds, "takes": takes
        }  # fmt: skip


class Studies:
    """The studies of the workloads in ``library`` whose kinds are this node's."""

    def __init__(
        self,
        node: str,
        kinds: Mapping[str, Kind],
        settings: TrainerSettings,
        library: Library,
        meter: Meter,
        checkpoint: Checkpoint,
        log: logging.Logger,
    ) -> None:
        self.by_id: dict[str, Study] = {}  # of the workload
        self._node, self._kinds, self._settings, self._log = node, kinds, settings, log
        self._library, self._meter, self._checkpoint = library, meter, checkpoint

    def make(self) -> None:
        """Make the studies of the workloads that are here by now."""
        for kind in self._kinds.values():
            for workload in self._library.of(kind.name, "train"):
                if workload.id not in self.by_id:
                    self.by_id[workload.id] = self._study(kind, workload)

    def in_order(self) -> list[Study]:
        """Return the studies by name, each node beginning at another: the fleet spreads over the workloads."""
        studies = sorted(self.by_id.values(), key=lambda study: (study.workload.name, study.workload.id))
        first = self._settings.seed % len(studies) if studies else 0
        return studies[first:] + studies[:first]

    def welcome(self, sync: TrainingSync) -> None:
        """Take up what the hub knows: the workloads there are, and for a late joiner what others found.

        Patterns come without their authors, so nobody is credited with them; this node's own are no news to it.
        Raises `PolicyError` where a program is none.
        """
        self.make()
        for best in sync.best if PROGRAMS in self._settings.takes else ():
            for study in self._of(best.kind):
                if study.workload.name == best.workload and best.authors != (self._node,):
                    study.offer(parse(best.source, study.kind.form), best.authors, 1.0)
        own = {name for study in self.by_id.values() for name in study.shared}
        for pattern in sync.patterns:
            if pattern_id(pattern.function, pattern.expression) not in own:
                self.offer_pattern(pattern, "")

    def offer_program(self, body: CodeShare, author: str) -> None:
        """Keep a peer's program for the studies of the workloads that it was measured on; raises `PolicyError`."""
        if PROGRAMS not in self._settings.takes:
            return
        claimed = {claim.workload for claim in body.claims}
        for study in self._of(body.kind):
            if study.workload.id in claimed:
                study.offer(parse(body.source, study.kind.form), body.authors or (author,), 0.0)

    def offer_pattern(self, body: PatternShare, author: str) -> None:
        """Make a peer's pattern available to all studies of its kind."""
        if PATTERNS not in self._settings.takes:
            return
        pattern = Pattern(body.function, body.expression, body.unit, body.gain, body.uses)
        try:
            for study in self._of(body.kind):
                study.offer_pattern(pattern, author)
        except PolicyError as error:
            self._log.warning("%s shared what is no pattern: %s", author or "somebody", error)

    def _of(self, kind: str) -> list[Study]:
        """Return the studies of a kind; what is shared of one that is not studied here is for others."""
        return [study for study in self.by_id.values() if study.kind.name == kind]

    def _study(self, kind: Kind, workload: Workload) -> Study:
        """Return the study of a workload, as an earlier start of this node left it, or begun."""
        study = self._new(kind, workload)
        try:
            self._checkpoint.resume(study)
        except UnreadableError as error:
            self._log.warning("%s: what was searched cannot be read, it begins anew: %s", workload.name, error)
            return self._new(kind, workload)
        return study

    def _new(self, kind: Kind, workload: Workload) -> Study:
        """Begin a study from this node's own few of the textbook's programs."""
        programs = classics(kind.name)
        names = sorted(programs)
        mine = random.Random(self._settings.seed).sample(names, min(self._settings.seeds, len(names)))
        rng = random.Random(f"{self._settings.seed}/{workload.id}")
        seeds = [programs[name] for name in mine]
        return Study(workload, seeds=seeds, rivals=list(programs.values()), meter=self._meter, rng=rng)
