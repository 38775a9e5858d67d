"""`NetworkedKernelTrainer`: the loop of a node that searches, shares, asks and answers.

::

    listen ─▶ adopt what peers sent ─▶ a round of search on one workload ─▶ share, submit, ask ─▶ next workload
      │ COLLABORATION_REQUEST
      └──────▶ Collaboration: spend the budget asked for on the requester's problem, answer honestly

Rounds are counted in evaluations, never in seconds, so a node by itself does the same twice.
"""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from mqtt_hub.protocol.bodies import (
    CodeShare,
    OsComponentShare,
    PatternShare,
    Progress,
    TrainingSync,
    Verdict,
    WorkloadChunk,
)
from mqtt_hub.protocol.codec import Message
from mqtt_hub.protocol.table import MessageType
from trainers.arenas.classics import classics
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.kind import Kind
from trainers.arenas.registry import kind_of
from trainers.collaboration import Collaboration
from trainers.library import Library
from trainers.node import Node
from trainers.policy import PolicyError, canonical, parse
from trainers.search.final import Choice
from trainers.search.island import forget_oldest
from trainers.search.patterns import Pattern
from trainers.stop import Stop
from trainers.study import Meter, Study
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import Workload

__all__ = ["NetworkedKernelTrainer", "TrainerSettings"]

SHARE_GAIN_MIN = 0.005  # gap closed beyond what was last shared of a workload
SUBMIT_GAIN_MIN = 0.002  # of the evidence beyond what was last submitted
PROGRESS_EVERY_S = 2.0
VERDICTS_REMEMBERED_MAX = 1_000
HEARD_AT_ONCE_MAX = 50  # messages between two evaluations: chatter must not stop the search


@dataclass(frozen=True, slots=True)
class TrainerSettings:
    """How a trainer searches; ``evaluations_max`` None: until told to stop."""

    seed: int = 1
    evaluations_max: int | None = None
    round_evaluations: int = 100
    seeds: int = 4  # classics to start from, drawn by seed


