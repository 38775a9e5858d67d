"""`NetworkedKernelTrainer`: the loop of a node that searches, shares, asks and answers.

::

    listen ─▶ adopt what peers sent ─▶ a round of search on one workload ─▶ checkpoint ─▶ share, submit, ask ─▶ next
      │ COLLABORATION_REQUEST
      └──────▶ Collaboration: spend the budget asked for on the requester's problem, answer honestly

Rounds are counted in evaluations, never in seconds, so a node by itself does the same twice; and one that was killed
goes on at the end of its last round.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from contextlib import closing, suppress

from mqtt_hub.protocol.bodies import Progress, Status, TrainingSync, Verdict, WorkloadChunk
from mqtt_hub.protocol.codec import Message, stamp
from mqtt_hub.protocol.table import MessageType
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.registry import kind_of
from trainers.checkpoint import Checkpoint
from trainers.claims import CLAIM_S, Claims
from trainers.collaboration import Collaboration
from trainers.letters import Letter, findings
from trainers.library import Library
from trainers.node import Node
from trainers.outbox_file import OutboxError
from trainers.policy import PolicyError
from trainers.search.memory import forget_oldest
from trainers.stop import Stop
from trainers.studies import CLAIMS, REQUESTS, Studies, TrainerSettings
from trainers.study import Meter, Study
from trainers.workloads.errors import WorkloadError

__all__ = ["NetworkedKernelTrainer", "TrainerSettings"]

SAVE_EVERY_S = 10.0  # and before anything is told
PROGRESS_EVERY_S = 2.0
VERDICTS_REMEMBERED_MAX = 1_000
HEARD_AT_ONCE_MAX = 50  # messages between two evaluations: chatter must not stop the search


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
        self._consult = consult
        self.meter = Meter(evaluators)
        name, kinds = node.settings.name, {name: kind_of(name) for name in node.settings.kinds}
        self._checkpoint = Checkpoint(node.settings.home / "search.db", settings.identity(name), node.log)
        if settings.anew:
            self._checkpoint.forget()
        self._studies = Studies(name, kinds, settings, library, self.meter, self._checkpoint, node.log)
        self._collaboration = Collaboration(node, self._studies.by_id)
        self._claims = Claims(name)
        self._begun = self._unsaved = False
        self._saved_at = 0.0
        self._turn = 0  # rounds so far: whose turn is next
        self._sync: TrainingSync | None = None
        self._verdicts: dict[str, str] = {}  # by submission
        self._told_at = (0.0, 0)
        self._activity = "wait"

    def run(self) -> None:
        """Search until told to stop or the budget is spent; raises what ended the node."""
        with closing(self._checkpoint):
            self._node.start()
            self._search()
            if self._begun:
                self._tell([letter for study in self._studies.in_order() for letter in self._untold(study)])
        self._note_evaluations()
        self._node.log.info("%d evaluations done", self.meter.evaluations)

    def _search(self) -> None:
        while not self._over():
            self._node.check()
            self._listen(wait_s=0.0 if self._equipped() else 0.2)
            if not self._equipped():
                self._node.ask_again()
                continue
            self._begin()
            if self._over():  # an earlier start of this node has spent the budget
                break
            self._round(self._next_study())

    def _begin(self) -> None:
        """Go on where this node's last start was killed, if it was; once, when there is something to search for."""
        if self._begun:
            return
        self._begun = True
        told = self._checkpoint.trainer()
        if told is None:
            return
        self._turn, self.meter.evaluations = told["turn"], told["evaluations"]
        self._collaboration.resume(told["collaboration"])
        self._node.log.info("going on after %d evaluations", self.meter.evaluations)
        now = stamp(time.time())
        self._send([one for one in self._checkpoint.letters() if not one.expires_at or one.expires_at > now])

    def _next_study(self) -> Study:
        """Return the study whose turn it is, and tell what this node claims."""
        studies = {study.workload.id: study for study in self._studies.in_order()}
        chosen = self._claims.choose(tuple(studies), self._turn)
        self._turn += 1
        told = self._claims.to_tell() if CLAIMS in self._settings.takes else None
        if told is not None:
            self._node.claim(told, CLAIM_S)
        return studies[chosen]

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
        letters = findings(study, self._node.settings.name)
        if REQUESTS in self._settings.takes:
            letters += self._collaboration.ask_if_stuck(study)
        self._tell(letters)

    def _untold(self, study: Study) -> list[Letter]:
        """Return what was found since the last choice."""
        if study.island.evaluations <= study.chosen_at:
            return []
        return findings(study, self._node.settings.name)

    def _tell(self, letters: list[Letter]) -> None:
        """Commit where the search stands, then tell: what others know of a search is never beyond its checkpoint."""
        now = time.monotonic()
        if letters or now - self._saved_at >= SAVE_EVERY_S or self._over():
            self._saved_at = now
            trainer = {
                "turn": self._turn,
                "evaluations": self.meter.evaluations,
                "collaboration": self._collaboration.state(),
            }
            try:
                self._checkpoint.save(trainer, self._studies.by_id.values(), letters)
                self._unsaved = False
            except OutboxError as error:  # a search that cannot be resumed is better than none
                if not self._unsaved:
                    self._node.log.warning("no checkpoint: %s", error)
                self._unsaved = True
        self._send(letters)

    def _send(self, letters: list[Letter]) -> None:
        for letter in letters:
            self._node.share(
                letter.type, letter.body, correlation_id=letter.correlation_id, expires_at=letter.expires_at
            )
            if letter.note:
                self._node.log.info("%s", letter.note)
        if letters:
            with suppress(OutboxError):  # they are sent again after a kill, which changes nothing
                self._checkpoint.sent()

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
                self._studies.offer_program(body, message.sender)
            elif message.type is MessageType.PATTERN_SHARE:
                self._studies.offer_pattern(body, message.sender)
            elif message.type is MessageType.TRAINING_SYNC:
                self._sync = body
                for verdict in reversed(body.verdicts):
                    self._hear_verdict(verdict)
                self._studies.welcome(body)
        except PolicyError as error:
            self._node.log.warning("%s shared what is no program: %s", message.sender, error)
        if message.type is MessageType.WORKLOAD:
            self._take_workload(body)
        elif message.type is MessageType.STATUS:
            self._take_status(message)
        elif message.type is MessageType.VERDICT and body.submitter == self._node.settings.name:
            self._hear_verdict(body)
        else:
            self._collaboration.take(message)

    def _take_status(self, message: Message) -> None:
        """Hear what a peer claims, or that it looks for work of this sort."""
        status: Status = message.body
        concerned = bool(status.claims) or status.specialization == self._node.settings.specialization
        if CLAIMS in self._settings.takes:  # an earlier start may have, and its subscription stands
            lifetime_s = status.claims_s if concerned else 0
            self._claims.hear(message.sender, message.session, status.claims, lifetime_s)

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

    def _equipped(self) -> bool:
        """Say whether there is something to search for and nothing of the hub's list is missing; makes the studies."""
        if self._sync is None or self._library.lacks(self._sync.workloads):
            return False
        self._studies.make()
        return bool(self._studies.by_id)

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
