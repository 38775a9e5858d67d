"""Who may publish and subscribe where: one pure function, from the two role columns of the message table.

::

    publish    the sender level is the account's own name, and the type is one for its role;
               retained only where the table says so; last wills are publishes;
               whoever is quarantined says nothing that asks for a receipt: it shares and submits nothing
    receive    the type is one for the role; what has a recipient goes to that node, the hub and observers
    subscribe  nodes name types; observers may use wildcards below {prefix}/v1 (what they may not read is not
               delivered); only the hub may use {prefix}/#

Every broker adapter asks this function or is generated from the same table.
"""

from __future__ import annotations

from typing import Literal

from mqtt_hub.protocol.errors import ProtocolError
from mqtt_hub.protocol.table import TABLE, MessageType, Scope
from mqtt_hub.protocol.topics import DEFAULT_PREFIX, VERSION, parse

__all__ = ["Action", "is_forgery", "may"]

Action = Literal["publish", "subscribe", "receive"]
_LEVELS_MAX = 5
_FORGED = "may not publish"


def may(
    role: str,
    name: str,
    action: Action,
    topic: str,
    *,
    retain: bool = False,
    prefix: str = DEFAULT_PREFIX,
    quarantined: str = "",
) -> str | None:
    """Return None where the account may, otherwise the reason why not; ``quarantined`` is why it is, if it is."""
    if action == "subscribe":
        return _may_subscribe(role, name, topic.split("/"), prefix)
    try:
        parsed = parse(topic, prefix=prefix)
    except ProtocolError as error:
        return error.facts
    row = TABLE[parsed.type]
    if action == "publish":
        if parsed.sender != name:
            return f"{name} {_FORGED} as {parsed.sender}"
        if role not in row.publishers:
            return f"a {role} {_FORGED} {parsed.type}"
        if quarantined and row.sequenced:
            return f"{name} is quarantined: {quarantined}"
        if retain and not row.retain:
            return f"{parsed.type} may not be retained"
        return None
    if role not in row.readers:
        return f"a {role} may not read {parsed.type}"
    if row.scope is Scope.RECIPIENT and parsed.scope != name and role not in ("hub", "observer"):
        return f"{parsed.type} for {parsed.scope} is not for {name}"
    return None


def is_forgery(reason: str) -> bool:
    """Say whether a refusal is one of speaking in another's name, or as only another role may."""
    return f" {_FORGED} " in reason.split(" is quarantined: ", maxsplit=1)[0]


def _may_subscribe(role: str, name: str, levels: list[str], prefix: str) -> str | None:
    if levels[0] != prefix:
        return f"nothing is published outside {prefix}/"
    if role == "hub":
        return None
    if len(levels) < 3 or levels[1] != VERSION:
        return f"only the hub may subscribe above {prefix}/{VERSION}/"
    if role == "observer":
        hidden = levels[2] == MessageType.WORKLOAD_HIDDEN.lower()
        return "an observer may not read WORKLOAD_HIDDEN" if hidden else None
    try:
        type_ = MessageType(levels[2].upper())
    except ValueError:
        return f"a {role} subscribes by message type, {levels[2]!r} is none"
    row = TABLE[type_]
    if role not in row.readers:
        return f"a {role} may not read {type_}"
    if len(levels) > _LEVELS_MAX:
        return f"no topic has more than {_LEVELS_MAX} levels"
    if row.scope is Scope.RECIPIENT and (len(levels) != _LEVELS_MAX or levels[4] != name):
        return f"{name} may read only the {type_} addressed to it"
    return None
