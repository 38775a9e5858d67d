"""What a node says of itself: HELLO, which names its start, and STATUS, which the broker keeps.

::

    HELLO    role, kinds, capabilities, the workloads it holds; ``instance`` is what the answer is known by
    STATUS   init ─▶ ready, with what it claims ─▶ disconnected; lost is its last will
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from mqtt_hub.protocol.bodies import Hello, Status
from trainers.node.settings import NodeSettings

__all__ = ["Presence"]


class Presence:
    """The words; the node sends them. ``instance`` is this start, new where the node begins anew."""

    def __init__(
        self, settings: NodeSettings, *, have: Callable[[], tuple[str, ...]], partial: Callable[[], Mapping[str, int]]
    ) -> None:
        self._settings, self._have, self._partial = settings, have, partial
        self._claims: tuple[tuple[str, ...], int] = ((), 0)  # workloads, and for how many seconds
        self.begin_anew()

    def begin_anew(self) -> None:
        """Be known as after a start: the old instance would be given the old session."""
        self.instance = secrets.token_hex(8)

    def claim(self, workloads: tuple[str, ...], lifetime_s: int) -> None:
        """Tell from now on, while ready, what the next rounds go to."""
        self._claims = workloads, lifetime_s

    def hello(self) -> Hello:
        """Return the body of HELLO, with the workloads as they are now."""
        return Hello(
            role=self._settings.role,  # type: ignore[arg-type]
            specialization=self._settings.specialization,
            kinds=self._settings.kinds,
            instance=self.instance,
            capabilities=self._settings.capabilities,
            have=self._have(),
            partial=self._partial(),
        )

    def status(self, state: str, session: int) -> Status:
        """Return the body of STATUS."""
        claims, claims_s = self._claims if state == "ready" else ((), 0)  # who goes, or begins, has none
        return Status(
            state,  # type: ignore[arg-type]
            session,
            self._settings.role,  # type: ignore[arg-type]
            self._settings.specialization,
            claims=claims,
            claims_s=claims_s,
        )
