"""The archive's schema as an append-only history of named steps.

A published step never changes; a new one follows the last.
"""

from __future__ import annotations

from sqlite_utils import Migrations

from mqtt_hub.archive.migrations.knowledge import m0002_knowledge, m0003_views, m0012_patterns_once, m0014_bounds
from mqtt_hub.archive.migrations.messages import m0001_messages
from mqtt_hub.archive.migrations.reading import m0019_telemetry, m0031_verdicts_of_a_node
from mqtt_hub.archive.migrations.trust import m0018_trust

__all__ = ["MIGRATIONS"]

MIGRATIONS = Migrations("mqtt_hub.archive")

for _step in (
    m0001_messages,
    m0002_knowledge,
    m0003_views,
    m0012_patterns_once,
    m0014_bounds,
    m0018_trust,
    m0019_telemetry,
    m0031_verdicts_of_a_node,
):
    MIGRATIONS()(_step)
