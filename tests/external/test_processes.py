"""Hub, broker and nodes as processes: every start that cannot be is one clear line; whoever is killed, all is archived.

::

    RunningNode ──▶ mosquitto | nats ──▶ Hub (mqtt-hub serve) ──▶ archive.db
         └─ outbox: kept until the hub's receipt        killed -9 in turn
"""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import orjson
import pytest

from mqtt_hub.certificates import Authority
from mqtt_hub.home import Home
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.rehearsal import free_port
from mqtt_hub.spawn import NodePlan
from tests.external.brokers import Broker, use_broker
from tests.hub.harness import RawClient
from tests.node.fleet import ROOT, SPECIALIZATION, Hub, RunningNode, make_home, rows, until
from tests.node.test_node_and_hub import assert_all_is_archived_once, verdicts

TRAINER, VALIDATOR = "AI_Node_1", "Validator_1"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    plans = [NodePlan(TRAINER, "trainer", SPECIALIZATION), NodePlan(VALIDATOR, "validator", SPECIALIZATION)]
    return make_home(tmp_path / "hub", plans)


@pytest.fixture
def mosquitto(home: Home, tmp_path: Path) -> Iterator[Broker]:
    with Broker.of("mosquitto", home, tmp_path / "broker") as running:
        use_broker(home, running.url)
        yield running


