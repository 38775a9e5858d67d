"""Failed logins make their address wait, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mqtt_hub.broker import Account, Credentials, HubBroker, Limits
from mqtt_hub.broker.logins import LoginThrottle, address_group
from mqtt_hub.broker.packets import Connack
from tests.broker.harness import LISTENERS, Client, Running, connected, serving

REFUSED = Connack(session_present=False, code=5)
LATER = Connack(session_present=False, code=3)


def failing(throttle: LoginThrottle, address: str, name: str, times: int, now_s: float = 0.0) -> None:
    for _ in range(times):
        throttle.failed(address, name, now_s)


def test_some_failures_are_free_and_each_further_one_doubles_the_wait_up_to_the_longest() -> None:
    throttle = LoginThrottle(Limits(login_failures_free_max=2, login_backoff_s_max=5.0))
    waits = []
    for _ in range(7):
        throttle.failed("192.0.2.1", "node", 100.0)
        waits.append(throttle.wait_s("192.0.2.1", "node", 100.0))
    assert waits == [0.0, 0.0, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert throttle.wait_s("192.0.2.1", "another", 104.5) == 0.5
    assert throttle.wait_s("192.0.2.1", "node", 105.0) == 0.0


def test_a_clean_address_never_waits_for_a_name_that_others_fail_under() -> None:
    throttle = LoginThrottle(Limits(login_failures_free_max=1))
    for host in range(100):
        throttle.failed(f"192.0.2.{host}", "node", 0.0)
    assert throttle.wait_s("198.51.100.1", "node", 0.0) == 0.0


def test_many_addresses_that_try_one_name_have_one_try_each() -> None:
    throttle = LoginThrottle(Limits(login_failures_free_max=5))
    for host in range(6):
        assert throttle.wait_s(f"192.0.2.{host}", "node", 0.0) == 0.0
        throttle.failed(f"192.0.2.{host}", "node", 0.0)
    assert throttle.wait_s("192.0.2.0", "node", 0.0) == 1.0
    assert throttle.wait_s("192.0.2.0", "another", 0.0) == 0.0


def test_a_success_forgives_its_address_and_its_name() -> None:
    throttle = LoginThrottle(Limits(login_failures_free_max=1))
    failing(throttle, "192.0.2.1", "node", 9)
    throttle.succeeded("192.0.2.1", "node")
    assert throttle.wait_s("192.0.2.1", "node", 0.0) == 0.0
    assert len(throttle) == 0


def test_failures_of_long_ago_are_forgotten() -> None:
    throttle = LoginThrottle(Limits(login_failures_free_max=1, login_memory_s=60.0))
    failing(throttle, "192.0.2.1", "node", 9)
    assert throttle.wait_s("192.0.2.1", "node", 61.0) == 0.0
    failing(throttle, "192.0.2.2", "another", 1, now_s=30.0)
    throttle.forget(61.0)
    assert len(throttle) == 2, "those of the other"
    throttle.forget(91.0)
    assert len(throttle) == 0
    throttle.failed("192.0.2.1", "node", 61.0)
    assert throttle.wait_s("192.0.2.1", "other", 61.0) == 0.0, "the count starts anew"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "192.0.2.1", False),
    ],
)
def test_an_ipv6_network_counts_as_one_address(one: str, other: str, same: bool) -> None:  # noqa: FBT001
    assert (address_group(one) == address_group(other)) is same


@given(st.lists(st.tuples(st.integers(0, 50), st.text(max_size=5), st.floats(0, 1e6)), max_size=100))
@example([(0, "", 0.62)] * 4)  # 2.48 + 3 - 2.48 is a hair more than 3
def test_memory_is_bounded_and_no_wait_is_longer_than_the_longest(logins: list[tuple[int, str, float]]) -> None:
    throttle = LoginThrottle(Limits(login_keys_max=8, login_backoff_s_max=3.0, login_failures_free_max=1))
    now_s = 0.0
    for host, name, later_s in logins:
        now_s += later_s
        throttle.failed(f"192.0.2.{host}", name, now_s)
        assert throttle.wait_s(f"192.0.2.{host}", name, now_s) <= 3.0
        assert len(throttle) <= 2 * 8


@contextmanager
def guarded() -> Iterator[tuple[list[Credentials], Running]]:
    asked: list[Credentials] = []

    async def authenticate(credentials: Credentials) -> Account | None:
        asked.append(credentials)
        return Account("node", "trainer") if credentials.password == b"right" else None

    def make() -> HubBroker:
        limits = Limits(login_failures_free_max=2, login_backoff_s_max=1.0)
        return HubBroker({"listeners": LISTENERS}, authenticate=authenticate, may=lambda *_: None, limits=limits)

    with serving(make) as running:
        yield asked, running


def answer(port: int, password: bytes) -> Connack:
    with Client(port) as client:
        return client.connect("node", username="node", password=password)


def test_after_too_many_failures_an_address_is_told_to_come_later_without_being_verified() -> None:
    with guarded() as (asked, running):
        assert [answer(running.port, b"wrong") for _ in range(5)] == [REFUSED, REFUSED, REFUSED, LATER, LATER]
        assert answer(running.port, b"right") == LATER
        assert len(asked) == 3
        counters = running.counters()
        assert (counters["logins_refused"], counters["logins_delayed"]) == (3, 3)


def test_the_right_token_gets_in_when_the_wait_is_over() -> None:
    with guarded() as (_, running):
        for _ in range(3):
            assert answer(running.port, b"wrong") == REFUSED
        running.until(lambda _: answer(running.port, b"right").code == 0)
        with connected(running.port, "node", username="node", password=b"right") as node:
            assert node.heard() == []
