"""A table as Datasette describes it, and words that stand with several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["AT", "DIGEST", "KIND", "MESSAGE", "VERDICT", "Table"]

MESSAGE = "the message that said so"
KIND = "component kind, for example page_replacement"
DIGEST = "SHA-256 of the component's canonical source: its name everywhere"
AT = "UTC, ISO 8601"
VERDICT = "pending, disputed, accepted, rejected or not_reproduced"


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view for people to read."""

    title: str
    description: str
    columns: Mapping[str, str]  # every column, in the order of the schema
    units: Mapping[str, str] = field(default_factory=dict)  # such as pint knows, with which Datasette shows them
    facets: tuple[str, ...] = ()
    label: str = ""  # the column that names a row where others refer to it
    newest_first: str = ""  # the column to sort by, descending

    def metadata(self) -> dict[str, Any]:
        """Return Datasette's description of the table (docs.datasette.io, Metadata)."""
        said: dict[str, Any] = {
            "title": self.title,
            "description": self.description,
            "columns": dict(self.columns),
            "units": dict(self.units),
        }
        if self.facets:
            said["facets"] = list(self.facets)
        if self.label:
            said["label_column"] = self.label
        if self.newest_first:
            said["sort_desc"] = self.newest_first
        return said
