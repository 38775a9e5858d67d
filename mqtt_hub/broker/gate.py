"""Who may do what: one synchronous question, its answers cached per connection.

::

    refusal(Question(peer, action, topic, retain)) ──▶ None (allowed) | reason | UndecidedError

A rule (``May``) answers at once. amqtt's topic plugins are coroutines: there the gate raises
`UndecidedError` with the open questions *before anything has happened*; `decided` awaits the plugins outside
the hot path and starts the step again. So a plugin that waits, or raises, delays and refuses, and nothing else: no
message is lost meanwhile (defects L3, L4 and L7 of amqtt 0.12.1).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from mqtt_hub.broker.identity import Account, Action, May

__all__ = ["Gate", "Peer", "PluginGate", "Question", "RuleGate", "UndecidedError", "decided"]

_LOG = logging.getLogger("mqtt_hub.broker")

T = TypeVar("T")
_Key: TypeAlias = tuple[Action, str, bool]
Filtering: TypeAlias = Callable[[Any, str, Action], Awaitable[bool]]  # (amqtt session, topic, action)


class Peer:
    """Who a connection is, and what has been decided about it."""

    __slots__ = ("account", "client_id", "decisions", "key", "may_publish", "profile")

    def __init__(self, account: Account, client_id: str, profile: Any = None) -> None:
        self.account = account
        self.client_id = client_id
        self.key = (account.name, client_id)
        self.profile = profile  # the amqtt Session that plugins see; None where there are no plugins
        self.decisions: dict[_Key, str | None] = {}
        self.may_publish: set[str] = set()  # topics at which nothing at all refuses a message without RETAIN

    def forget_decisions(self) -> None:
        """Let everything be decided anew."""
        self.decisions.clear()
        self.may_publish.clear()

    def __str__(self) -> str:
        return f"{self.account.name or 'anonymous'}/{self.client_id}"


class Question(NamedTuple):
    """Whether this peer may do this there."""

    peer: Peer
    action: Action
    topic: str
    retain: bool = False


class UndecidedError(Exception):
    """Plugins have to be awaited before this can be done."""

    def __init__(self, questions: list[Question]) -> None:
        super().__init__(f"{len(questions)} access decisions are open")
        self.questions = questions


class Gate(Protocol):
    """One decider of access."""

    def refusal(self, question: Question) -> str | None:
        """Return why this is refused, or None; raises UndecidedError while nobody knows."""

    async def settle(self, undecided: UndecidedError, *, first: bool) -> None:
        """Decide the open questions; ``first`` of a step, so that full caches may start anew."""


async def decided(gate: Gate, step: Callable[[], T]) -> T:
    """Run ``step`` again after each round of open questions, until it has all answers; return its result."""
    first = True
    while True:  # ends: each round answers questions, and a step has finitely many
        try:
            return step()
        except UndecidedError as undecided:
            await gate.settle(undecided, first=first)
            first = False


class RuleGate:
    """Asks a pure function, caches its answers."""

    def __init__(self, may: May, decisions_max: int) -> None:
        self._may = may
        self._decisions_max = decisions_max

    def refusal(self, question: Question) -> str | None:
        """Return why this is refused, or None."""
        peer, action, topic, retain = question
        if action is Action.RECEIVE:  # cached with the route
            return self._may(peer.account, action, topic, retain)
        key = (action, topic, retain)
        decisions = peer.decisions
        if key in decisions:
            return decisions[key]
        if len(decisions) >= self._decisions_max:
            decisions.clear()
        reason = decisions[key] = self._may(peer.account, action, topic, retain)
        return reason

    async def settle(self, undecided: UndecidedError, *, first: bool) -> None:
        """Never called: a rule always decides at once."""
        raise AssertionError(first) from undecided


class PluginGate:
    """Asks amqtt's topic plugins; without any, everything is allowed."""

    def __init__(self, filtering: Filtering | None, decisions_max: int) -> None:
        self._filtering = filtering
        self._decisions_max = decisions_max

    def refusal(self, question: Question) -> str | None:
        """Return why this is refused, or None; raises UndecidedError if the plugins were not asked yet."""
        if self._filtering is None:
            return None
        try:
            return question.peer.decisions[question[1:]]
        except KeyError:
            raise UndecidedError([question]) from None

    async def settle(self, undecided: UndecidedError, *, first: bool) -> None:
        """Ask the plugins; one that raises refuses."""
        if self._filtering is None:
            return
        for peer, action, topic, retain in undecided.questions:
            if first and len(peer.decisions) >= self._decisions_max:
                peer.decisions.clear()
            try:
                allowed = await self._filtering(peer.profile, topic, action)
            except Exception:  # noqa: BLE001 — somebody else's code must not harm the connection
                _LOG.exception("a topic plugin failed on %s of %r by %s: refused", action, topic, peer)
                allowed = False
            reason = None if allowed else f"a topic plugin refuses to {action} this topic"
            peer.decisions[(action, topic, retain)] = reason
