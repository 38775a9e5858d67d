"""The validator: the dedicated testing service. Judges every submission on workloads that no trainer sees.

::

    OS_COMPONENT_SHARE ─┐
    TRAINING_SYNC:      ├─▶ waiting ──▶ Bench.judge ──▶ outbox ──▶ TEST_RESULT
      what still waits ─┘

A validator that is killed loses nothing: what has no verdict yet is told to it again in TRAINING_SYNC.
"""

from __future__ import annotations

import queue
import time
from collections import Counter, OrderedDict

from mqtt_hub.protocol.bodies import OsComponentShare, Progress, TrainingSync, WorkloadChunk
from mqtt_hub.protocol.codec import Message
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import MessageType
from trainers.arenas.errors import EvaluationError
from trainers.arenas.evaluators import Evaluators
from trainers.bench import Bench, refused
from trainers.library import Library
from trainers.node import Node
from trainers.search.memory import forget_oldest
from trainers.stop import Stop
from trainers.workloads.errors import WorkloadError

__all__ = ["KernelValidator"]

WAITING_MAX = 1_000  # beyond it new ones are left to a later TRAINING_SYNC
WAITING_OF_ONE_MAX = 50  # of one submitter
JUDGED_MAX = 1_000  # remembered, so that what is told twice is judged once; further back the hub knows
MORE_AFTER_S = 1.0  # when the hub's last list brought something to judge: it names a few at a time
ASK_EVERY_S = 60.0  # otherwise: what no message told, the hub still knows

_Name = tuple[str, int]  # a submission and its round: an operator may have it judged anew


class KernelValidator:
    """The loop of a validator node."""

    def __init__(self, node: Node, library: Library, evaluators: Evaluators, stop: Stop) -> None:
        self._node, self._library, self._stop = node, library, stop
        self._evaluators = evaluators
        self._benches: dict[str, Bench] = {}  # by kind, made when first needed
        self._waiting: OrderedDict[_Name, tuple[str, OsComponentShare]] = OrderedDict()
        self._judged: dict[_Name, None] = {}  # in the order of judging
        self._served: Counter[str] = Counter()  # verdicts by submitter: whoever had least is next
        self._sync: TrainingSync | None = None
        self._told_news = False
        self._told_waiting: set[_Name] = set()

    def run(self) -> None:
        """Judge until told to stop; raises what ended the node."""
        self._node.start()
        while not self._stop.is_set():
            self._node.check()
            submission = self._next() if self._equipped() else None
            self._listen(wait_s=0.0 if submission else 0.2)
            if submission:
                self._judge(submission, *self._waiting.pop(submission))
            elif not self._equipped() or self._waiting:
                self._node.ask_again()
            else:
                self._node.ask_again(MORE_AFTER_S if self._told_news else ASK_EVERY_S)

    def _next(self) -> _Name | None:
        """Return the submission that is next: of the submitter that was judged least, its oldest.

        It can be judged if the hidden part of its target is here: without it nothing could be said of its use, and
        a rejection would be for ever.
        """
        ready: dict[str, _Name] = {}
        kinds = {submission.kind for _submitter, submission in self._waiting.values()}
        without_hidden = {kind: self._names(kind, "train") - self._names(kind, "hidden") for kind in kinds}
        for name, (submitter, submission) in self._waiting.items():
            if submission.target not in without_hidden[submission.kind]:
                ready.setdefault(submitter, name)
            elif name not in self._told_waiting:
                self._told_waiting.add(name)
                self._node.log.info("%s waits for the hidden part of %s", submission.component[:12], submission.target)
        self._told_waiting &= self._waiting.keys()
        return min(ready.items(), key=lambda item: self._served[item[0]], default=("", None))[1]

    def _names(self, kind: str, part: str) -> set[str]:
        return {workload.name for workload in self._library.of(kind, part)}

    def _judge(self, name: _Name, submitter: str, submission: OsComponentShare) -> None:
        kind = submission.kind
        started = time.monotonic()
        try:
            if kind not in self._benches:
                self._benches[kind] = Bench(self._evaluators.of(kind))
        except EvaluationError as error:
            result = refused(submission, submitter, str(error))
        else:
            train, hidden = (self._library.of(kind, part) for part in ("train", "hidden"))
            result = self._benches[kind].judge(submission, submitter, train, hidden)
        self._node.share(MessageType.TEST_RESULT, result, correlation_id=result.submission)
        self._served[submitter] += 1
        self._judged[name] = None
        forget_oldest(self._judged, JUDGED_MAX)
        # What a node logs, everybody reads: nothing of hidden workloads.
        self._node.log.info("%s of %s: %s (%s)", submission.component[:12], submitter, result.verdict, result.told)
        rate = 1 / max(1e-3, time.monotonic() - started)
        self._node.tell(
            MessageType.PROGRESS,
            Progress(kind, submission.target, "validate", self._served.total(), 0.0, rate, self._node.dropped),
        )

    def _listen(self, *, wait_s: float) -> None:
        try:
            self._take(self._node.inbox.get(timeout=wait_s) if wait_s else self._node.inbox.get_nowait())
            while True:
                self._take(self._node.inbox.get_nowait())
        except queue.Empty:
            return

    def _take(self, message: Message) -> None:
        if message.type is MessageType.OS_COMPONENT_SHARE:
            self._await(message.sender, message.body)
        elif message.type is MessageType.TRAINING_SYNC:
            self._sync = message.body
            news = [self._await(item.submitter, item.submission, item.round) for item in message.body.pending]
            self._told_news = any(news)
        elif message.type in (MessageType.WORKLOAD, MessageType.WORKLOAD_HIDDEN):
            self._take_workload(message.body)

    def _take_workload(self, chunk: WorkloadChunk) -> None:
        try:
            workload = self._library.take(chunk)
        except WorkloadError as error:
            self._node.log.error("workload %s (%s) cannot be used: %s", chunk.name, chunk.part, error)
            return
        if workload is not None:
            self._node.log.info("workload %s (%s) is here", workload.name, workload.part)

    def _await(self, submitter: str, submission: OsComponentShare, round_: int = 0) -> bool:
        """Put a submission in line; say whether it is one that was not known."""
        name = (submission_id(submitter, submission), round_)
        full = len(self._waiting) >= WAITING_MAX
        if full or name in self._judged or name in self._waiting:
            return False
        if sum(other == submitter for other, _submission in self._waiting.values()) >= WAITING_OF_ONE_MAX:
            return False
        self._waiting[name] = (submitter, submission)
        return True

    def _equipped(self) -> bool:
        """Say whether every workload of the hub's list is here: a verdict on fewer would not compare."""
        return self._sync is not None and not self._library.lacks(self._sync.workloads)
