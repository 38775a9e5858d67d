"""WORKLOAD and WORKLOAD_HIDDEN: files in pieces, and the list of what there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mqtt_hub.protocol.bodies.fields import Digest, Kind, Part
from mqtt_hub.protocol.bounds import Text, Whole

__all__ = ["CHUNK_CHARACTERS_MAX", "WorkloadChunk", "WorkloadEntry"]

CHUNK_CHARACTERS_MAX = 64 * 1024  # base64 of 48 KiB


@dataclass(frozen=True, slots=True)
class WorkloadEntry:
    """One line of the hub's list of workloads; ``size_bytes`` is that of the whole file."""

    id: Digest
    kind: Kind
    name: Annotated[str, Text(128)]
    part: Part
    size_bytes: Annotated[int, Whole(1, 2**31)]


@dataclass(frozen=True, slots=True)
class WorkloadChunk:
    """One piece of a workload file, in base64; the whole is named by its digest."""

    id: Digest
    kind: Kind
    name: Annotated[str, Text(128)]
    part: Part
    size_bytes: Annotated[int, Whole(1, 2**31)]
    chunk: Annotated[int, Whole(0, 2**20)]
    chunks: Annotated[int, Whole(1, 2**20)]
    data: Annotated[str, Text(CHUNK_CHARACTERS_MAX)]
