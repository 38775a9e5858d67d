"""What an account may publish and be given, as lists of MQTT filters: `may` asked for every type of message.

::

    may(role, name, "publish", prefix/v1/type/NAME/x)         ──▶ prefix/v1/type/NAME/+
    may(role, name, "receive", prefix/v1/type/x/x)            ──▶ prefix/v1/type/+/+
    may(role, name, "receive", prefix/v1/type/x/NAME) alone   ──▶ prefix/v1/type/+/NAME

Nothing here knows the table's columns: a filter stands for topics that differ in nothing `may` looks at but their
characters. A level of characters that the protocol does not know therefore passes a broker, and the hub rejects it.
"""

from __future__ import annotations

from typing import NamedTuple

from mqtt_hub.broker.access import may
from mqtt_hub.protocol.table import BROKER, HUB, TABLE, MessageType, Scope
from mqtt_hub.protocol.topics import LOG_LEVELS, VERSION, build

__all__ = ["Grants", "grants"]


class Grants(NamedTuple):
    """Filters that cover what may be published, and what may be received."""

    publish: tuple[str, ...]
    receive: tuple[str, ...]


def grants(role: str, name: str, prefix: str) -> Grants:
    """Return the filters of one account; none of a list overlap."""
    if role == "hub":  # it archives whatever there is, as rejected at least; and it speaks for its broker
        own = (*_publish(role, HUB, prefix), build(MessageType.STATUS, BROKER, prefix=prefix))
        return Grants(own, (f"{prefix}/{VERSION}/#",))
    return Grants(_publish(role, name, prefix), _receive(role, name, prefix))


def _publish(role: str, name: str, prefix: str) -> tuple[str, ...]:
    found = []
    for type_ in MessageType:
        for scope, pattern in _levels() if TABLE[type_].scope is Scope.LEVEL else [_any(type_, name)]:
            if may(role, name, "publish", build(type_, name, scope, prefix=prefix), prefix=prefix) is None:
                found.append(_filter(prefix, type_, name, pattern))
    return tuple(found)


def _receive(role: str, name: str, prefix: str) -> tuple[str, ...]:
    other = "y" if name == "x" else "x"
    found = []
    for type_ in MessageType:
        mine = [(name, name)] if TABLE[type_].scope is Scope.RECIPIENT else []
        for scope, pattern in (_any(type_, other), *mine):
            if may(role, name, "receive", build(type_, other, scope, prefix=prefix), prefix=prefix) is None:
                found.append(_filter(prefix, type_, "+", pattern))
                if pattern == "+":
                    break  # which covers one's own
    return tuple(found)


def _any(type_: MessageType, anybody: str) -> tuple[str, str]:
    """Return for the last level what to ask `may` with, and the pattern it stands for."""
    match TABLE[type_].scope:
        case Scope.NONE:
            return "", ""
        case Scope.LEVEL:
            return LOG_LEVELS[0], "+"
        case _:
            return anybody, "+"


def _levels() -> list[tuple[str, str]]:
    """Return the log levels one by one: of those there are few, so that others cannot be published."""
    return [(level, level) for level in LOG_LEVELS]


def _filter(prefix: str, type_: MessageType, sender: str, last: str) -> str:
    return "/".join([prefix, VERSION, type_.lower(), sender, *([last] if last else [])])
