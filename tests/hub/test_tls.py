"""TLS and WebSocket with other people's clients, against a real hub; certificates made by `mqtt-hub cert`."""

from __future__ import annotations

import queue
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import paho.mqtt.client as mqtt
import pytest
from click.testing import CliRunner
from paho.mqtt.enums import CallbackAPIVersion

from mqtt_hub.broker import HubBroker
from mqtt_hub.broker.packets import Connect
from mqtt_hub.broker.tls import ServerCertificate
from mqtt_hub.cli import main
from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import BrokerUnavailableError, ConfigurationError
from mqtt_hub.rehearsal import free_port
from tests.broker.harness import DEADLINE_S, OPEN, Client, serving
from tests.hub.processes import Hub, made_home


def mqtt_hub(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def with_settings(home: Home, **settings: str) -> None:
    lines = home.config_path.read_text().splitlines()
    kept = [line for line in lines if line.partition(" =")[0] not in settings]
    home.config_path.write_text("\n".join([f"{name} = {value}" for name, value in settings.items()] + kept))


@pytest.fixture
def secure_home(tmp_path: Path) -> Home:
    home = made_home(tmp_path, nodes=("AI_Node_1",))
    mqtt_hub("cert", "server", "--host", "hub.test", "--home", str(home.path))
    with_settings(home, tls="true", websocket_port=str(free_port()))
    return home


@contextmanager
def paho(
    home: Home, port: int, ca_file: Path | None, transport: Literal["tcp", "websockets"] = "tcp", certificate: str = ""
) -> Iterator[tuple[mqtt.Client, queue.Queue[Any]]]:
    """Yield a client that is in, and what it hears."""
    heard: queue.Queue[Any] = queue.Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "AI_Node_1", protocol=mqtt.MQTTv311, transport=transport)
    client.username_pw_set("AI_Node_1", home.token("AI_Node_1"))
    if ca_file is not None:
        pair = (f"{home.tls / certificate}.pem", f"{home.tls / certificate}.key") if certificate else (None, None)
        client.tls_set(str(ca_file), *pair)
    client.on_connect = lambda *said: heard.put(said[3])
    client.on_subscribe = lambda *said: heard.put(said[3])
    client.on_message = lambda _c, _u, message: heard.put(message)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert not heard.get(timeout=DEADLINE_S).is_failure
        yield client, heard
    finally:
        client.disconnect()
        client.loop_stop()


def says_and_hears(client: mqtt.Client, heard: queue.Queue[Any]) -> None:
    client.subscribe("kernel/v1/log/+/info")
    assert not heard.get(timeout=DEADLINE_S)[0].is_failure
    payload = bytes(range(256)) * 300
    client.publish("kernel/v1/log/AI_Node_1/info", payload, qos=1)
    assert heard.get(timeout=DEADLINE_S).payload == payload


def test_paho_speaks_tls_and_websocket_with_the_private_authority(secure_home: Home) -> None:
    ca_file = secure_home.tls / "ca.pem"
    with Hub(secure_home) as hub:
        with paho(secure_home, hub.port, ca_file) as (client, heard):
            says_and_hears(client, heard)
        with paho(secure_home, secure_home.config().websocket_port, ca_file, "websockets") as (client, heard):
            says_and_hears(client, heard)
        with Client(hub.port) as plain:
            plain.send(Connect("AI_Node_1", True, 0, None, None, None))
            plain.socket.settimeout(DEADLINE_S)
            with suppress(ConnectionError):
                assert not plain.socket.recv(1).startswith(b"\x20"), "nobody speaks plainly here"


def test_without_tls_websocket_is_plain(tmp_path: Path) -> None:
    home = made_home(tmp_path, nodes=("AI_Node_1",))
    with_settings(home, websocket_port=str(free_port()))
    port = home.config().websocket_port
    with Hub(home), paho(home, port, None, "websockets") as (client, heard):
        says_and_hears(client, heard)


