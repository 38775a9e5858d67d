"""The name of a submission: who claims what of which component.

A verdict belongs to a submission, not to a component: whoever claims false counters for another's source spoils
nothing but its own claim. The same claims of the same sender are one submission, however often they are sent;
authors and parents are no part of it, for nobody reproduces them.
"""

from __future__ import annotations

from hashlib import sha256

import orjson

from mqtt_hub.protocol.bodies import OsComponentShare

__all__ = ["submission_id"]


def submission_id(submitter: str, body: OsComponentShare) -> str:
    """Return the SHA-256, in hex, of submitter, kind, component, target and claims."""
    said = [submitter, body.kind, body.component, body.target, body.claims]
    return sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()
