"""What stands under ``[broker]``: read, or refused with one line that says what does not fit."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from mqtt_hub.broker.limits import explained
from mqtt_hub.external.credentials import login_of, password_of
from mqtt_hub.external.settings import BrokerSettings
from mqtt_hub.external.target import Address, Target
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import ConfigurationError
from tests.hub.processes import made_home


def configured(path: Path, *lines: str) -> Home:
    home = made_home(path)
    home.config_path.write_text("\n".join(["[broker]", *lines]) + "\n")
    return home


def test_every_setting_is_explained() -> None:
    assert list(explained(BrokerSettings)) == [field.name for field in fields(BrokerSettings)]


@pytest.mark.parametrize(
    ("url", "hosts", "target"),
    [
        ("mqtt://b.example", [], Target((Address("b.example", 1883),), tls=False, user="hub")),
        ("mqtts://b.example", [], Target((Address("b.example", 8883),), tls=True, user="hub")),
        ("mqtt://me@b.example:1", ["c.example", "d.example:2"], Target(
            (Address("b.example", 1), Address("c.example", 1883), Address("d.example", 2)), tls=False, user="me")),
        ("mqtt://a%40b@[::1]:1884/", ["[::2]:5"], Target(
            (Address("::1", 1884), Address("::2", 5)), tls=False, user="a@b")),
    ],
)  # fmt: skip
def test_a_url_names_user_host_and_port(url: str, hosts: list[str], target: Target) -> None:
    assert Target.of(BrokerSettings(url=url, hosts=hosts)) == target


@pytest.mark.parametrize(
    "url",
    ["b.example", "http://b.example", "mqtt://", "mqtt://h:port", "mqtt://h:70000", "mqtt://h/topic", "mqtt://[::1"],
)
def test_what_is_no_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigurationError, match="mqtt://hub@"):
        Target.of(BrokerSettings(url=url))


@pytest.mark.parametrize("host", ["", "a/b", "h:port", "u@h"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match="host:port"):
        Target.of(BrokerSettings(url="mqtt://h", hosts=[host]))


def test_a_password_in_the_url_is_refused_and_not_repeated(tmp_path: Path) -> None:
    home = configured(tmp_path, 'url = "mqtt://hub:swordfish@h"')
    with pytest.raises(ConfigurationError, match="password_file") as caught:
        home.config()
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("keep_alive_s = 0", "keep_alive_s is 0"),
        ("keep_alive_s = 65536", "not 1 to 65535"),
        ("inflight_messages_max = 65535", "not 1 to 65534"),
        ("queue_bytes_max = -1", "queue_bytes_max is -1"),
        ('hosts = "h"', "hosts must be list"),
        ("hosts = [1]", "hosts is"),
        ("colour = 1", "unknown setting 'broker.colour'"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        configured(tmp_path, line).config()


def test_settings_at_their_bounds_are_taken(tmp_path: Path) -> None:
    config = configured(tmp_path, "keep_alive_s = 65535", "inflight_messages_max = 65534", "backoff_s_max = 1").config()
    assert (config.broker.keep_alive_s, config.external) == (65535, None)


def test_the_embedded_brokers_tls_beside_another_broker_is_refused(tmp_path: Path) -> None:
    home = configured(tmp_path, 'url = "mqtt://h"')
    home.config_path.write_text("tls = true\n" + home.config_path.read_text())
    with pytest.raises(ConfigurationError, match="mqtts://"):
        home.config()


def test_own_tools_find_the_first_host_of_the_broker(tmp_path: Path) -> None:
    home = configured(tmp_path, 'url = "mqtts://b.example"', 'ca_file = "ca.pem"')
    config = home.config()
    assert (config.own_host, home.running_port(), config.own_tls) == ("b.example", 8883, True)
    assert home.trusted_ca(config) == home.path / "ca.pem"


def test_a_password_that_others_may_read_is_refused(tmp_path: Path) -> None:
    home = configured(tmp_path, 'url = "mqtt://h"', 'password_file = "secret"')
    with pytest.raises(ConfigurationError, match="secret"):
        password_of(home, home.config())
    (home.path / "secret").write_text("swordfish\n")
    (home.path / "secret").chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        password_of(home, home.config())
    (home.path / "secret").chmod(0o600)
    assert password_of(home, home.config()) == b"swordfish"


def test_the_client_id_is_made_once_and_nobody_guesses_it(tmp_path: Path) -> None:
    home, other = made_home(tmp_path / "a"), made_home(tmp_path / "b")
    for each in (home, other):
        each.config_path.write_text('[broker]\nurl = "mqtt://h"\n')
    first, again, others = (login_of(each, each.config()).client_id for each in (home, home, other))
    assert first == again != others
    assert (home.path / "broker.id").stat().st_mode & 0o077 == 0
