"""What a workload that cannot be read gets: the line or byte where it went wrong, a fact and a hint."""

from __future__ import annotations

from mqtt_hub.protocol.errors import MqttHubError

__all__ = ["WorkloadError"]


class WorkloadError(MqttHubError):
    """A workload or trace that cannot be read; ``facts`` opens with its file, line or byte offset."""
