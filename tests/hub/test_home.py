"""The home directory: made once, private, its settings checked, held by one hub at a time."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest

from mqtt_hub.cli.home import create_home
from mqtt_hub.config import Config
from mqtt_hub.home import Home, write_private
from mqtt_hub.protocol.errors import ConfigurationError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_home_is_private_and_holds_the_settings_it_was_made_with(home: Home) -> None:
    config = Config(host="127.0.0.2", port=1234, prefix="try", quorum=2, quorum_new=3)
    create_home(home, config)
    assert home.config() == config
    for directory in (home.path, home.tokens, home.workloads, home.nodes):
        assert mode(directory) == 0o700
    for file in (home.accounts_path, home.tokens / "hub", home.tokens / "observer"):
        assert mode(file) == 0o600
    assert len(home.token("observer")) >= 43
    assert home.archive_path.exists()


def test_a_directory_that_others_could_read_is_made_private(home: Home) -> None:
    home.path.mkdir(mode=0o755)
    home.create(Config())
    assert mode(home.path) == 0o700


def test_a_home_is_made_once(home: Home) -> None:
    create_home(home, Config())
    token = home.token("hub")
    with pytest.raises(ConfigurationError, match="is a hub's home already") as caught:
        create_home(home, Config())
    assert "--home" in caught.value.hint
    assert home.token("hub") == token


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in (Path("/proc/home"), tmp_path / "file" / "home", tmp_path / "file"):
        with pytest.raises(ConfigurationError) as caught:
            Home(place).create(Config())
        assert str(place) in caught.value.facts
        assert "--home" in caught.value.hint


def test_every_setting_is_in_the_file_that_init_writes(home: Home) -> None:
    home.create(Config())
    lines = home.config_path.read_text().splitlines()
    for field in dataclasses.fields(Config):
        table = "[limits]" if field.name == "bounds" else f"[{field.name}]"  # both stand in a table of their own
        assert any(line.startswith((f"{field.name} =", table)) for line in lines), field.name


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("colour = 1", "unknown setting 'colour'"),
        ("port = '1883'", "port must be int, got '1883'"),
        ("port = true", "port must be int, got True"),
        ("port = -1", "port must be 0 to 65535, got -1"),
        ("port = 65536", "port must be 0 to 65535, got 65536"),
        ("quorum = 0", "quorum must be 1 to 100, got 0"),
        ("quorum = 101", "quorum must be 1 to 100, got 101"),
        ("quorum_new = 0", "quorum_new must be 1 to 100, got 0"),
        ("quorum_new = 101", "quorum_new must be 1 to 100, got 101"),
        ("quorum = 1.0", "quorum must be int, got 1.0"),
        ("prefix = 'a/b'", "prefix must be one topic level"),
        ("prefix = ''", "prefix must be one topic level"),
        ("host = 1", "host must be str, got 1"),
        ("host = ", "config.toml: Invalid value"),
        ("[port]", "port must be int, got {}"),
    ],
)
def test_a_setting_that_does_not_fit_is_named_with_its_file(home: Home, text: str, facts: str) -> None:
    home.create(Config())
    home.config_path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        home.config()
    assert facts in caught.value.facts
    assert str(home.config_path) in caught.value.facts


@pytest.mark.parametrize("text", ["", "port = 0", "port = 65535", "quorum = 100"])
def test_settings_at_their_bounds_pass_and_what_is_not_given_has_its_default(home: Home, text: str) -> None:
    home.create(Config())
    home.config_path.write_text(text)
    assert home.config().host == "127.0.0.1"


def test_a_config_that_is_no_text_is_one_clear_error(home: Home) -> None:
    home.create(Config())
    home.config_path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"config\.toml"):
        home.config()


def test_what_is_no_home_says_how_to_make_one(home: Home) -> None:
    with pytest.raises(ConfigurationError, match="is no hub's home") as caught:
        home.config()
    assert f"mqtt-hub init --home {home.path}" in caught.value.hint
    with pytest.raises(ConfigurationError):
        home.running_port()


def test_the_port_is_that_of_the_running_hub_or_the_configured_one(home: Home) -> None:
    home.create(Config(port=1234))
    assert home.running_port() == 1234
    home.port_path.write_text("4321\n")
    assert home.running_port() == 4321


def test_a_home_is_held_by_one_hub_at_a_time(home: Home) -> None:
    home.create(Config())
    with home.locked(), pytest.raises(ConfigurationError, match="a hub is already running") as caught, home.locked():
        pytest.fail("two hubs hold one home")
    assert "stop it first" in caught.value.hint
    with home.locked():
        assert mode(home.path / "hub.lock") == 0o600


def test_a_home_that_is_not_there_cannot_be_held(home: Home) -> None:
    with pytest.raises(ConfigurationError), home.locked():
        pytest.fail("held what is not there")


def test_a_token_is_replaced_in_one_step_and_readable_to_its_owner_alone(home: Home) -> None:
    home.create(Config())
    path = home.keep_token("observer", "one")
    path.chmod(0o644)
    home.keep_token("observer", "two")
    assert (home.token("observer"), mode(path)) == ("two", 0o600)
    assert [file.name for file in home.tokens.iterdir()] == ["observer"]


def test_a_link_that_lies_in_the_way_is_not_followed(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "token"
    target.write_text("untouched")
    path.with_name("token.new").symlink_to(target)
    write_private(path, "secret")
    assert (target.read_text(), path.read_text()) == ("untouched", "secret")


def test_a_token_that_is_not_there_says_how_to_get_one(home: Home) -> None:
    home.create(Config())
    with pytest.raises(ConfigurationError, match="no token for observer") as caught:
        home.token("observer")
    assert "mqtt-hub node rotate observer" in caught.value.hint
