"""What survives the process: a second broker on the state file of a first one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mqtt_hub.broker import Account, Action, Credentials, Delivery, HubBroker, Limits, StateFile
from mqtt_hub.broker.packets import Connack, Puback, Pubcomp, Publish, Pubrec, Pubrel, Will
from mqtt_hub.broker.state_file import TABLES
from mqtt_hub.protocol.errors import ArchiveError, ConfigurationError
from tests.broker.harness import DEADLINE_S, LISTENERS, Client, Running, SilenceError, connected, serving


@dataclass
class House:
    """What is around the brokers of one state file, one after the other."""

    path: Path
    roles: dict[str, str] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)

    async def authenticate(self, credentials: Credentials) -> Account:
        return Account(credentials.username or "anybody", self.roles.get(credentials.username or "", "node"))

    def may(self, account: Account, action: Action, topic: str, retain: bool) -> str | None:  # noqa: FBT001
        del retain
        return "hidden" if topic == "hidden" and action is Action.RECEIVE and account.role != "judge" else None

    @contextmanager
    def broker(self, *, consume: bool = False, **bounds: float) -> Iterator[Running]:
        def make() -> HubBroker:
            return HubBroker(
                {"listeners": LISTENERS},
                authenticate=self.authenticate,
                may=self.may,
                consumer=self.deliveries.append if consume else None,
                limits=Limits(**bounds),  # type: ignore[arg-type]
                state=StateFile(self.path),
                role_of=lambda name: self.roles.get(name, "node"),
            )

        with serving(make) as running:
            yield running

    def rows(self) -> dict[str, int]:
        """Return how many rows each table has on disk now."""
        with sqlite3.connect(self.path) as db:
            counts = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}  # noqa: S608
        db.close()
        return counts

    def until_rows(self, **wanted: int) -> None:
        end = time.monotonic() + DEADLINE_S
        while not wanted.items() <= (found := self.rows()).items():
            assert time.monotonic() < end, found


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "broker.db")


def back(running: Running, client_id: str) -> Client:
    """Return a client whose session was there before."""
    client = Client(running.port)
    assert client.connect(client_id, clean=False) == Connack(session_present=True, code=0)
    return client


def away(running: Running, client_id: str, *filters: tuple[str, int]) -> None:
    with connected(running.port, client_id, clean=False) as client:
        client.subscribe(*filters)


def fill(running: Running, count: int, *, topic: str = "a", qos: int = 1) -> None:
    with connected(running.port, "writer") as writer:
        for number in range(count):
            writer.publish(topic, b"%d" % number, qos=qos)
        writer.heard()


def payloads(client: Client) -> list[bytes]:
    return [message.payload for message in client.messages()]


def test_subscriptions_and_queued_messages_survive(house: House) -> None:
    with house.broker() as running:
        away(running, "one", ("a", 1), ("b/+", 2))
        fill(running, 3)
    with house.broker() as running, back(running, "one") as one:
        assert payloads(one) == [b"0", b"1", b"2"]
        fill(running, 1, topic="b/c")
        assert one.expect(Publish).topic == "b/c"


def test_what_was_given_up_and_clean_sessions_do_not_come_back(house: House) -> None:
    with house.broker() as running:
        away(running, "one", ("a", 1), ("b", 1))
        with back(running, "one") as one:
            one.send(b"\xa2\x05\x00\x09\x00\x01b")  # UNSUBSCRIBE b
            one.heard()
        away(running, "two", ("a", 1))
        with connected(running.port, "two", clean=True) as two:
            two.subscribe(("a", 1))
            assert two.heard() == []
    assert house.rows() == {**dict.fromkeys(TABLES, 0), "sessions": 1, "subscriptions": 1}
    with house.broker() as running, back(running, "one") as one, Client(running.port) as two:
        assert two.connect("two", clean=False) == Connack(session_present=False, code=0)
        fill(running, 1, topic="b")
        assert one.heard() == []


def test_in_flight_messages_come_again_with_dup_and_their_packet_ids_in_order(house: House) -> None:
    with house.broker(inflight_messages_max=3) as running, connected(running.port, "one", clean=False) as one:
        one.subscribe(("a", 1))
        fill(running, 5)
        first = one.messages()
        one.send(Puback(first[1].packet_id))
        assert [m.payload for m in one.messages()] == [b"3"]
    with house.broker(inflight_messages_max=3) as running, back(running, "one") as one:
        again = one.messages()
        assert [(m.payload, m.dup) for m in again] == [(b"0", True), (b"2", True), (b"3", True)]
        assert [m.packet_id for m in again[:2]] == [first[0].packet_id, first[2].packet_id]
        one.send(*[Puback(m.packet_id) for m in again])
        rest = one.messages()
        assert [(m.payload, m.dup) for m in rest] == [(b"4", False)]
        one.send(Puback(rest[0].packet_id))
        one.heard()
        house.until_rows(outgoing=0, messages=0)


def test_a_qos_2_delivery_goes_on_where_it_was(house: House) -> None:
    with house.broker() as running, connected(running.port, "one", clean=False) as one:
        one.subscribe(("a", 2))
        fill(running, 2, qos=2)
        seen, released = one.expect(Publish), one.expect(Publish)
        one.send(Pubrec(released.packet_id))
        assert one.expect(Pubrel).packet_id == released.packet_id
    with house.broker() as running, back(running, "one") as one:
        assert one.heard() == [seen._replace(dup=True), Pubrel(released.packet_id)]
        one.send(Pubrec(seen.packet_id), Pubcomp(released.packet_id))
        assert one.expect(Pubrel).packet_id == seen.packet_id
        one.send(Pubcomp(seen.packet_id))
        one.heard()
        house.until_rows(outgoing=0, messages=0)


def test_a_qos_2_message_repeated_after_a_restart_is_consumed_again_and_routed_once(house: House) -> None:
    packet = Publish("a", b"once", 2, packet_id=7)
    with house.broker(consume=True) as running:
        away(running, "reader", ("a", 1))
        with connected(running.port, "writer", clean=False) as writer:
            writer.send(packet)
            house.until_rows(received=1, outgoing=1)
            assert writer.heard() == [], "the consumer has not acknowledged"
    with house.broker(consume=True) as running, back(running, "writer") as writer:
        writer.send(packet._replace(dup=True))
        running.until(lambda _: len(house.deliveries) == 2)
        running.call(house.deliveries[1].acknowledge)
        assert writer.expect(Pubrec).packet_id == 7
        writer.send(Pubrel(7))
        assert writer.expect(Pubcomp).packet_id == 7
        house.until_rows(received=0)
        with back(running, "reader") as reader:
            assert payloads(reader) == [b"once"]


def test_retained_messages_survive_and_cleared_ones_do_not(house: House) -> None:
    with house.broker() as running, connected(running.port, "writer") as writer:
        for topic, payload in (("a", b"1"), ("b", b"2"), ("a", b"3"), ("b", b"")):
            writer.publish(topic, payload, retain=True)
    with house.broker() as running, connected(running.port, "reader") as reader:
        reader.subscribe(("#", 1))
        assert [(m.topic, m.payload, m.qos, m.retain) for m in reader.messages()] == [("a", b"3", 1, True)]


def test_the_wills_of_connections_that_a_stop_ended_fire_at_the_next_start(house: House) -> None:
    with house.broker(consume=True) as running:
        lost = Will("status/one", b"lost", 1, retain=True)
        one = connected(running.port, "one", will=lost)
        with connected(running.port, "two", will=lost._replace(topic="status/two")) as two:
            two.send(b"\xe0\x00")  # DISCONNECT: no will
            assert two.is_closed()
    one.drop()
    with house.broker(consume=True) as running, connected(running.port, "reader") as reader:
        reader.subscribe(("#", 1))
        assert [m.topic for m in reader.messages()] == ["status/one"]
        assert [delivery.topic for delivery in house.deliveries] == ["status/one"]
        house.until_rows(wills=0)


def test_sessions_of_accounts_that_are_gone_or_have_another_role_are_dropped(house: House) -> None:
    with house.broker() as running:
        for name in ("stays", "judge"):
            with connected(running.port, name, clean=False, username=name) as client:
                client.subscribe(("a", 1))
        fill(running, 1)
    house.roles["judge"] = "judge"
    with house.broker() as running:
        counters = running.counters()
        assert (counters["sessions"], counters["queued_messages"], counters["subscriptions"]) == (1, 1, 1)
    assert house.rows() == {**dict.fromkeys(TABLES, 0), "sessions": 1, "subscriptions": 1, "outgoing": 1, "messages": 1}


def test_the_bounds_hold_for_what_is_restored(house: House) -> None:
    with house.broker() as running:
        for name in ("one", "two", "three"):
            away(running, name, ("a", 1), ("b", 1), ("c", 1))
        fill(running, 5)
        with connected(running.port, "writer") as writer:
            for topic in ("r1", "r2", "r3"):
                writer.publish(topic, b"x", retain=True)
    bounds = {
        "sessions_max": 2,
        "queue_messages_max": 2,
        "subscriptions_per_session_max": 1,
        "retained_messages_max": 1,
    }
    with house.broker(consume=False, **bounds) as running:
        counters = running.counters()
        assert (counters["sessions"], counters["queued_messages"]) == (2, 4)
        assert (counters["subscriptions"], counters["retained_messages"]) == (2, 1)
        assert counters["dropped_queue_full"] == 6
    assert house.rows() == {
        "sessions": 2, "subscriptions": 2, "outgoing": 4, "messages": 2, "retained": 1, "wills": 0, "received": 0,
    }  # fmt: skip


def test_a_session_that_was_away_for_too_long_expires_after_a_restart_too(house: House) -> None:
    with house.broker() as running:
        away(running, "one", ("a", 1))
    with sqlite3.connect(house.path) as db:
        db.execute("UPDATE sessions SET left_at = left_at - 100")
    db.close()
    with house.broker(session_expiry_s=90.0) as running:
        running.call(running.broker._keep_house)
        assert running.counters()["sessions"] == 0
    assert set(house.rows().values()) == {0}


def test_what_its_reader_takes_over_at_once_and_clean_sessions_cost_no_row(house: House) -> None:
    with house.broker() as running, connected(running.port, "one") as one:
        one.subscribe(("a", 2))
        fill(running, 20)
        one.heard()
        assert running.counters()["store_commits"] == 0


def test_a_full_disk_holds_acknowledgements_back_and_nothing_else(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with house.broker(unacknowledged_messages_max=3) as running:
        away(running, "one", ("a", 1))
        database = running.broker._store._file._db
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        with connected(running.port, "writer") as writer, connected(running.port, "other") as other:
            database.execute(f"PRAGMA max_page_count = {pages}")
            writer.send(*[Publish("a", bytes(9_000), 1, packet_id=number) for number in range(1, 9)])
            running.until(lambda counters: counters["store_failures"] >= 2)
            counters = running.counters()
            assert counters["store_failing"] == 1
            assert counters["unacknowledged_messages"] == 3, "the publisher is held back at the bound"
            with pytest.raises(SilenceError):
                writer.receive(within_s=0.05)
            other.subscribe(("b", 1))
            other.publish("b", b"x")
            assert payloads(other) == [b"x"], "what need not survive goes on"
            database.execute("PRAGMA max_page_count = 1000000")
            assert [writer.expect(Puback).packet_id for _ in range(8)] == list(range(1, 9))
            assert running.counters()["store_failing"] == 0
    assert "not acknowledged" in caplog.text
    house.until_rows(outgoing=8)


def test_qos_2_goes_out_and_is_released_only_when_that_is_on_disk(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with house.broker() as running, connected(running.port, "one", clean=False) as one:
        one.subscribe(("a", 2), ("b", 1))
        fill(running, 1, qos=2)
        first = one.expect(Publish)
        database = running.broker._store._file._db
        database.execute(f"PRAGMA max_page_count = {database.execute('PRAGMA page_count').fetchone()[0]}")
        with connected(running.port, "writer") as writer:
            writer.send(Publish("a", bytes(20_000), 2, packet_id=1), Publish("b", b"QoS 1", 1, packet_id=2))
            assert one.expect(Publish).payload == b"QoS 1"
            running.until(lambda counters: counters["store_failures"] >= 1)
            one.send(Pubrec(first.packet_id))
            assert one.heard() == []
            with back(running, "one") as again:  # no sooner on another connection
                assert {message.payload for message in again.messages()} == {first.payload, b"QoS 1"}
                database.execute("PRAGMA max_page_count = 1000000")
                assert again.expect(Publish).payload == bytes(20_000)
                assert again.expect(Pubrel).packet_id == first.packet_id
    assert "not acknowledged" in caplog.text


def test_a_broker_that_stops_while_the_disk_refuses_stops_in_bounded_time(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with house.broker(shutdown_timeout_s=0.2) as running:
        database = running.broker._store._file._db
        database.execute(f"PRAGMA max_page_count = {database.execute('PRAGMA page_count').fetchone()[0]}")
        with connected(running.port, "writer") as writer:
            writer.send(Publish("a", bytes(20_000), 1, retain=True, packet_id=1))
            running.until(lambda counters: counters["store_failures"] >= 1)
    assert "could not be written" in caplog.text


def test_the_file_is_for_its_owner_alone(house: House) -> None:
    with house.broker():
        assert {path.stat().st_mode & 0o777 for path in house.path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("damage", ["no database", "a page", "newer", "directory"])
def test_a_file_that_cannot_be_read_is_an_error_with_a_hint(house: House, damage: str) -> None:
    if damage == "directory":
        house.path.mkdir()
    elif damage == "no database":
        house.path.write_bytes(b"not SQLite" * 1000)
    else:
        with house.broker() as running:
            away(running, "one", *[(f"{number:0>200}", 1) for number in range(100)])
        if damage == "newer":
            with sqlite3.connect(house.path) as db:
                db.execute("PRAGMA user_version = 99")
            db.close()
        else:
            content = bytearray(house.path.read_bytes())
            content[4096 * 2 : -4096] = b"\xff" * len(content[4096 * 2 : -4096])
            house.path.write_bytes(content)
    with pytest.raises(ArchiveError) as caught:
        StateFile(house.path)
    assert str(house.path) in caught.value.facts
    assert caught.value.hint or damage == "directory"


def test_a_broker_whose_rules_are_plugins_takes_no_state_file(house: House) -> None:
    file = StateFile(house.path)
    with (
        pytest.raises(ConfigurationError, match="needs a rule"),
        serving(lambda: HubBroker({"listeners": LISTENERS}, state=file)),
    ):
        pass
    file.close()
