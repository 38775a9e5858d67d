"""What a running hub tells of its broker."""

from __future__ import annotations

import time
from dataclasses import fields
from pathlib import Path

from click.testing import CliRunner

from mqtt_hub.bounds import HubLimits
from mqtt_hub.broker import Limits
from mqtt_hub.broker.counters import Counters
from mqtt_hub.cli import main
from mqtt_hub.protocol.errors import BrokerUnavailableError
from tests.broker.harness import DEADLINE_S, Client
from tests.hub.processes import Hub, made_home, status_of


def test_limits_and_counters_are_retained_under_status_broker_and_in_the_hubs_status(tmp_path: Path) -> None:
    home = made_home(tmp_path, "login_failures_free_max = 2\n")
    with Hub(home) as hub:
        codes: list[int] = []
        while 3 not in codes:
            with Client(hub.port) as client:
                codes.append(client.connect("AI_Node_1", username="AI_Node_1", password=b"wrong").code)
        assert codes[:3] == [5, 5, 5]
        refused = codes.count(5)
        end = time.monotonic() + DEADLINE_S
        while True:  # this address must wait
            with Client(hub.port) as client:
                if not client.connect("o", username="observer", password=home.token("observer").encode()).code:
                    break
            assert time.monotonic() < end
        while (told := status_of(hub, "broker"))["counters"]["logins_refused"] < refused:
            assert time.monotonic() < end, told
        assert told["counters"]["logins_delayed"] >= 1
        assert {field.name for field in fields(Counters)} <= set(told["counters"])
        assert set(told["limits"]) == {field.name for limits in (Limits, HubLimits) for field in fields(limits)}
        assert told["limits"]["login_failures_free_max"] == 2
        assert status_of(hub, "hub")["broker"]["logins_refused"] == refused
        assert hub.terminate() == 0


def test_a_broker_without_room_is_not_taken_for_a_wrong_token(tmp_path: Path) -> None:
    home = made_home(tmp_path, "connections_per_account_max = 1\n")
    with Hub(home) as hub, hub.client("observer"):
        said = CliRunner().invoke(main, ["status", "--home", str(home.path)])
        assert said.exit_code == BrokerUnavailableError.exit_code, said.output
        assert "no room" in said.output
