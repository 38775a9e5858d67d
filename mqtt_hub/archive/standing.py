"""How far each node is trusted, kept in the archive: every event, and what they come to.

::

    rejected messages ─┐
    verdicts ──────────┼─▶ Standings.note(node, Event) ──▶ trust_events (appended) ──▶ trust (one row a node)
    operator's words ──┘                                                   fold() of the first gives the second

Used by the writer inside its transaction. A node under quarantine has nothing left to lose until it is released,
so its further offences are not listed: a flood of forged messages stays one of rejected rows.
"""

from __future__ import annotations

import sqlite3

from mqtt_hub.trust import NOISE_A_STRIKE, Deed, Event, Standing

__all__ = ["Standings"]

_COLUMNS = "improvements, offences, strikes, credit_millionths, quarantined"


class Standings:
    """The trust tables; ``changed`` names the nodes whose quarantine began or ended in this transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[int, Standing] = {}
        self._noise: dict[int, int] = {}  # rejected messages since the last strike for them
        self.changed: set[int] = set()

    def begin(self) -> None:
        """Forget which nodes changed: a transaction begins."""
        self.changed.clear()

    def forget(self) -> None:
        """Forget everything in memory: the transaction was rolled back."""
        self._known.clear()
        self._noise.clear()
        self.changed.clear()

    def of(self, node: int) -> Standing:
        """Return how a node stands."""
        if node not in self._known:
            row = self._connection.execute(f"SELECT {_COLUMNS} FROM trust WHERE node = ?", (node,)).fetchone()  # noqa: S608 — columns above
            self._known[node] = Standing(*row) if row else Standing()
        return self._known[node]

    def note(self, node: int, event: Event, at: str, *, submission: str | None = None) -> None:
        """Append an event and what follows from it; one submission counts once for one deed."""
        before = self.of(node)
        offence = event.deed not in (Deed.IMPROVED, Deed.QUARANTINE, Deed.RELEASE)
        if offence and before.quarantined:
            return
        added = self._connection.execute(
            "INSERT OR IGNORE INTO trust_events (node, at, deed, cause, credit_millionths, submission)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (node, at, event.deed, event.cause, event.credit_millionths, submission),
        ).rowcount
        if not added:
            return
        now = self._known[node] = before.after(event)
        self._connection.execute(
            f"INSERT OR REPLACE INTO trust (node, {_COLUMNS}, level, trust, since)"  # noqa: S608 — columns above
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                node, now.improvements, now.offences, now.strikes, now.credit_millionths, now.quarantined,
                now.level, round(now.trust, 4), at,
            ),
        )  # fmt: skip
        if bool(before.quarantined) != bool(now.quarantined):
            self.changed.add(node)

    def note_rejected(self, node: int, reason: str, at: str, *, forged: bool) -> None:
        """Count a message that was not accepted: a forged one at once, others by the thousand."""
        if self.of(node).quarantined:
            return
        if forged:
            self.note(node, Event(Deed.FORGERY, reason), at)
            return
        self._noise[node] = self._noise.get(node, 0) + 1
        if self._noise[node] >= NOISE_A_STRIKE:
            self._noise[node] = 0
            self.note(node, Event(Deed.NOISE, f"{NOISE_A_STRIKE} rejected messages, the last: {reason}"), at)
