"""What a topic filter may look like (MQTT 3.1.1, 4.7), and how deep and long a topic may be here."""

from __future__ import annotations

from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.packets import MalformedPacketError

__all__ = ["check_filter", "too_large"]


def check_filter(name: str) -> str:
    """Return the filter if ``#`` is its whole last level and every ``+`` a whole level.

    Raises MalformedPacketError otherwise, or if it is empty (4.7.1, 4.7.3).
    """
    if not name:
        raise MalformedPacketError("an empty topic filter (4.7.3)")
    if "#" in name and (name.index("#") != len(name) - 1 or not (name == "#" or name.endswith("/#"))):
        raise MalformedPacketError("a topic filter with # elsewhere than as its last level (4.7.1)")
    if "+" in name and any("+" in level and level != "+" for level in name.split("/")):
        raise MalformedPacketError("a topic filter with + as a part of a level (4.7.1)")
    return name


def too_large(name: str, limits: Limits) -> str | None:
    """Return why a topic or filter is above the bounds, or None."""
    if len(name) > limits.topic_bytes_max or len(name.encode()) > limits.topic_bytes_max:
        return f"topic of more than {limits.topic_bytes_max} bytes"
    if name.count("/") >= limits.topic_levels_max:
        return f"topic of more than {limits.topic_levels_max} levels"
    return None
