"""What a node has shared, as one number: two archives are compared by it.

::

    messages with a number of their own ─▶ (type, body), each once, as it came first ─▶ SHA-256, a node

Time, session and number are left out: they say when and how often something was told. So a search that was killed,
resumed, and told its last findings again has the digest of one that ran through. What a node does with others'
findings depends on when they arrive: only a node that searches by itself is bound to come to the same twice.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mqtt_hub.archive.schema import open_read_only

__all__ = ["NodeDigest", "digests"]


@dataclass(frozen=True, slots=True)
class NodeDigest:
    """What one node has shared."""

    digest: str
    findings: int  # that differ


def digests(archive: Path) -> dict[str, NodeDigest]:
    """Return the digest of every node that shared something, by name; raises `ArchiveError`."""
    db = open_read_only(archive)
    found: dict[str, dict[bytes, None]] = {}
    with closing(db.conn):
        rows = db.execute(
            "SELECT n.name, m.type, json_extract(m.payload, '$.body') FROM messages m JOIN nodes n ON n.id = m.node"
            " WHERE m.seq IS NOT NULL ORDER BY n.name, m.session, m.seq"
        )
        for name, type_, body in rows:
            found.setdefault(name, {})[hashlib.sha256(f"{type_} {body}".encode()).digest()] = None
    return {name: NodeDigest(hashlib.sha256(b"".join(parts)).hexdigest(), len(parts)) for name, parts in found.items()}
