"""Asking for help and giving it: requests with a budget and an expiry, honest answers.

::

    stuck ─▶ COLLABORATION_REQUEST ─▶ helper: declined (busy, unknown workload, expired)
                                      or accepted ─▶ spends the budget ─▶ completed, with a better program or none
    requester: what comes back waits for the next round and is evaluated here before it is used

Nobody waits: without an answer the requester goes on alone.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mqtt_hub.protocol.bodies import CollaborationRequest, CollaborationResponse
from mqtt_hub.protocol.codec import Message, stamp
from mqtt_hub.protocol.table import MessageType
from trainers.letters import Letter
from trainers.node import Node
from trainers.policy import Component, PolicyError, canonical, parse
from trainers.study import Study

__all__ = ["Collaboration"]

STUCK_EVALUATIONS = 100  # that brought less than
STUCK_GAIN_MIN = 0.005  # of the gap
ASKED_EVALUATIONS = 100
EXPIRY_S = 60.0
HELP_WAITING_MAX = 2  # accepted and not begun; beyond it requests are declined
HELP_EVALUATIONS_MAX = 500  # for one request: helping must not hold up the node's own work
HELP_SHARE_MAX = 0.25  # of all evaluations are spent on others
OPEN_MAX = 100  # own requests whose answers are still taken; the oldest has long expired


@dataclass(frozen=True, slots=True)
class _Job:
    """A request that this node accepted."""

    requester: str
    correlation_id: str
    expires_at: str
    request: CollaborationRequest
    component: Component | None = None  # its program, once it has been read


@dataclass(slots=True)
class _Stretch:
    """How long a study has gained little: since which evaluation, at which score, and when to ask."""

    score: float = -math.inf
    began_at: int = 0
    ask_after: int = STUCK_EVALUATIONS


class Collaboration:
    """One node's requests and its answers to others'."""

    def __init__(self, node: Node, studies: Mapping[str, Study]) -> None:
        self._node, self._studies = node, studies
        self._jobs: deque[_Job] = deque()
        self._stretches: dict[str, _Stretch] = {}  # by workload id
        self._requests = 0
        self._open: dict[str, str] = {}  # correlation id -> workload id
        self.evaluations_helping = 0

    @property
    def help_wanted(self) -> bool:
        """Whether an accepted request waits."""
        return bool(self._jobs)

    def ask_if_stuck(self, study: Study) -> list[Letter]:
        """Return a request when a study has gained little for long, and again when it has for twice as long."""
        best, stretch = study.island.best, self._stretches.setdefault(study.workload.id, _Stretch())
        if best is None:
            return []
        if best.score >= stretch.score + STUCK_GAIN_MIN:
            self._stretches[study.workload.id] = _Stretch(best.score, study.island.evaluations)
            return []
        stuck = study.island.evaluations - stretch.began_at
        if stuck < stretch.ask_after:
            return []
        stretch.ask_after = 2 * stuck
        self._requests += 1
        name = f"{self._node.settings.name}.{self._node.session}.{self._requests}"
        self._open[name] = study.workload.id
        if len(self._open) > OPEN_MAX:
            del self._open[next(iter(self._open))]
        request = CollaborationRequest(
            kind=study.kind.name,
            workload=study.workload.id,
            source=canonical(best.component),
            component=best.id,
            score=best.score,
            gap=1.0 - best.score,
            wanted="program",
            evaluations=ASKED_EVALUATIONS,
        )
        note = f"{study.workload.name}: stuck at {best.score:.3f}, asking for help"
        return [Letter(MessageType.COLLABORATION_REQUEST, request, name, stamp(time.time() + EXPIRY_S), note)]

    def state(self) -> dict[str, Any]:
        """Return what its further requests and answers depend on, as JSON takes it; accepted jobs expire instead."""
        return {
            # Before the first score nothing is enough to be a gain, which JSON has no number for.
            "stretches": {
                name: [one.score, one.began_at, one.ask_after]
                for name, one in self._stretches.items()
                if one.score > -math.inf
            },
            "requests": self._requests,
            "open": dict(self._open),
            "evaluations_helping": self.evaluations_helping,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on where another start of this node stood."""
        self._stretches = {name: _Stretch(*told) for name, told in state["stretches"].items()}
        self._requests, self._open = state["requests"], dict(state["open"])
        self.evaluations_helping = state["evaluations_helping"]

    def take(self, message: Message) -> None:
        """Take up a request or a response; anything else is not for here."""
        if message.type is MessageType.COLLABORATION_REQUEST:
            self._consider(message)
        elif message.type is MessageType.COLLABORATION_RESPONSE:
            self._answered(message)

    def help_next(self, over: Callable[[], bool]) -> None:
        """Spend the budget of the oldest accepted request, unless it is ``over``, and answer what came of it."""
        job = self._jobs.popleft()
        study = self._studies[job.request.workload]
        before = study.island.evaluations
        if job.component is not None:
            study.offer(job.component, (job.requester,), job.request.score)
            study.adopt_waiting()
        budget = job.request.evaluations
        while study.island.evaluations - before < budget and stamp(time.time()) < job.expires_at and not over():
            self._node.check()
            study.island.step()
        spent = study.island.evaluations - before
        self.evaluations_helping += spent
        best = study.island.best
        claim = study.claim(best.component) if best and best.score > job.request.score else None
        if best is None or claim is None:
            self._respond(job, "completed", "nothing better found", spent)
            return
        self._node.log.info("helped %s: %.3f instead of %.3f", job.requester, best.score, job.request.score)
        response = CollaborationResponse(
            kind=study.kind.name,
            status="completed",
            reason=f"{best.score:.4f} of the gap instead of {job.request.score:.4f}",
            evaluations=spent,
            component=best.id,
            source=canonical(best.component),
            authors=study.authors(best, self._node.settings.name),
            claims=(claim,),
        )
        self._send(job, response)

    def _consider(self, message: Message) -> None:
        """Accept or decline, and say why."""
        request: CollaborationRequest = message.body
        if message.expires_at <= stamp(time.time()):
            return  # too late for any answer, or nobody says until when one is wanted
        study = self._studies.get(request.workload)
        job = _Job(message.sender, message.correlation_id, message.expires_at, request)
        if study is None:
            self._respond(job, "declined", "this workload is not here", 0)
            return
        try:
            job = replace(job, component=parse(request.source, study.kind.form))
        except PolicyError as error:
            reason = f"the program cannot be read: {error.facts}"
        else:
            reason = self._reason_to_decline(request, study)
        if reason:
            self._respond(job, "declined", reason, 0)
            return
        self._jobs.append(job)
        self._respond(job, "accepted", "", 0)

    def _reason_to_decline(self, request: CollaborationRequest, study: Study) -> str:
        if request.kind != study.kind.name:
            return f"this workload is for {study.kind.name}, not {request.kind}"
        if request.evaluations > HELP_EVALUATIONS_MAX:
            return f"at most {HELP_EVALUATIONS_MAX} evaluations at a time"
        if len(self._jobs) >= HELP_WAITING_MAX:
            return "busy helping others"
        done = sum(other.island.evaluations for other in self._studies.values())
        if self.evaluations_helping + request.evaluations > HELP_SHARE_MAX * max(done, request.evaluations * 4):
            return "has helped as much as it may for now"
        return ""

    def _respond(self, job: _Job, status: str, reason: str, evaluations: int) -> None:
        response = CollaborationResponse(job.request.kind, status, reason, evaluations)  # type: ignore[arg-type]
        self._send(job, response)

    def _send(self, job: _Job, response: CollaborationResponse) -> None:
        self._node.share(
            MessageType.COLLABORATION_RESPONSE,
            response,
            recipient=job.requester,
            correlation_id=job.correlation_id,
            expires_at=job.expires_at,
        )

    def _answered(self, message: Message) -> None:
        study = self._studies.get(self._open.get(message.correlation_id, ""))
        response: CollaborationResponse = message.body
        if study is None or not response.source:
            return
        try:
            component = parse(response.source, study.kind.form)
        except PolicyError as error:
            self._node.log.warning("%s answered with what is no program: %s", message.sender, error)
            return
        # The helper names us among the authors where its program goes back to ours.
        study.offer(component, response.authors or (message.sender,), 1.0)
        self._node.log.info("%s helped with %s", message.sender, study.workload.name)
