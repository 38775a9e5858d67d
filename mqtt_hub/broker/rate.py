"""How much an account may publish: a token bucket, spent without a clock and refilled when it is empty.

::

    PUBLISH ──▶ left -= 1 for each begun 4 KiB          left < 1 ──▶ wait_s() ──▶ its connections pause reading

Nothing is dropped and nobody else waits: what is not read stays in the sender's socket, then in its outbox. The hot
path subtracts; only an empty bucket looks at the clock.
"""

from __future__ import annotations

from collections.abc import Container

from mqtt_hub.broker.limits import Limits

__all__ = ["Allowance", "Allowances"]

UNIT_SHIFT = 12  # a message costs one token for every 4 KiB begun
PAUSE_S_MIN = 0.05  # so that a flood costs a few timers a second and not one a message


class Allowance:
    """What one account may publish now."""

    __slots__ = ("_at_s", "_burst", "_per_s", "left")

    def __init__(self, per_s: float, burst: float, now_s: float) -> None:
        self._per_s, self._burst, self._at_s = per_s, burst, now_s
        self.left = burst

    def spend(self, payload_bytes: int) -> None:
        """Take off what a message costs; below zero where the last one costs more."""
        self.left -= 1 + (payload_bytes >> UNIT_SHIFT)

    def wait_s(self, now_s: float) -> float:
        """Return for how many seconds nothing may be read; 0 where there is a whole message left."""
        self.left = min(self._burst, self.left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return 0.0 if self.left >= 1 else max(PAUSE_S_MIN, (1 - self.left) / self._per_s)


class Allowances:
    """The allowances of all accounts: kept beyond a connection, so that coming again gives no new burst."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_account: dict[str, Allowance] = {}

    def of(self, account: str, now_s: float) -> Allowance:
        """Return the one of an account, full where it is new."""
        allowance = self._by_account.get(account)
        if allowance is None:
            limits = self._limits
            allowance = Allowance(limits.publish_messages_per_s_max, limits.publish_burst_messages_max, now_s)
            self._by_account[account] = allowance
        return allowance

    def forget(self, connected: Container[str], now_s: float) -> None:
        """Forget those that are full again, of accounts that are away."""
        for account, allowance in list(self._by_account.items()):
            allowance.wait_s(now_s)
            if account not in connected and allowance.left >= self._limits.publish_burst_messages_max:
                del self._by_account[account]

    def __len__(self) -> int:
        return len(self._by_account)
