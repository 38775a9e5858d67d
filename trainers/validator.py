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
from collections import OrderedDict, deque

from mqtt_hub.protocol.bodies import OsComponentShare, Progress, TrainingSync, WorkloadChunk
from mqtt_hub.protocol.codec import Message
from mqtt_hub.protocol.table import MessageType
from trainers.arenas.errors import EvaluationError
from trainers.arenas.evaluators import Evaluators
from trainers.bench import Bench, refused
from trainers.library import Library
from trainers.node import Node
from trainers.stop import Stop
from trainers.workloads.errors import WorkloadError

__all__ = ["KernelValidator"]

WAITING_MAX = 1_000  # beyond it new ones are left to a later TRAINING_SYNC
JUDGED_MAX = 100_000  # remembered, so that what is told twice is judged once
MORE_AFTER_S = 1.0  # when the hub's last list brought something to judge: it names a few at a time
ASK_EVERY_S = 60.0  # otherwise: what no message told, the hub still knows


class KernelValidator:
    """The loop of a validator node."""

    def __init__(self, node: Node, library: Library, evaluators: Evaluators, stop: Stop) -> None:
        self._node, self._library, self._stop = node, library, stop
        self._evaluators = evaluators
        self._benches: dict[str, Bench] = {}  # by kind, made when first needed
        self._waiting: OrderedDict[str, tuple[str, OsComponentShare]] = OrderedDict()
        self._judged: set[str] = set()
        self._judged_in_order: deque[str] = deque()
        self._sync: TrainingSync | None = None
        self._told_news = False
        self._told_waiting: set[str] = set()

    def run(self) -> None:
        """Judge until told to stop; raises what ended the node."""
        self._node.start()
        while not self._stop.is_set():
            self._node.check()
            submission = self._next() if self._equipped() else None
            self._listen(wait_s=0.0 if submission else 0.2)
            if submission:
                self._judge(*self._waiting.pop(submission))
            elif not self._equipped() or self._waiting:
                self._node.ask_again()
            else:
                self._node.ask_again(MORE_AFTER_S if self._told_news else ASK_EVERY_S)

    def _next(self) -> str | None:
        """Return the oldest submission that can be judged: the hidden part of its target must be here.

        Without it nothing could be said of its use, and a rejection would be for ever.
        """
        for component, (_submitter, submission) in self._waiting.items():
            train, hidden = (
                {workload.name for workload in self._library.of(submission.kind, part)} for part in ("train", "hidden")
            )
            if submission.target in hidden or submission.target not in train:
                return component
            if component not in self._told_waiting:
                self._told_waiting.add(component)
                self._node.log.info("%s waits for the hidden part of %s", component[:12], submission.target)
        self._told_waiting &= self._waiting.keys()
        return None

    def _judge(self, submitter: str, submission: OsComponentShare) -> None:
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
        self._node.share(MessageType.TEST_RESULT, result, correlation_id=submission.component)
        self._judged.add(submission.component)
        self._judged_in_order.append(submission.component)
        if len(self._judged_in_order) > JUDGED_MAX:
            self._judged.discard(self._judged_in_order.popleft())
        self._node.log.info("%s of %s: %s (%s)", submission.component[:12], submitter, result.verdict, result.reason)
        rate = 1 / max(1e-3, time.monotonic() - started)
        self._node.tell(
            MessageType.PROGRESS,
            Progress(kind, submission.target, "validate", len(self._judged), 0.0, rate, self._node.dropped),
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
            news = [self._await(item.submitter, item.submission) for item in message.body.pending]
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

    def _await(self, submitter: str, submission: OsComponentShare) -> bool:
        """Put a submission in line; say whether it is one that was not known."""
        component = submission.component
        if component in self._judged or component in self._waiting or len(self._waiting) >= WAITING_MAX:
            return False
        self._waiting[component] = (submitter, submission)
        return True

    def _equipped(self) -> bool:
        """Say whether every workload of the hub's list is here: a verdict on fewer would not compare."""
        return self._sync is not None and not self._library.lacks(self._sync.workloads)