def complaint(home: Home, exit_code: int, *options: str) -> str:
    """Run a hub that cannot start; return the one line that it says."""
    done = subprocess.run(
        [sys.executable, "-m", "mqtt_hub", "serve", "--home", str(home.path), *options],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == exit_code, done.stderr
    (line,) = done.stderr.splitlines()
    return line


def test_a_wrong_password_is_one_line(home: Home, mosquitto: Broker) -> None:
    home.keep_token("hub", "wrong")
    line = complaint(home, 3)
    assert f"the broker at 127.0.0.1:{mosquitto.port} refuses hub: unknown user, or wrong password" in line
    assert "tokens/hub" in line


def test_no_listener_is_one_line(home: Home) -> None:
    port = free_port()
    line = complaint(home, 4, "--broker", f"mqtt://127.0.0.1:{port}")
    assert f"the broker at 127.0.0.1:{port} does not answer" in line


def test_a_url_with_a_password_is_one_line_without_it(home: Home) -> None:
    line = complaint(home, 2, "--broker", "mqtt://hub:swordfish@127.0.0.1")
    assert "password_file" in line
    assert "swordfish" not in line


def test_tls_with_the_right_authority_works_and_with_another_is_one_line(home: Home, tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    authority = Authority(tmp_path / "theirs", now=now)
    certificate = authority.issue_server(["localhost", "127.0.0.1"])
    Authority(home.tls, now=now)
    with Broker.of(
        "mosquitto", home, tmp_path / "broker",
        f"certfile {certificate}", f"keyfile {certificate.with_suffix('.key')}",
    ) as broker:  # fmt: skip
        url = broker.url.replace("mqtt://", "mqtts://")
        use_broker(home, url, 'ca_file = "tls/ca.pem"')
        assert "certificate that is not trusted" in complaint(home, 2)
        assert "closed the connection before it let us in" in complaint(home, 4, "--broker", broker.url)
        text = home.config_path.read_text()
        home.config_path.write_text(text.replace("tls/ca.pem", str(authority.certificate_path)))
        with Hub(home) as hub:
            done = subprocess.run(
                [sys.executable, "-m", "mqtt_hub", "status", "--home", str(home.path)],
                cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert "hub running" in done.stdout, done.stderr
            assert hub.terminate() == 0


class Client(RawClient):
    """One account's connection to the broker, whether a hub runs or not."""

    def __init__(self, home: Home, port: int, name: str) -> None:
        token = (home.nodes / name / "token").read_text().strip()
        super().__init__(_Somewhere(home, port), name, token=token)  # type: ignore[arg-type]


class _Somewhere:
    """What a `RawClient` asks of a running hub."""

    def __init__(self, home: Home, port: int) -> None:
        self.home, self.port = home, port


def test_kill_9_of_the_hub_between_messages_loses_none_that_the_broker_took(home: Home, mosquitto: Broker) -> None:
    hub = Hub(home)
    with hub, Client(home, mosquitto.port, TRAINER) as node:
        node.greet()
        upto = 0
        for _ in range(3):
            for seq in range(upto + 1, upto + 201):
                node.say(MessageType.PATTERN_SHARE, seq=seq)
            node.receipt(upto + 1)
            hub.kill()
            upto += 200
            hub.start()
        assert node.receipt(upto).committed.upto == upto, "nobody has sent anything again but the broker"
        counted = rows(home, "SELECT count(*), count(DISTINCT seq), max(seq) FROM messages WHERE seq IS NOT NULL")
        assert counted == [(upto, upto, upto)]
        assert rows(home, "SELECT count(*) FROM patterns") == [(upto,)]
        assert rows(home, "SELECT count(*) FROM rejected") == [(0,)]


@pytest.mark.long
def test_a_fleet_through_mosquitto_is_archived_once_whoever_is_killed(home: Home, mosquitto: Broker) -> None:
    with (
        Hub(home) as hub,
        RunningNode(home, mosquitto.port, VALIDATOR, role="validator") as validator,
        RunningNode(home, mosquitto.port, TRAINER, "--evaluations", "600") as trainer,
    ):
        until(lambda: rows(home, "SELECT count(*) FROM messages WHERE seq IS NOT NULL") > [(2,)])
        hub.kill()
        hub.start()
        mosquitto.kill()
        mosquitto.start()
        assert trainer.exit_code() == 0, trainer.log()
        until(lambda: set(verdicts(home)) & {"accepted", "rejected"} and "pending" not in verdicts(home))
        assert validator.terminate() == 0
        with RunningNode(home, mosquitto.port, TRAINER, "--evaluations", "1") as again:  # brings what it still keeps
            assert again.exit_code() == 0, again.log()
        assert assert_all_is_archived_once(home, TRAINER) > 3
        assert assert_all_is_archived_once(home, VALIDATOR) == sum(verdicts(home).values())
        assert hub.terminate() == 0
    assert rows(home, "SELECT count(*) FROM rejected") == [(0,)]


@pytest.mark.long
def test_a_fleet_works_through_nats(home: Home, tmp_path: Path) -> None:
    with Broker.of("nats", home, tmp_path / "broker") as broker:
        use_broker(home, broker.url)
        with (
            Hub(home) as hub,
            RunningNode(home, broker.port, VALIDATOR, role="validator") as validator,
            RunningNode(home, broker.port, TRAINER, "--evaluations", "300") as trainer,
        ):
            assert trainer.exit_code() == 0, trainer.log()
            until(lambda: set(verdicts(home)) & {"accepted", "rejected"} and "pending" not in verdicts(home))
            assert validator.terminate() == 0
            assert assert_all_is_archived_once(home, TRAINER) > 3
            assert hub.terminate() == 0
    assert rows(home, "SELECT count(*) FROM rejected") == [(0,)]


def test_with_a_broker_from_the_command_line_status_and_dashboard_find_it_too(home: Home, tmp_path: Path) -> None:
    text = home.config_path.read_text().replace("dashboard = false", "dashboard = true")
    home.config_path.write_text(text.replace("dashboard_port = 8080", "dashboard_port = 0"))
    with (
        Broker.of("mosquitto", home, tmp_path / "broker") as broker,
        Hub(home, options=("--broker", broker.url)) as hub,
    ):
        done = subprocess.run(
            [sys.executable, "-m", "mqtt_hub", "status", "--home", str(home.path)],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert f"hub running, up 0 s, port {broker.port}" in re.sub(r"up \d+ s", "up 0 s", done.stdout), done.stderr
        address = until(lambda: home.dashboard_path.exists() and home.dashboard_path.read_text().strip())
        until(lambda: hub_as_seen_by(address) == "running", told=lambda: hub_as_seen_by(address))
        assert hub.terminate() == 0
    assert not home.broker_url_path.exists()


def test_the_broker_of_a_hub_that_was_killed_is_forgotten_at_the_next_start(home: Home) -> None:
    home.broker_url_path.write_text("mqtt://hub@127.0.0.1:1\n")
    assert home.running_config().external is not None
    with Hub(home):
        assert home.running_config() == home.config()


def hub_as_seen_by(address: str) -> object:
    """Return what the dashboard says of the hub."""
    with urlopen(f"{address}/api/status", timeout=30) as answer:  # noqa: S310 — our own address
        return orjson.loads(answer.read())["hub"]["state"]
