"""What a running hub tells of its broker."""

from __future__ import annotations

import time
from dataclasses import fields
from pathlib import Path

from click.testing import CliRunner

from mqtt_hub.broker import Limits
from mqtt_hub.broker.counters import Counters
from mqtt_hub.cli import main
from mqtt_hub.protocol.errors import BrokerUnavailableError
from tests.broker.harness import DEADLINE_S, Client
from tests.hub.processes import HubProcess, made_home, status_of


def test_limits_and_counters_are_retained_under_status_broker_and_in_the_hubs_status(tmp_path: Path) -> None:
    home = made_home(tmp_path, "login_failures_free_max = 2\n")
    with HubProcess.serving(home) as hub:
        codes = []
        for _ in range(4):
            with Client(hub.port) as client:
                codes.append(client.connect("AI_Node_1", username="AI_Node_1", password=b"wrong").code)
        assert codes == [5, 5, 5, 3]
        waits = CliRunner().invoke(main, ["status", "--home", str(home.path)])
        assert (
            isinstance(waits.exception, BrokerUnavailableError) or waits.exit_code == BrokerUnavailableError.exit_code
        )
        end = time.monotonic() + DEADLINE_S
        while True:  # this address must wait
            with Client(hub.port) as client:
                if not client.connect("o", username="observer", password=home.token("observer").encode()).code:
                    break
            assert time.monotonic() < end
        while (told := status_of(hub, "broker"))["counters"]["logins_refused"] < 3:
            assert time.monotonic() < end, told
        assert told["counters"]["logins_delayed"] >= 1
        assert {field.name for field in fields(Counters)} <= set(told["counters"])
        assert set(told["limits"]) == {field.name for field in fields(Limits)}
        assert told["limits"]["login_failures_free_max"] == 2
        assert status_of(hub, "hub")["broker"]["logins_refused"] == 3
        assert hub.stop() == 0
