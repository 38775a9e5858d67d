"""What the broker counts: every message that moved, and every loss and refusal by its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields

__all__ = ["Counters", "take_one"]


def take_one(counter: Counter[str], key: str) -> None:
    """Count one less of a key, and forget it with its last: what is counted by name must not keep the names."""
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


@dataclass(slots=True)
class Counters:
    """Totals since the start of the broker."""

    connections_total: int = 0
    connections_refused: int = 0  # above connections_max, or above a listener's own bound
    connections_refused_address: int = 0  # above connections_per_address_max
    connections_refused_account: int = 0  # above connections_per_account_max
    connect_timeouts: int = 0
    logins_refused: int = 0
    logins_delayed: int = 0  # refused unverified: too many failures before
    sessions_refused: int = 0  # above sessions_max
    sessions_refused_account: int = 0  # above sessions_per_account_max
    wills_refused: int = 0
    malformed: int = 0
    keep_alive_expired: int = 0
    taken_over: int = 0
    slow_readers: int = 0  # disconnected because their queue was full
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    publishes_refused: int = 0
    publishes_throttled: int = 0  # pauses of an account above publish_messages_per_s_max
    subscriptions_refused: int = 0
    qos2_refused: int = 0  # above received_qos2_max
    retained_refused: int = 0
    sessions_expired: int = 0
    dropped_queue_full: int = 0
    dropped_slow_qos0: int = 0
    dropped_deferred: int = 0
    dropped_events: int = 0
    store_commits: int = 0
    store_failures: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return every total by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
