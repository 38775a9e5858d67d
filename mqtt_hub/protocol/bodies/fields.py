"""What the fields of bodies are made of: each name is a bound. And `Named`, what a component is called by."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Literal

from mqtt_hub.protocol.bounds import Flat, Real, Text, Whole
from mqtt_hub.protocol.errors import ProtocolError

__all__ = [
    "REASON_CHARACTERS_MAX",
    "SOURCE_CHARACTERS_MAX",
    "Count",
    "Counters",
    "Digest",
    "Kind",
    "Name",
    "Named",
    "Number",
    "Part",
    "Reason",
    "Role",
    "Scores",
    "Seq",
    "Session",
    "Source",
]

SOURCE_CHARACTERS_MAX = 8 * 1024
REASON_CHARACTERS_MAX = 512
I64 = 2**63 - 1

Name = Annotated[str, Text(64, r"[A-Za-z0-9_-]+", 1, repeats=True)]
Kind = Annotated[str, Text(64, r"[a-z0-9_]+", 1, repeats=True)]
Digest = Annotated[str, Text(64, r"[0-9a-f]{64}", 64, repeats=True)]
Source = Annotated[str, Text(SOURCE_CHARACTERS_MAX, characters_min=1)]
Reason = Annotated[str, Text(REASON_CHARACTERS_MAX)]
Count = Annotated[int, Whole(0, I64)]
Session = Annotated[int, Whole(0, 2**53)]
Seq = Annotated[int, Whole(0, 2**53)]
Number = Annotated[float, Real(-1e18, 1e18)]
Counters = Annotated[Mapping[str, int], Flat(16, Whole(-I64, I64))]
Scores = Annotated[Mapping[str, float], Flat(32, Real(-1e18, 1e18))]
Role = Literal["hub", "trainer", "validator", "observer"]
Part = Literal["train", "hidden"]


class Named:
    """A body whose ``component`` is the digest of its ``source``: nobody can put other words under a name."""

    __slots__ = ()
    component: str
    source: str

    def validate(self, path: str) -> None:
        """Raise `ProtocolError` where the two do not belong together."""
        digest = sha256(self.source.encode()).hexdigest() if self.source else ""
        if self.component != digest:
            raise ProtocolError(f"{path}.component: is not the SHA-256 of {path}.source")
