"""The bounds of the broker in config.toml."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from mqtt_hub.bounds import HubLimits, explained
from mqtt_hub.broker import Limits
from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import ConfigurationError


def home_with(path: Path, lines: str) -> Home:
    home = Home(path / "hub")
    home.create(Config(port=0))
    with home.config_path.open("a") as file:
        file.write(lines)
    return home


def test_a_new_home_has_the_default_bounds(tmp_path: Path) -> None:
    assert home_with(tmp_path, "").config() == Config(port=0)


def test_bounds_are_read_and_a_whole_number_does_for_seconds(tmp_path: Path) -> None:
    config = home_with(tmp_path, "connections_per_address_max = 7\nconnect_timeout_s = 3\n").config()
    assert config.limits == Limits(connections_per_address_max=7, connect_timeout_s=3)


def test_the_hubs_own_bounds_stand_beside_the_brokers(tmp_path: Path) -> None:
    config = home_with(tmp_path, "rejected_messages_max = 7\nconnections_max = 3\n").config()
    assert config.bounds == HubLimits(rejected_messages_max=7)
    assert config.limits == Limits(connections_max=3)


def test_every_bound_of_the_hub_is_explained_and_none_is_of_the_brokers() -> None:
    names = [field.name for field in fields(HubLimits)]
    assert list(explained()) == names
    assert all(explained().values())
    assert not {field.name for field in fields(Limits)} & set(names)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("colour = 1", "unknown setting 'limits.colour'"),
        ("connections_max = 1.5", "limits.connections_max must be int, got 1.5"),
        ("connections_max = true", "limits.connections_max must be int, got True"),
        ("connect_timeout_s = '3'", "limits.connect_timeout_s must be float, got '3'"),
        ("rejected_bytes_max = 0", "limits.rejected_bytes_max is 0, it must be more than 0"),
        ("queue_bytes_max = 0", "limits.queue_bytes_max is 0, it must be more than 0"),
        ("connect_timeout_s = nan", "limits.connect_timeout_s is nan"),
        ("inflight_messages_max = 70000", "limits.inflight_messages_max is 70000, not 1 to 65535"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        home_with(tmp_path, line).config()
    assert complaint in str(caught.value)


def test_limits_that_are_no_table_are_named(tmp_path: Path) -> None:
    home = home_with(tmp_path, "")
    home.config_path.write_text("limits = 3\n")
    with pytest.raises(ConfigurationError, match="limits must be a table"):
        home.config()


@pytest.mark.parametrize("name", ["hub", "broker"])
def test_no_node_may_have_a_name_of_the_hub(tmp_path: Path, name: str) -> None:
    from mqtt_hub.accounts import Accounts

    with pytest.raises(ConfigurationError, match="broker and hub"):
        Accounts(tmp_path / "accounts.db", create=True).add(name, "trainer", "", "2026-01-01T00:00:00.000Z")
