"""Who a node is, and where its hub is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mqtt_hub.protocol.bodies import Capabilities
from mqtt_hub.protocol.tls import Tls
from mqtt_hub.protocol.topics import DEFAULT_PREFIX

__all__ = ["NodeSettings"]


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Who the node is and where its hub is; ``home`` keeps the outbox and the workloads.

    ``peers``: whether it hears the STATUS of other nodes too.
    """

    name: str
    role: str
    specialization: str
    kinds: tuple[str, ...]
    token: str = field(repr=False)
    home: Path
    host: str = "127.0.0.1"
    port: int = 1883
    prefix: str = DEFAULT_PREFIX
    tls: Tls | None = None
    peers: bool = False
    capabilities: Capabilities = field(default_factory=Capabilities)
