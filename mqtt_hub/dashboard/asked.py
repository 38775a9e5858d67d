"""What a request asks for, checked: bounds on every number and text, unknown words refused with 400."""

from __future__ import annotations

from flask import abort, request

from mqtt_hub.dashboard.views import LOG_LEVELS
from mqtt_hub.protocol.table import MessageType

__all__ = ["before", "levels", "many", "sender", "text", "types", "whole"]

TEXT_CHARACTERS_MAX = 200
ID_MAX = 2**62


def whole(name: str, low: int, high: int, default: int) -> int:
    """Return a whole number of the query within low..high."""
    value = request.args.get(name, "")
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 20) or not low <= int(value) <= high:
        abort(400, f"{name} must be a whole number from {low} to {high}")
    return int(value)


def before() -> int | None:
    """Return below which id to look; None for the newest."""
    return whole("before", 1, ID_MAX, 0) or None


def text(name: str = "text") -> str:
    """Return a text to look for."""
    value = request.args.get(name, "").strip()
    if len(value) > TEXT_CHARACTERS_MAX:
        abort(400, f"{name} has at most {TEXT_CHARACTERS_MAX} characters")
    return value


def sender() -> str:
    """Return the node to look at; empty for all."""
    return text("node")


def many(name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of a parameter that may come several times."""
    words = tuple(word for word in request.args.getlist(name) if word)
    if set(words) - set(known):
        abort(400, f"{name} is one of {', '.join(known)}")
    return words


def types() -> tuple[str, ...]:
    """Return the message types to look at; empty for all."""
    return many("type", tuple(type_.value for type_ in MessageType))


def levels() -> tuple[str, ...]:
    """Return the log levels to look at: the one asked for and all above it."""
    lowest = many("level", LOG_LEVELS)[:1] or ("debug",)
    return LOG_LEVELS[LOG_LEVELS.index(lowest[0]) :]
