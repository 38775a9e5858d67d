"""What goes wrong when something is evaluated, apart from the candidate: that is a `Failure`, a value."""

from __future__ import annotations

from mqtt_hub.protocol.errors import MqttHubError

__all__ = ["EvaluationError"]


class EvaluationError(MqttHubError):
    """An evaluation that cannot be done: unknown kind, baseline or workload, capacity out of bounds, no child."""
