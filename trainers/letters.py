"""What a trainer has to tell at the end of a round, as letters: made first, kept in the checkpoint, then sent.

::

    study ─▶ findings ──┬─ PATTERN_SHARE        what its best cannot do without
                        ├─ CODE_SHARE           a best that is clearly better than what was shared last
                        └─ OS_COMPONENT_SHARE   a choice that stands more measures than were climbed
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from mqtt_hub.protocol.bodies import Body, CodeShare, OsComponentShare, PatternShare
from mqtt_hub.protocol.codec import to_json
from mqtt_hub.protocol.schema import checker
from mqtt_hub.protocol.table import TABLE, MessageType
from trainers.policy import canonical
from trainers.search.final import Choice
from trainers.study import Study

__all__ = ["Letter", "findings"]

SHARE_GAIN_MIN = 0.005  # gap closed beyond what was last shared of a workload
SUBMIT_GAIN_MIN = 0.002  # of the evidence beyond what was last submitted


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that is not stamped yet: whose session and when is for the node to say."""

    type: MessageType
    body: Body
    correlation_id: str = ""
    expires_at: str = ""
    note: str = ""  # for the node's own log, once it is committed to the outbox

    def state(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        body = orjson.loads(to_json(self.body))
        return {
            "type": self.type, "body": body, "correlation_id": self.correlation_id, "expires_at": self.expires_at,
            "note": self.note,
        }  # fmt: skip

    @classmethod
    def resumed(cls, state: dict[str, Any]) -> Letter:
        """Return the letter that `state` told; raises `ProtocolError` where it is none."""
        type_ = MessageType(state["type"])
        body = checker(TABLE[type_].body)(state["body"], "body")
        return cls(type_, body, state["correlation_id"], state["expires_at"], state["note"])


def findings(study: Study, me: str) -> list[Letter]:
    """Return what really helped, and the choice if it stands the final measures; marks it as told."""
    best = study.island.best
    if best is None:
        return []
    letters = []
    if best.id not in study.shared and best.score >= study.shared_score + SHARE_GAIN_MIN:
        study.shared_score = best.score
        letters += _patterns(study, best.id)
        claim = study.claim(best.component)
        if claim is not None:
            study.shared.add(best.id)
            body = CodeShare(
                kind=study.kind.name,
                component=best.id,
                source=canonical(best.component),
                authors=study.authors(best, me),
                parents=best.parents,
                claims=(claim,),
            )
            letters.append(Letter(MessageType.CODE_SHARE, body))
    choice = study.choose()
    return letters + (_submission(study, choice, me) if choice else [])


def _patterns(study: Study, best: str) -> list[Letter]:
    letters = []
    for pattern in study.mine():
        study.shared.add(pattern.id)
        body = PatternShare(
            kind=study.kind.name,
            function=pattern.function,
            expression=pattern.source,
            unit=pattern.unit,
            gain=pattern.gain,
            uses=pattern.uses,
            workload=study.workload.id,
            component=best,
        )
        letters.append(Letter(MessageType.PATTERN_SHARE, body))
    return letters


def _submission(study: Study, choice: Choice, me: str) -> list[Letter]:
    """Return the choice for validation, if it is better than the last one and than all of the textbook."""
    if choice.id == study.submitted or choice.mean < max(study.submitted_mean, study.bar()) + SUBMIT_GAIN_MIN:
        return []
    if not study.stands(choice):
        return []
    claim = study.claim(choice.component)
    if claim is None:
        return []
    study.submitted, study.submitted_mean = choice.id, choice.mean
    body = OsComponentShare(
        kind=study.kind.name,
        component=choice.id,
        source=canonical(choice.component),
        authors=study.authors(choice.individual, me),
        parents=(choice.individual.id,) if choice.individual.id != choice.id else choice.individual.parents,
        claims=(claim,),
        target=study.workload.name,
    )
    told = f"{study.workload.name}: submitted {choice.id[:12]}"
    note = f"{told}, {choice.mean:.3f} of the gap in the mean of all measures"
    return [Letter(MessageType.OS_COMPONENT_SHARE, body, correlation_id=choice.id, note=note)]
