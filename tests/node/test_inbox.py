"""What a node hears: the newest, and nobody but its peers and the hub."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from mqtt_hub.protocol.bodies import Status
from mqtt_hub.protocol.codec import Message
from mqtt_hub.protocol.table import BROKER, TABLE, MessageType
from tests.protocol.examples import message
from trainers.node.inbox import Inbox

ME, PEER, CHEAT = "AI_Node_1", "AI_Node_2", "AI_Node_3"
LOG = logging.getLogger(ME)


def heard(inbox: Inbox) -> list[Message]:
    return [inbox.get_nowait() for _ in range(inbox.qsize())]


def test_at_the_bound_the_oldest_goes_and_is_counted() -> None:
    inbox = Inbox(ME, LOG, messages_max=3)
    said = [replace(message(MessageType.PATTERN_SHARE, PEER), seq=seq) for seq in range(1, 6)]
    for one in said[:3]:
        inbox.hear(one)
    assert inbox.unheard == 0
    for one in said[3:]:
        inbox.hear(one)
    assert heard(inbox) == said[2:]
    assert inbox.unheard == 2


@pytest.mark.parametrize("type_", [MessageType.PATTERN_SHARE, MessageType.STATUS])
def test_its_own_words_are_no_news(type_: MessageType) -> None:
    inbox = Inbox(ME, LOG)
    inbox.hear(message(type_, ME))
    assert not heard(inbox)


def test_the_brokers_figures_are_not_for_a_node() -> None:
    inbox = Inbox(ME, LOG)
    inbox.hear(message(MessageType.STATUS, BROKER))
    assert not heard(inbox)


def test_who_is_under_quarantine_is_heard_in_nothing_that_the_hub_would_archive() -> None:
    inbox = Inbox(ME, LOG)
    inbox.shun(Status("ready", 1, "hub", quarantined=(CHEAT,)))
    types = [type_ for type_, row in TABLE.items() if row.sequenced] + [MessageType.STATUS]
    for type_ in types:
        inbox.hear(message(type_, CHEAT))
        inbox.hear(message(type_, PEER))
    assert [(one.type, one.sender) for one in heard(inbox)] == [(type_, PEER) for type_ in types]
