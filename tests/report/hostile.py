"""What a hostile node can get into an archive, wherever the protocol lets it write freely."""

from __future__ import annotations

from dataclasses import replace

from mqtt_hub.archive.storing import Grant
from mqtt_hub.intake import Entry
from mqtt_hub.protocol.bodies import Capabilities
from mqtt_hub.protocol.table import MessageType
from tests.dashboard.story import CLAIM, HOSTILE, at, score, submission, verdict
from tests.hub.entries import accepted, digest, hello

__all__ = ["WORKLOAD", "hostile"]

WORKLOAD = "$\\frac{</title><svg onload=alert(3)>\u202e\x07日本 {{ 7*7 }}"  # as mathematics it would be an error


def hostile() -> list[Entry | Grant]:
    """Return entries that are hostile in names, code, reasons, patterns and capabilities."""
    source = f"def on_hit():\n    return {HOSTILE}"
    accepted_one = accepted(
        MessageType.OS_COMPONENT_SHARE, "AI_Node_2", seq=30, at=at(40), source=source, authors=("AI_Node_2",),
        parents=(), claims=CLAIM, target=WORKLOAD,
    )  # fmt: skip
    best = replace(score(310.0, workload=WORKLOAD), id=digest(700), picked=HOSTILE[:60])
    refused = submission(31, seq=31, when=at(41), target=HOSTILE)
    capabilities = Capabilities(2, 512, HOSTILE[:60], "<b>3</b>", "&lt;", "1")
    return [
        hello("AI_Node_9", session=3, capabilities=capabilities),
        accepted(MessageType.PATTERN_SHARE, "AI_Node_1", seq=40, at=at(40), expression=HOSTILE, gain=0.9),
        accepted_one,
        refused,
        verdict(accepted_one, [best], seq=40),
        verdict(refused, [], seq=41, says="rejected", reason=HOSTILE),
    ]
