"""Who connects, and what the two deciders look like that the broker asks.

::

    CONNECT ── Credentials ──▶ Authenticator ──▶ Account | None      before any session is touched
    PUBLISH, SUBSCRIBE, delivery ── (Account, Action, topic, retain) ──▶ May ──▶ None | reason

Both are passed in, so the broker knows neither tokens nor roles.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

__all__ = ["Account", "Action", "Authenticator", "Credentials", "May"]


class Action(StrEnum):
    """What a client wants to do with a topic (or, to subscribe, with a filter)."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"
    RECEIVE = "receive"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a CONNECT claims; the password is never shown."""

    username: str | None
    password: bytes | None = field(repr=False)
    client_id: str
    remote_address: str


@dataclass(frozen=True, slots=True)
class Account:
    """Who a connection turned out to be. The empty name is the anonymous account of an open broker."""

    name: str
    role: str


Authenticator: TypeAlias = Callable[[Credentials], Awaitable[Account | None]]
May: TypeAlias = Callable[[Account, Action, str, bool], str | None]
