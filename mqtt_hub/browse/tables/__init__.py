"""What every table and column of the archive means, in words and units, as Datasette shows it."""

from __future__ import annotations

from collections.abc import Mapping

from mqtt_hub.browse.tables.knowledge import KNOWLEDGE
from mqtt_hub.browse.tables.table import Table
from mqtt_hub.browse.tables.traffic import TRAFFIC
from mqtt_hub.browse.tables.trust import TRUST

__all__ = ["TABLES"]

TABLES: Mapping[str, Table] = {**TRAFFIC, **KNOWLEDGE, **TRUST}
