"""The proposer's thread: one question at a time, the latest situation, proposals put where the search picks them up.

::

    offer(situation) ─▶ [latest only] ─▶ ask ─▶ check ─▶ [proposals] ─▶ take()
                                          └─ failure ─▶ told in the next prompt of that workload
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

from trainers.policy.tree import Component
from trainers.proposer.answer import read_answer
from trainers.proposer.budget import Budget
from trainers.proposer.client import Answer, Failed
from trainers.proposer.prompt import FAILURES_MAX, Situation, Told, messages, text_of

__all__ = ["Asks", "Proposal", "Proposer"]

PROPOSALS_MAX = 8  # that wait for the search; at the bound nothing is asked
ANSWER_TOKENS_MAX = 2_000
FREE = ("busy", "refused", "unreachable")  # failures before the first token
FRAME_TOKENS_MAX = 64  # that the endpoint adds around two messages
PAUSE_S = 2.0  # after the first failure in a row, doubled with each
PAUSE_S_MAX = 300.0
WORKLOADS_MAX = 64  # whose failures are remembered


class Asks(Protocol):
    """What answers: `trainers.proposer.client.Client`."""

    def ask(self, messages: Sequence[dict[str, str]], answer_tokens_max: int) -> Answer | Failed:
        """Return an answer, or why there is none."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A checked program, not yet evaluated by anybody."""

    workload: str
    component: Component


class Proposer:
    """Asks a model in a thread of its own until its budget is spent; use it with ``with``."""

    def __init__(self, client: Asks, budget: Budget, log: logging.Logger) -> None:
        self.budget = budget
        self.asked = self.proposed = self.refused = 0
        self._client, self._log = client, log
        self._situations: queue.Queue[Situation] = queue.Queue(1)
        self._proposals: queue.Queue[Proposal] = queue.Queue(PROPOSALS_MAX)
        self._failures: dict[str, deque[Told]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="proposer", daemon=True)  # a call may hang at exit

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def offer(self, situation: Situation) -> None:
        """Say where a study stands; forgotten while a question is under way or proposals wait."""
        if not self._ended.is_set() and not self._proposals.full():
            try:
                self._situations.put_nowait(situation)
            except queue.Full:
                return

    def take(self) -> list[Proposal]:
        """Return the proposals that have come."""
        taken = []
        while True:
            try:
                taken.append(self._proposals.get_nowait())
            except queue.Empty:
                return taken

    def tell(self, workload: str, source: str, outcome: str) -> None:
        """Say what became of a proposal, for the next prompt: one that failed a run, or was no better."""
        if workload not in self._failures and len(self._failures) >= WORKLOADS_MAX:
            del self._failures[next(iter(self._failures))]
        self._failures.setdefault(workload, deque(maxlen=FAILURES_MAX)).append(Told(source, outcome))

    def _work(self) -> None:
        in_a_row = 0
        while not self._ended.is_set():
            try:
                situation = self._situations.get(timeout=0.5)
            except queue.Empty:
                continue
            failed = self._ask(situation)
            in_a_row = in_a_row + 1 if failed else 0
            if failed:
                self._log.warning("the model gave no answer: %s, %s", failed.reason, failed.detail)
                if failed.reason == "refused":  # a wrong key or model: asking again costs and changes nothing
                    self._ended.set()
                pause = min(PAUSE_S_MAX, max(failed.retry_after_s, PAUSE_S * 2 ** min(in_a_row - 1, 10)))
                self._ended.wait(pause)

    def _ask(self, situation: Situation) -> Failed | None:
        failures = tuple(self._failures.get(situation.workload, ()))
        conversation = messages(replace(situation, failures=failures))
        reserved = self.budget.reserve(len(text_of(conversation).encode()) + FRAME_TOKENS_MAX, ANSWER_TOKENS_MAX)
        if reserved is None:
            self._log.info("the model's budget is spent: %d tokens, %.4f", self.budget.tokens, self.budget.money)
            self._ended.set()
            return None
        self.asked += 1
        answer = self._client.ask(conversation, ANSWER_TOKENS_MAX)
        if isinstance(answer, Failed):
            if answer.reason in FREE:
                self.budget.settle(reserved, 0, 0)
            return answer  # otherwise what was reserved counts as spent: who knows how far it got
        if answer.answer_tokens:
            self.budget.settle(reserved, answer.prompt_tokens, answer.answer_tokens)
        read = read_answer(answer.text, situation.form)
        if isinstance(read, Told):
            self.refused += 1
            self.tell(situation.workload, read.source, read.outcome)
        else:
            self.proposed += 1
            self._proposals.put(Proposal(situation.workload, read))
        return None
