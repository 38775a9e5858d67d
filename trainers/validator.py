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
from collections import OrderedDict

from mqtt_hub.protocol.bodies import OsComponentShare, Progress, TrainingSync
from mqtt_hub.protocol.codec import Message
from mqtt_hub.protocol.table import MessageType
from trainers.arenas.evaluator import Evaluator
from trainers.bench import Bench
from trainers.library import Library
from trainers.node import Node
from trainers.stop import Stop

__all__ = ["KernelValidator"]

WAITING_MAX = 1_000  # beyond it new ones are left to the next TRAINING_SYNC
ASK_EVERY_S = 5.0
WORKLOADS_WAIT_S = 10.0


class KernelValidator:
    """The loop of a validator node."""

    def __init__(self, node: Node, library: Library, evaluator: Evaluator, stop: Stop) -> None:
        self._node, self._library, self._stop = node, library, stop
        self._bench = Bench(evaluator)
        self._waiting: OrderedDict[str, tuple[str, OsComponentShare]] = OrderedDict()
        self._judged: set[str] = set()
        self._sync: TrainingSync | None = None
        self._asked_at = 0.0

    def run(self) -> None:
        """Judge until told to stop; raises what ended the node."""
        self._node.start()
        while not self._stop.is_set():
            self._node.check()
            self._listen(wait_s=0.0 if self._waiting else 0.2)
            if self._waiting and self._equipped():
                component, (submitter, submission) = self._waiting.popitem(last=False)
                self._judge(component, submitter, submission)
            elif self._node.ready and time.monotonic() - self._asked_at > ASK_EVERY_S:
                self._asked_at = time.monotonic()
                if self._sync is None or self._sync.pending or not self._equipped():
                    self._node.greet()  # asks for what still waits, and for workloads that are not here yet

    def _judge(self, component: str, submitter: str, submission: OsComponentShare) -> None:
        kind = submission.kind
        started = time.monotonic()
        result = self._bench.judge(
            submission, submitter, self._library.of(kind, "train"), self._library.of(kind, "hidden")
        )
        self._node.share(MessageType.TEST_RESULT, result, correlation_id=component)
        self._judged.add(component)
        self._node.log.info("%s of %s: %s (%s)", component[:12], submitter, result.verdict, result.reason)
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
            for item in message.body.pending:
                self._await(item.submitter, item.submission)
        elif message.type in (MessageType.WORKLOAD, MessageType.WORKLOAD_HIDDEN):
            workload = self._library.take(message.body)
            if workload is not None:
                self._node.log.info("workload %s (%s) is here", workload.name, workload.part)

    def _await(self, submitter: str, submission: OsComponentShare) -> None:
        if submission.component not in self._judged and len(self._waiting) < WAITING_MAX:
            self._waiting.setdefault(submission.component, (submitter, submission))

    def _equipped(self) -> bool:
        """Say whether every workload of the hub's list is here: a verdict on fewer would not compare."""
        return self._sync is not None and not self._library.lacks(self._sync.workloads)
