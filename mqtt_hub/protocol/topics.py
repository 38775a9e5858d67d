"""The one grammar of topics: ``{prefix}/v1/{message_type}/{sender}[/{scope}]``.

The sender owns a fixed level, so one access rule serves every broker. Characters are ``[A-Za-z0-9_-/]``, at
most 5 levels, nothing is published on a bare parent: what mosquitto, NATS, EMQX, RabbitMQ and AWS all carry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from mqtt_hub.protocol.errors import ProtocolError
from mqtt_hub.protocol.table import HUB, TABLE, MessageType, Scope

__all__ = ["DEFAULT_PREFIX", "LOG_LEVELS", "NAME", "Topic", "build", "parse", "subscriptions"]

DEFAULT_PREFIX = "kernel"
VERSION = "v1"
TOPIC_BYTES_MAX = 256
TOPICS_REMEMBERED_MAX = 4_096
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_LEVELS = {type_.value.lower(): type_ for type_ in MessageType}
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class Topic:
    """A parsed topic; ``scope`` is empty where the type has none."""

    type: MessageType
    sender: str
    scope: str


def build(type_: MessageType, sender: str, scope: str = "", *, prefix: str = DEFAULT_PREFIX) -> str:
    """Return the topic of a message; raises `ProtocolError` on a name outside the grammar."""
    has_scope = TABLE[type_].scope is not Scope.NONE
    if has_scope != bool(scope):
        raise ProtocolError(f"topic: {type_} takes {'a' if has_scope else 'no'} scope")
    for part in (prefix, sender, *([scope] if scope else [])):
        if NAME.fullmatch(part) is None:
            raise ProtocolError(f"topic: {part!r} is no name", hint="letters, digits, _ and -, at most 64")
    return "/".join([prefix, VERSION, type_.value.lower(), sender, *([scope] if scope else [])])


def parse(topic: str, *, prefix: str = DEFAULT_PREFIX) -> Topic:
    """Return the parts of a topic; raises `ProtocolError` naming what does not fit."""
    if len(topic) > TOPIC_BYTES_MAX:
        raise ProtocolError(f"topic: longer than {TOPIC_BYTES_MAX} bytes")
    return _parsed(topic, prefix)


@lru_cache(maxsize=TOPICS_REMEMBERED_MAX)
def _parsed(topic: str, prefix: str) -> Topic:
    levels = topic.split("/")
    if levels[:2] != [prefix, VERSION]:
        raise ProtocolError(f"topic: {topic[:80]!r} is not under {prefix}/{VERSION}/")
    type_ = _LEVELS.get(levels[2]) if len(levels) > 2 else None
    if type_ is None:
        raise ProtocolError(f"topic: {topic[:80]!r} names no message type", hint="see topics.md")
    wanted = 4 if TABLE[type_].scope is Scope.NONE else 5
    if len(levels) != wanted:
        raise ProtocolError(f"topic: {type_} has {wanted} levels, got {len(levels)}")
    if not all(NAME.fullmatch(level) for level in levels[3:]):
        raise ProtocolError(f"topic: {topic[:80]!r} has a level that is no name")
    if TABLE[type_].scope is Scope.LEVEL and levels[4] not in LOG_LEVELS:
        raise ProtocolError(f"topic: {levels[4]!r} is no log level")
    return Topic(type_, levels[3], levels[4] if wanted == 5 else "")


def subscriptions(
    role: str, name: str, kinds: tuple[str, ...], *, peers: bool = False, prefix: str = DEFAULT_PREFIX
) -> list[str]:
    """Return the filters a node of that role uses; none overlap, each is granted by the access rule.

    ``peers``: also everybody's STATUS, in which trainers say what they claim, and that they go.
    """

    def at(type_: MessageType, sender: str, scope: str = "") -> str:
        return "/".join([prefix, VERSION, type_.value.lower(), sender, *([scope] if scope else [])])

    filters = [
        at(MessageType.TRAINING_SYNC, HUB, name),
        at(MessageType.RECEIPT, HUB, name),
        at(MessageType.STATUS, "+" if peers else HUB),
    ]
    for kind in kinds:
        filters.append(at(MessageType.WORKLOAD, HUB, kind))
        if role == "trainer":
            filters += [
                at(MessageType.PATTERN_SHARE, "+", kind),
                at(MessageType.CODE_SHARE, "+", kind),
                at(MessageType.COLLABORATION_REQUEST, "+", kind),
                at(MessageType.VERDICT, HUB, kind),
            ]
        if role == "validator":
            filters += [
                at(MessageType.WORKLOAD_HIDDEN, HUB, kind),
                at(MessageType.OS_COMPONENT_SHARE, "+", kind),
            ]
    if role == "trainer":
        filters.append(at(MessageType.COLLABORATION_RESPONSE, "+", name))
    return filters
