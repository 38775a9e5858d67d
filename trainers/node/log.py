"""A node's log lines as LOG messages, for the live log: telemetry, so what cannot be sent is dropped."""

from __future__ import annotations

import logging

from mqtt_hub.protocol.bodies import Log
from mqtt_hub.protocol.errors import MqttHubError
from mqtt_hub.protocol.table import MessageType
from trainers.node.node import Node

__all__ = ["NodeLogHandler"]

TEXT_CHARACTERS_MAX = 2048


class NodeLogHandler(logging.Handler):
    """Sends each record of the node's logger to the hub."""

    def __init__(self, node: Node) -> None:
        super().__init__(logging.INFO)
        self._node = node

    def emit(self, record: logging.LogRecord) -> None:
        """Send one line; a line that cannot be sent must not end the node."""
        try:
            text = record.getMessage()[:TEXT_CHARACTERS_MAX]
            self._node.tell(MessageType.LOG, Log(record.levelname.lower(), text))  # type: ignore[arg-type]
        except (MqttHubError, ValueError, OSError):
            self.handleError(record)
