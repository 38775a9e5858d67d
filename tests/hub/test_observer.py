"""What the operator's own client sees, and that it always comes back."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from mqtt_hub.observer import LINE_CHARACTERS_MAX, Observer, seen_line
from mqtt_hub.protocol.errors import AccessDeniedError, BrokerUnavailableError
from mqtt_hub.protocol.table import MessageType
from tests.hub.entries import accepted
from tests.hub.harness import DEADLINE_S, RawClient, RunningHub, hub_on, make_home, until

A = "AI_Node_1"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningHub]:
    with hub_on(make_home(tmp_path / "home", {A: "trainer"})) as hub:
        yield hub


def observer(running: RunningHub, token: str = "") -> Observer:
    return Observer("127.0.0.1", running.port, token or running.home.token("observer"), "kernel")


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if "paho" in thread.name}


def test_the_status_is_what_the_hub_says_of_itself(running: RunningHub) -> None:
    with observer(running) as opened:
        assert opened.hub_status()["port"] == running.port


def test_messages_come_as_they_pass_and_only_of_the_types_asked_for(running: RunningHub) -> None:
    with observer(running) as opened, RawClient(running, A) as a:
        messages = opened.messages({"PATTERN_SHARE", "RECEIPT"})
        heard: queue.Queue[MessageType] = queue.Queue()

        def listen() -> None:
            for message in islice(messages, 2):
                heard.put(message.type)

        listener = threading.Thread(target=listen)
        listener.start()
        until(lambda: running.status()["broker"]["subscriptions"] > 9)
        a.greet()
        a.say(MessageType.PATTERN_SHARE, seq=1)
        assert {heard.get(timeout=DEADLINE_S) for _ in range(2)} == {MessageType.PATTERN_SHARE, MessageType.RECEIPT}
        listener.join(DEADLINE_S)


def test_a_reader_that_stops_reading_can_still_leave(running: RunningHub) -> None:
    with observer(running) as opened:
        opened._queue = queue.Queue(2)
        opened.hub_status()
        opened._client.subscribe("kernel/v1/#")
        with RawClient(running, A) as a:
            a.greet()
            for seq in range(1, 10):
                a.say(MessageType.PATTERN_SHARE, seq=seq)
            a.receipt(9)
            until(opened._queue.full)
    assert threads() == set()


def test_a_refused_token_and_an_absent_hub_are_told_apart_and_leave_nothing_running(running: RunningHub) -> None:
    with pytest.raises(AccessDeniedError, match="refused the observer's token"), observer(running, "wrong"):
        pytest.fail("let in")
    free = Observer("127.0.0.1", 1, "token", "kernel")
    with pytest.raises(BrokerUnavailableError, match="nobody answers"), free:
        pytest.fail("let in")
    assert threads() == set()


def test_a_line_is_short_and_makes_no_terminal_do_anything() -> None:
    entry = accepted(MessageType.LOG, text="\x1b]0;owned\x07\x9b2J\u202e" + "x" * 2000)
    line = seen_line(entry.message)
    assert len(line) == LINE_CHARACTERS_MAX
    assert line.isprintable()
    assert "AI_Node_1" in line
