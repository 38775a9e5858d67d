"""The same with the client that everybody has: mosquitto_sub sees, mosquitto_pub cannot pretend."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mqtt_hub.protocol.codec import encode
from mqtt_hub.protocol.table import MessageType
from tests.hub.harness import DEADLINE_S, RawClient, RunningHub, hub_on, make_home, until
from tests.protocol.examples import KIND, message
from tests.real_parts import need

A, B = "AI_Node_1", "AI_Node_2"
TOPIC_OF_B = f"kernel/v1/pattern_share/{B}/{KIND}"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningHub]:
    with hub_on(make_home(tmp_path / "home", {A: "trainer", B: "trainer"})) as hub:
        yield hub


def arguments(running: RunningHub, name: str, token: str | None = None) -> list[str]:
    """Return who and where; the token is seen by whoever lists processes, so only tests and demos pass it so."""
    return ["-p", str(running.port), "-i", name, "-u", name, "-P", token or running.home.token(name)]


@contextmanager
def listening(running: RunningHub, name: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [need("mosquitto_sub"), *arguments(running, name), *options], stdout=subprocess.PIPE, text=True
    )
    try:
        running.until(lambda status: status["broker"]["subscriptions"] > 0)
        yield process
    finally:
        process.kill()
        process.communicate()


def pub(running: RunningHub, name: str, topic: str, payload: bytes, token: str | None = None) -> int:
    return subprocess.run(
        [need("mosquitto_pub"), *arguments(running, name, token), "-q", "1", "-t", topic, "-s"],
        input=payload, timeout=DEADLINE_S, capture_output=True, check=False,
    ).returncode  # fmt: skip


def rejected(running: RunningHub) -> list[tuple[str, str, str, bytes]]:
    return running.rows(
        "SELECT n.name, r.topic, r.reason, r.payload FROM rejected r JOIN nodes n ON n.id = r.node ORDER BY r.id"
    )


def test_an_observer_sees_the_traffic_in_readable_form(running: RunningHub) -> None:
    with listening(running, "observer", "-t", "kernel/v1/#", "-v", "-W", "20") as sub, RawClient(running, A) as a:
        a.greet()
        a.say(MessageType.PATTERN_SHARE, seq=1)
        assert sub.stdout is not None
        seen: dict[str, str] = {}
        for line in sub.stdout:
            topic, _, payload = line.partition(" ")
            seen[topic] = payload
            if f"kernel/v1/receipt/hub/{A}" in seen:
                break
    assert {f"kernel/v1/hello/{A}", f"kernel/v1/training_sync/hub/{A}", "kernel/v1/status/hub"} <= set(seen)
    assert '"expression":"mark + 1"' in seen[f"kernel/v1/pattern_share/{A}/{KIND}"]


def test_a_trainers_credentials_cannot_publish_in_anothers_name(running: RunningHub) -> None:
    payload = encode(message(MessageType.PATTERN_SHARE, B, session=1, seq=1))
    with listening(running, "observer", "-t", "kernel/v1/pattern_share/#", "-C", "1") as sub:
        assert pub(running, A, TOPIC_OF_B, payload) == 0  # acknowledged, because archived: see what as
        assert rejected(running) == [(A, TOPIC_OF_B, f"access: {A} may not publish as {B}", payload)]
        with RawClient(running, B) as b:
            b.greet()
            b.say(MessageType.PATTERN_SHARE, seq=1, expression="genuine")
            b.receipt(1)
            seen, _ = sub.communicate(timeout=DEADLINE_S)
    assert "genuine" in seen
    assert running.rows("SELECT count(*) FROM patterns") == [(1,)]


def test_a_wrong_password_is_refused(running: RunningHub) -> None:
    assert pub(running, A, f"kernel/v1/hello/{A}", b"x", token="wrong") == 5  # CONNACK: not authorised
    assert pub(running, "nobody", "kernel/v1/hello/nobody", b"x", token="wrong") == 5
    assert rejected(running) == []


def test_nobody_gets_in_without_a_name(running: RunningHub) -> None:
    done = subprocess.run(
        [need("mosquitto_pub"), "-p", str(running.port), "-t", "kernel/v1/hello/x", "-m", "x"],
        timeout=DEADLINE_S, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 5


def test_what_any_client_sends_is_archived_as_what_it_is(running: RunningHub) -> None:
    assert pub(running, A, f"kernel/v1/log/{A}/info", b"\x00\xff\r\n not json") == 0
    ((name, topic, reason, payload),) = rejected(running)
    assert (name, topic, payload) == (A, f"kernel/v1/log/{A}/info", b"\x00\xff\r\n not json")
    assert reason.startswith("envelope: no JSON")


def test_an_observer_cannot_look_beyond_what_it_may_read(running: RunningHub) -> None:
    for filter_ in ("#", "kernel/#", "$SYS/#", "kernel/v1/workload_hidden/#"):
        done = subprocess.run(
            [need("mosquitto_sub"), *arguments(running, "observer"), "-t", filter_, "-W", "20"],
            timeout=DEADLINE_S + 5, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "denied" in done.stderr.lower() or "refused" in done.stderr.lower() or done.returncode != 0, done
        assert done.stdout == ""
    until(lambda: running.status()["broker"]["connections"] == 0)
