"""Who sent a message that came through an external broker.

::

    topic ──▶ sender level ──▶ account known here? ──▶ may it publish there? ──▶ Origin(peer, refused)
                 └─ hub, broker: our own words, come back

The broker has checked the password and, by its access rules, that a client publishes only where the sender level
is its own name (`mqtt-hub rules` writes such rules). So the level *is* the authenticated sender. The access rule is
asked again all the same: an account that is unknown here, or revoked a moment ago, is refused whatever the broker
lets through, and so is a type that is not for its role. What no account can be named for is kept under ``broker``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mqtt_hub.accounts import AccountBook
from mqtt_hub.broker.access import may
from mqtt_hub.broker.gate import Peer
from mqtt_hub.broker.identity import Account
from mqtt_hub.protocol.table import BROKER, HUB, RESERVED

__all__ = ["OURSELVES", "Origin", "Senders"]

TOPICS_REMEMBERED_MAX = 8_192  # beyond it all are asked for anew
_SENDER_LEVEL = 3  # prefix/v1/type/SENDER

OURSELVES = Peer(Account(HUB, "hub"), HUB)
_NOBODY = Peer(Account(BROKER, "broker"), BROKER)


class Origin(NamedTuple):
    """Who sent it, and why it is refused, if it is."""

    peer: Peer
    refused: str | None


class Senders:
    """Answers by topic, remembers what is allowed until `forget`."""

    def __init__(self, accounts: AccountBook, prefix: str) -> None:
        self._accounts, self._prefix = accounts, prefix
        self._allowed: dict[str, Origin] = {}
        self._quarantined: dict[str, str] = {}

    def of(self, topic: str) -> Origin:
        """Return the origin of a message on this topic."""
        known = self._allowed.get(topic)
        if known is not None:
            return known
        origin = self._ask(topic)
        if origin.refused is None:
            if len(self._allowed) >= TOPICS_REMEMBERED_MAX:
                self._allowed.clear()
            self._allowed[topic] = origin
        return origin

    def forget(self) -> None:
        """Ask anew: accounts have changed."""
        self._allowed.clear()

    def quarantine(self, names: Mapping[str, str]) -> None:
        """Refuse what these accounts share, for these reasons; an empty reason ends it."""
        self._quarantined.update(names)
        self.forget()

    def _ask(self, topic: str) -> Origin:
        levels = topic.split("/")
        name = levels[_SENDER_LEVEL] if len(levels) > _SENDER_LEVEL else ""
        if name in RESERVED:
            return Origin(OURSELVES, None)
        record = self._accounts.get(name)
        if record is None:
            return Origin(_NOBODY, f"{name[:64]!r} is no account here, or it is revoked")
        quarantined = self._quarantined.get(name, "")
        refused = may(record.role, name, "publish", topic, prefix=self._prefix, quarantined=quarantined)
        return Origin(Peer(Account(name, record.role), name), refused)