class NetworkedKernelTrainer:
    """Searches for components and shares what it learns."""

    def __init__(
        self,
        node: Node,
        library: Library,
        evaluators: Evaluators,
        stop: Stop,
        settings: TrainerSettings,
        *,
        consult: Callable[[Study], None] = lambda _study: None,
    ) -> None:
        """``consult`` is called between two evaluations: a language model's adviser, where there is one."""
        self._node, self._library, self._stop, self._settings = node, library, stop, settings
        self._kinds = {name: kind_of(name) for name in node.settings.kinds}
        self._consult = consult
        self.meter = Meter(evaluators)
        self._studies: dict[str, Study] = {}  # by workload id
        self._collaboration = Collaboration(node, self._studies)
        self._sync: TrainingSync | None = None
        self._verdicts: dict[str, str] = {}  # by submission
        self._told_at = (0.0, 0)
        self._activity = "wait"

    def run(self) -> None:
        """Search until told to stop or the budget is spent; raises what ended the node."""
        self._node.start()
        while not self._over():
            self._node.check()
            self._listen(wait_s=0.0 if self._equipped() else 0.2)
            if not self._equipped():
                self._node.ask_again()
                continue
            for study in self._in_order():
                self._round(study)
                if self._over():
                    break
        for study in self._in_order():  # what was found and not yet told
            if study.island.evaluations > study.chosen_at:
                self._conclude(study)
        self._note_evaluations()
        self._node.log.info("%d evaluations done", self.meter.evaluations)

    def _round(self, study: Study) -> None:
        self._activity = "search"
        for individual in study.adopt_waiting():
            self._node.log.info("%s: a peer's program scores %.3f here", study.workload.name, individual.score)
        target = self.meter.evaluations + self._settings.round_evaluations
        while self.meter.evaluations < target and not self._over():
            best = study.island.step()
            if best is not None:
                self._node.log.info("%s: %.3f of the gap closed (%s)", study.workload.name, best.score, best.origin)
            self._pause(study)
        self._conclude(study)
        self._collaboration.ask_if_stuck(study)

    def _pause(self, study: Study) -> None:
        """Between two evaluations: tell progress, hear messages, take advice, help whoever asked."""
        self._node.check()
        self._tell_progress(study)
        self._listen(wait_s=0.0)
        self._consult(study)
        if self._collaboration.help_wanted and not self._over():
            self._activity = "help"
            self._collaboration.help_next(self._over)
            self._activity = "search"

    def _conclude(self, study: Study) -> None:
        """Share what really helped, and submit what stands the measures that were not climbed."""
        best = study.island.best
        if best is None:
            return
        if best.id not in study.shared and best.score >= study.shared_score + SHARE_GAIN_MIN:
            study.shared_score = best.score
            self._share_patterns(study, study.mine())
            claim = study.claim(best.component)
            if claim is not None:
                study.shared.add(best.id)
                self._node.share(
                    MessageType.CODE_SHARE,
                    CodeShare(
                        kind=study.kind.name,
                        component=best.id,
                        source=canonical(best.component),
                        authors=study.authors(best, self._node.settings.name),
                        parents=best.parents,
                        claims=(claim,),
                    ),
                )
        choice = study.choose()
        if choice is not None:
            self._submit(study, choice)

    def _share_patterns(self, study: Study, patterns: list[Pattern]) -> None:
        for pattern in patterns:
            study.shared.add(pattern.id)
            self._node.share(
                MessageType.PATTERN_SHARE,
                PatternShare(
                    kind=study.kind.name,
                    function=pattern.function,
                    expression=pattern.source,
                    unit=pattern.unit,
                    gain=pattern.gain,
                    uses=pattern.uses,
                    workload=study.workload.id,
                    component=study.island.best.id if study.island.best else "",
                ),
            )

    def _submit(self, study: Study, choice: Choice) -> None:
        """Submit the choice for validation, if it is better than the last one and than all of the textbook."""
        if choice.id == study.submitted or choice.mean < max(study.submitted_mean, study.bar()) + SUBMIT_GAIN_MIN:
            return
        claim = study.claim(choice.component)
        if claim is None:
            return
        study.submitted, study.submitted_mean = choice.id, choice.mean
        parents = (choice.individual.id,) if choice.individual.id != choice.id else choice.individual.parents
        self._node.share(
            MessageType.OS_COMPONENT_SHARE,
            OsComponentShare(
                kind=study.kind.name,
                component=choice.id,
                source=canonical(choice.component),
                authors=study.authors(choice.individual, self._node.settings.name),
                parents=parents,
                claims=(claim,),
                target=study.workload.name,
            ),
            correlation_id=choice.id,
        )
        self._node.log.info(
            "%s: submitted %s, %.3f of the gap on measures it was not tuned to",
            study.workload.name, choice.id[:12], choice.mean,
        )  # fmt: skip

    def _listen(self, *, wait_s: float) -> None:
        try:
            self._take(self._node.inbox.get(timeout=wait_s) if wait_s else self._node.inbox.get_nowait())
            for _ in range(HEARD_AT_ONCE_MAX):
                self._take(self._node.inbox.get_nowait())
        except queue.Empty:
            return

    def _take(self, message: Message) -> None:
        body = message.body
        try:
            if message.type is MessageType.CODE_SHARE:
                self._offer_program(body, message.sender)
            elif message.type is MessageType.PATTERN_SHARE:
                self._offer_pattern(body, message.sender)
            elif message.type is MessageType.TRAINING_SYNC:
                self._welcome(body)
        except PolicyError as error:
            self._node.log.warning("%s shared what is no program: %s", message.sender, error)
        if message.type is MessageType.WORKLOAD:
            self._take_workload(body)
        elif message.type is MessageType.VERDICT and body.submitter == self._node.settings.name:
            self._hear_verdict(body)
        else:
            self._collaboration.take(message)

    def _hear_verdict(self, verdict: Verdict) -> None:
        """Log what became of a submission, once: TRAINING_SYNC tells it again, for a VERDICT may have been missed."""
        if self._verdicts.get(verdict.submission) != verdict.verdict:
            self._verdicts[verdict.submission] = verdict.verdict
            forget_oldest(self._verdicts, VERDICTS_REMEMBERED_MAX)
            self._node.log.info("the verdict on %s: %s (%s)", verdict.component[:12], verdict.verdict, verdict.reason)

    def _take_workload(self, chunk: WorkloadChunk) -> None:
        try:
            if self._library.take(chunk) is not None:
                self._node.log.info("workload %s is here", chunk.name)
        except WorkloadError as error:
            self._node.log.error("workload %s cannot be used: %s", chunk.name, error)

    def _welcome(self, sync: TrainingSync) -> None:
        """Take up what the hub knows: the workloads there are, and for a late joiner what others found.

        Patterns come without their authors, so nobody is credited with them.
        """
        self._sync = sync
        self._make_studies()
        me = (self._node.settings.name,)
        for best in sync.best:
            for study in self._of(best.kind):
                if study.workload.name == best.workload and best.authors != me:
                    study.offer(parse(best.source, study.kind.form), best.authors, 1.0)
        for verdict in reversed(sync.verdicts):
            self._hear_verdict(verdict)
        for pattern in sync.patterns:
            self._offer_pattern(pattern, "")

    def _of(self, kind: str) -> list[Study]:
        """Return the studies of a kind; what is shared of one that is not studied here is for others."""
        return [study for study in self._studies.values() if study.kind.name == kind]

    def _offer_program(self, body: CodeShare, author: str) -> None:
        claimed = {claim.workload for claim in body.claims}
        for study in self._of(body.kind):
            if study.workload.id in claimed:
                study.offer(parse(body.source, study.kind.form), body.authors or (author,), 0.0)

    def _offer_pattern(self, body: PatternShare, author: str) -> None:
        pattern = Pattern(body.function, body.expression, body.unit, body.gain, body.uses)
        try:
            for study in self._of(body.kind):
                study.offer_pattern(pattern, author)
        except PolicyError as error:
            self._node.log.warning("%s shared what is no pattern: %s", author or "somebody", error)

    def _equipped(self) -> bool:
        """Say whether there is something to search for and nothing of the hub's list is missing; makes the studies."""
        if self._sync is None or self._library.lacks(self._sync.workloads):
            return False
        self._make_studies()
        return bool(self._studies)

    def _make_studies(self) -> None:
        for kind in self._kinds.values():
            for workload in self._library.of(kind.name, "train"):
                if workload.id not in self._studies:
                    self._studies[workload.id] = self._study(kind, workload)

    def _study(self, kind: Kind, workload: Workload) -> Study:
        """Begin a study from this node's own few of the textbook's programs."""
        programs = classics(kind.name)
        names = sorted(programs)
        mine = random.Random(self._settings.seed).sample(names, min(self._settings.seeds, len(names)))
        rng = random.Random(f"{self._settings.seed}/{workload.id}")
        seeds = [programs[name] for name in mine]
        return Study(workload, seeds=seeds, rivals=list(programs.values()), meter=self.meter, rng=rng)

    def _in_order(self) -> list[Study]:
        """Return the studies by name, each node beginning at another: the fleet spreads over the workloads."""
        studies = sorted(self._studies.values(), key=lambda study: (study.workload.name, study.workload.id))
        first = self._settings.seed % len(studies) if studies else 0
        return studies[first:] + studies[:first]

    def _tell_progress(self, study: Study) -> None:
        now, (at, count) = time.monotonic(), self._told_at
        if now - at < PROGRESS_EVERY_S:
            return
        self._told_at = (now, self.meter.evaluations)
        self._note_evaluations()
        progress = Progress(
            kind=study.kind.name,
            workload=study.workload.name,
            activity=self._activity,  # type: ignore[arg-type]
            evaluations=self.meter.evaluations,
            best=study.best_score,
            rate=(self.meter.evaluations - count) / (now - at) if at else 0.0,
            dropped=self._node.dropped,
        )
        self._node.tell(MessageType.PROGRESS, progress)

    def _note_evaluations(self) -> None:
        """Write down what was spent, for `kernel-trainer outbox`: a node that is killed tells no more."""
        with suppress(OSError):
            (self._node.settings.home / "evaluations").write_text(f"{self.meter.evaluations}\n")

    def _over(self) -> bool:
        budget = self._settings.evaluations_max
        return self._stop.is_set() or (budget is not None and self.meter.evaluations >= budget)