def test_the_homes_own_tools_trust_its_authority_and_no_other(secure_home: Home, tmp_path: Path) -> None:
    with Hub(secure_home):
        said = mqtt_hub("status", "--json", "--home", str(secure_home.path))
        assert '"state": "running"' in said
        other = made_home(tmp_path / "other")
        mqtt_hub("cert", "server", "--home", str(other.path))
        with_settings(secure_home, tls_ca=f'"{other.tls / "ca.pem"}"')
        command = [sys.executable, "-m", "mqtt_hub", "status", "--home", str(secure_home.path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == BrokerUnavailableError.exit_code
        assert "certificate verify failed" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="mosquitto's clients are not installed")
def test_mosquitto_pub_is_let_in_with_a_client_certificate_and_not_without(secure_home: Home) -> None:
    mqtt_hub("cert", "client", "AI_Node_1", "--home", str(secure_home.path))
    with_settings(secure_home, tls_client_ca='"tls/ca.pem"')
    certificate = ["--cert", str(secure_home.tls / "AI_Node_1.pem"), "--key", str(secure_home.tls / "AI_Node_1.key")]
    with Hub(secure_home) as hub:
        command = [
            "mosquitto_pub", "-h", "127.0.0.1", "-p", str(hub.port), "--cafile", str(secure_home.tls / "ca.pem"),
            "-i", "AI_Node_1", "-u", "AI_Node_1", "-P", secure_home.token("AI_Node_1"), "-q", "1",
            "-t", "kernel/v1/log/AI_Node_1/info", "-m", "hello",
        ]  # fmt: skip
        assert subprocess.run([*command, *certificate], timeout=DEADLINE_S, check=False).returncode == 0
        done = subprocess.run(command, timeout=DEADLINE_S, check=False, capture_output=True)
        assert done.returncode != 0
        mqtt_hub("cert", "client", "observer", "--home", str(secure_home.path))
        assert '"state": "running"' in mqtt_hub("status", "--json", "--home", str(secure_home.path))


def test_a_tls_hub_without_certificate_says_what_to_do(tmp_path: Path) -> None:
    home = made_home(tmp_path)
    with_settings(home, tls="true")
    command = [sys.executable, "-m", "mqtt_hub", "serve", "--home", str(home.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == ConfigurationError.exit_code
    assert "Traceback" not in done.stderr
    assert "mqtt-hub cert server" in done.stderr


def shown_by(port: int, ca_file: Path) -> bytes:
    """Return the certificate that the server shows to a client that checks it and the name."""
    context = ssl.create_default_context(cafile=ca_file)
    plain = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
    with context.wrap_socket(plain, server_hostname="hub.test") as secured:
        return secured.getpeercert(binary_form=True) or b""


def test_a_new_certificate_is_taken_up_without_a_restart_and_a_broken_one_is_not(
    secure_home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    tls = secure_home.tls
    files = {"certfile": tls / "server.pem", "keyfile": tls / "server.key"}
    listener = {"type": "tcp", "bind": "127.0.0.1:0", "ssl": True, **files}
    with serving(lambda: HubBroker({**OPEN, "listeners": {"default": listener}})) as running:
        first = shown_by(running.port, tls / "ca.pem")
        mqtt_hub("cert", "server", "--host", "hub.test", "--home", str(secure_home.path))
        running.call(running.broker._keep_house)
        second = shown_by(running.port, tls / "ca.pem")
        assert first != second
        mqtt_hub("cert", "client", "stranger", "--home", str(secure_home.path))
        shutil.copy(tls / "stranger.key", tls / "server.key")
        running.call(running.broker._keep_house)
        assert shown_by(running.port, tls / "ca.pem") == second
        assert "the old certificate stays" in caplog.text


def test_keys_are_for_their_owner_alone_and_the_authority_stays(secure_home: Home) -> None:
    authority = (secure_home.tls / "ca.pem").read_bytes()
    mqtt_hub("cert", "server", "--host", "hub.test", "--host", "192.0.2.7", "--home", str(secure_home.path))
    assert (secure_home.tls / "ca.pem").read_bytes() == authority
    assert {path.stat().st_mode & 0o777 for path in secure_home.tls.iterdir()} == {0o600}
    assert secure_home.tls.stat().st_mode & 0o777 == 0o700


def test_a_key_of_another_certificate_is_an_error_that_names_the_files(secure_home: Home) -> None:
    with pytest.raises(ConfigurationError, match=r"server\.pem.*ca\.key"):
        ServerCertificate(secure_home.tls / "server.pem", secure_home.tls / "ca.key")


@pytest.mark.parametrize("name", ["ca", "server", "../up", ""])
def test_a_client_certificate_is_for_a_node_name(secure_home: Home, name: str) -> None:
    done = CliRunner().invoke(main, ["cert", "client", "--home", str(secure_home.path), "--", name])
    assert isinstance(done.exception, ConfigurationError) or done.exit_code == ConfigurationError.exit_code


def test_own_tools_reach_a_hub_that_listens_everywhere_on_loopback() -> None:
    assert [Config(host=host).own_host for host in ("0.0.0.0", "::", "192.0.2.1", "hub.test")] == [  # noqa: S104
        "127.0.0.1", "::1", "192.0.2.1", "hub.test",
    ]  # fmt: skip
