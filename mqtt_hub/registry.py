"""The nodes the hub knows: which session each is in, who is there now. Pure decisions on HELLO.

::

    HELLO(session proposed, instance) ──▶ agree()
        same instance again (a reconnect)          the session it has
        a new instance, session beyond the last    the session it proposes
        a new instance that lost its state         the last session + 1: no key is ever used twice
"""

from __future__ import annotations

from dataclasses import dataclass

from mqtt_hub.archive.queries.nodes import NodeRow
from mqtt_hub.protocol.bodies import Hello, Peer, Status
from mqtt_hub.protocol.table import RESERVED

__all__ = ["Registry", "Seen"]

SESSION_AHEAD_MAX = 1_000_000


@dataclass(slots=True)
class Seen:
    """What the hub knows of one node now."""

    role: str
    specialization: str = ""
    state: str = "lost"
    session: int = 0
    instance: str = ""
    dropped: int = 0  # telemetry of this start that found no way here, by the node's own count


class Registry:
    """All nodes by name."""

    def __init__(self, rows: list[NodeRow]) -> None:
        # Nobody is connected when a hub starts; whoever is alive announces itself again.
        self._nodes = {
            row.name: Seen(row.role, row.specialization, "lost", row.session, row.instance)
            for row in rows
            if row.name not in RESERVED
        }

    def agree(self, name: str, proposed: int, hello: Hello) -> int:
        """Return the session granted to a HELLO and remember it."""
        seen = self._nodes.setdefault(name, Seen(hello.role))
        if seen.instance != hello.instance or seen.session == 0:
            beyond = seen.session < proposed <= seen.session + SESSION_AHEAD_MAX
            seen.session = proposed if beyond else seen.session + 1
            seen.instance = hello.instance
            seen.dropped = 0
        seen.role, seen.specialization = hello.role, hello.specialization
        return seen.session

    def note_status(self, name: str, session: int, status: Status) -> None:
        """Take up a node's presence, unless it is the late will of an earlier session."""
        seen = self._nodes.setdefault(name, Seen(status.role))
        if session >= seen.session:
            seen.state, seen.specialization = status.state, status.specialization

    def note_dropped(self, name: str, session: int, dropped: int) -> None:
        """Take up how much telemetry a node has dropped in this start."""
        seen = self._nodes.get(name)
        if seen is not None and session >= seen.session:
            seen.dropped = dropped

    def telemetry_dropped(self) -> int:
        """Return how many telemetry messages all nodes together say to have dropped since they started."""
        return sum(seen.dropped for seen in self._nodes.values())

    def session(self, name: str) -> int:
        """Return the newest session agreed with a node, 0 for none."""
        seen = self._nodes.get(name)
        return seen.session if seen else 0

    def peers(self, *, but: str = "") -> tuple[Peer, ...]:
        """Return every node but one, by name."""
        return tuple(
            Peer(name, seen.role, seen.specialization, seen.state)  # type: ignore[arg-type]
            for name, seen in sorted(self._nodes.items())
            if name != but
        )

    def validators(self) -> int:
        """Return how many validators are there."""
        here = self.connected()
        return sum(seen.role == "validator" for name, seen in self._nodes.items() if name in here)

    def connected(self) -> dict[str, str]:
        """Return the nodes that are there, with their specialization."""
        return {
            name: seen.specialization
            for name, seen in sorted(self._nodes.items())
            if seen.state in ("init", "ready", "sleeping")
        }
