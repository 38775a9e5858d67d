"""What a component outside the language gets: a place, a fact and a hint."""

from __future__ import annotations

from mqtt_hub.protocol.errors import MqttHubError

__all__ = ["PolicyError"]


class PolicyError(MqttHubError):
    """A component that the language does not admit, at ``line`` and ``column`` (both count from 1)."""

    exit_code = 2

    def __init__(self, line: int, column: int, facts: str, hint: str = "") -> None:
        super().__init__(f"line {line}, column {column}: {facts}", hint=hint)
        self.line = line
        self.column = column
