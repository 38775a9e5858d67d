"""The hub's home directory: what is in it, and how it is made.

::

    HOME/                 0700
    ├── config.toml       what the operator may set
    ├── accounts.db       names, roles, hashed tokens (0600)
    ├── archive.db        every message and what follows from it
    ├── broker.db         the broker's persistent sessions and retained messages (0600)
    ├── broker.id         the hub's client id at an external broker (0600)
    ├── tls/              `mqtt-hub cert`: private authority, certificates and keys
    ├── tokens/           hub, observer and operator tokens, for this machine's own tools (0600 each)
    ├── workloads/        workload files by digest: train parts and hidden parts
    ├── nodes/NAME/       homes of the nodes that `mqtt-hub spawn` starts
    ├── starts.jsonl      commands that started nodes here, with their seeds; for `mqtt-hub report`
    ├── report.html       what `mqtt-hub report` wrote
    ├── hub.port          the port of the running hub
    ├── hub.broker        the other broker that it reads from, where it was started with --broker (0600)
    ├── dashboard.url     where the running dashboard answers (0600); what it logs is in dashboard.log
    └── hub.lock          held while a hub runs
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from mqtt_hub.bounds import HubLimits
from mqtt_hub.broker.limits import Limits
from mqtt_hub.external.settings import BrokerSettings
from mqtt_hub.external.target import Target
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.protocol.topics import DEFAULT_PREFIX, NAME

__all__ = ["Config", "Home", "TlsFiles"]

DEFAULT_PORT = 1883
DEFAULT_DASHBOARD_PORT = 8080

_TEMPLATE = """\
# mqtt-hub: every setting with its default. Restart the hub after a change.

host = {host}      # address the embedded broker listens on; anything but loopback is yours to protect
port = {port}             # TCP port of the embedded broker
prefix = {prefix}       # first level of every topic
quorum = {quorum}               # validators that must agree, digest for digest, before a verdict counts
quorum_new = {quorum_new}           # the same where the submitter is not trusted yet; below quorum it counts as quorum

tls = {tls}             # MQTT over TLS on `port`; first: mqtt-hub cert server --host NAME
tls_certificate = {tls_certificate}    # your own certificate (PEM); empty: tls/server.pem in this directory
tls_key = {tls_key}            # its key
tls_ca = {tls_ca}             # what this machine's own tools trust; empty: tls/ca.pem, or the system's for your own
tls_client_ca = {tls_client_ca}      # clients must show a certificate of this authority, e.g. "tls/ca.pem"; empty: none
websocket_port = {websocket_port}      # MQTT over WebSocket (over TLS with tls = true) for browsers; 0: none
unix_socket = {unix_socket}        # MQTT over a Unix socket of this path, for this user's programs; empty: none

dashboard = {dashboard}       # a live view in the browser, beside the hub
dashboard_host = {dashboard_host}  # beyond loopback it asks everybody for a login
dashboard_port = {dashboard_port}   # 0: any free one

[broker]                # another broker instead of the embedded one: docs/external-broker.md tells of every setting
url = {url}                # e.g. "mqtt://hub@broker.example.org:1883", or mqtts:// for TLS; its password: tokens/hub

[limits]                # bounds: docs/broker.md and docs/delivery.md list them all with their defaults
"""


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in ``config.toml``."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    prefix: str = DEFAULT_PREFIX
    quorum: int = 1
    quorum_new: int = 1
    tls: bool = False
    tls_certificate: str = ""
    tls_key: str = ""
    tls_ca: str = ""
    tls_client_ca: str = ""
    websocket_port: int = 0
    unix_socket: str = ""
    dashboard: bool = True
    dashboard_host: str = "127.0.0.1"
    dashboard_port: int = DEFAULT_DASHBOARD_PORT
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    limits: Limits = field(default_factory=Limits)
    bounds: HubLimits = field(default_factory=HubLimits)

    @property
    def external(self) -> Target | None:
        """Where the external broker is; None for the embedded one."""
        return Target.of(self.broker) if self.broker.url else None

    def reading_from(self, url: str) -> Config:
        """Return the same with another broker."""
        return replace(self, broker=replace(self.broker, url=url, hosts=[]))

    @property
    def own_tls(self) -> bool:
        """Whether this machine's own tools speak TLS to the broker."""
        return self.external.tls if self.external else self.tls

    @property
    def own_host(self) -> str:
        """The address at which this machine's own tools reach the broker."""
        if self.external:
            return self.external.addresses[0].host
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return self.host
        if not address.is_unspecified:
            return self.host
        return "127.0.0.1" if address.version == 4 else "::1"


class TlsFiles(NamedTuple):
    """What the broker shows, and the authority whose certificates its clients must show, if any."""

    certificate: Path
    key: Path
    clients_ca: Path | None


class Home:
    """Paths and settings of one hub."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_path = path / "config.toml"
        self.accounts_path = path / "accounts.db"
        self.archive_path = path / "archive.db"
        self.broker_path = path / "broker.db"
        self.tokens = path / "tokens"
        self.tls = path / "tls"
        self.workloads = path / "workloads"
        self.nodes = path / "nodes"
        self.port_path = path / "hub.port"
        self.broker_url_path = path / "hub.broker"
        self.dashboard_path = path / "dashboard.url"

    def create(self, config: Config) -> None:
        """Make the directory; raises `ConfigurationError` when there is one already or none can be made."""
        if self.config_path.exists():
            raise ConfigurationError(f"{self.path} is a hub's home already", hint="choose another with --home")
        try:
            for directory in (self.path, self.tokens, self.workloads, self.nodes):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                directory.chmod(0o700)
            values = {name: json.dumps(getattr(config, name)) for name in _SETTINGS}  # as TOML writes them too
            values["url"] = json.dumps(config.broker.url)
            self.config_path.write_text(_TEMPLATE.format(**values))
        except OSError as error:
            raise ConfigurationError(
                f"{self.path}: {error.strerror}", hint="choose a directory this user may write, with --home"
            ) from error

    def config(self) -> Config:
        """Read the settings; raises `ConfigurationError` naming the first that does not fit."""
        try:
            values = tomllib.loads(self.config_path.read_text())
        except FileNotFoundError:
            raise ConfigurationError(
                f"{self.path} is no hub's home", hint=f"make one: mqtt-hub init --home {self.path}"
            ) from None
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{self.config_path}: {error}") from error
        return _checked(values, self.config_path)

    def running_config(self) -> Config:
        """Return the settings, with the broker that the running hub was told instead (`mqtt-hub serve --broker`)."""
        config = self.config()
        try:
            return config.reading_from(self.broker_url_path.read_text().strip())
        except OSError:
            return config

    def announce(self, config: Config, port: int) -> None:
        """Tell this machine's other tools that a hub runs, where, and with which broker."""
        if config.broker.url == self.config().broker.url:
            self.broker_url_path.unlink(missing_ok=True)  # of a hub that was killed
        else:
            write_private(self.broker_url_path, config.broker.url + "\n")
        write_private(self.port_path, f"{port}\n")  # last: whoever waits for the hub waits for this file

    def withdraw(self) -> None:
        """Tell them that it does not run any more."""
        self.port_path.unlink(missing_ok=True)
        self.broker_url_path.unlink(missing_ok=True)

    def tls_files(self, config: Config) -> TlsFiles | None:
        """Return the files of the TLS listener, or None if there is none."""
        if not config.tls:
            return None
        return TlsFiles(
            self.path / (config.tls_certificate or "tls/server.pem"),
            self.path / (config.tls_key or "tls/server.key"),
            self.path / config.tls_client_ca if config.tls_client_ca else None,
        )

    def trusted_ca(self, config: Config) -> Path | None:
        """Return the authority that this machine's own tools trust; None for the system's."""
        if config.external:
            return self.path / config.broker.ca_file if config.broker.ca_file else None
        if config.tls_ca:
            return self.path / config.tls_ca
        return None if config.tls_certificate else self.tls / "ca.pem"

    def shown_certificate(self, config: Config, name: str) -> Path | None:
        """Return what one of this machine's own clients shows a broker that asks for certificates."""
        return self.tls / f"{name}.pem" if config.own_tls and config.tls_client_ca else None

    def running_port(self) -> int:
        """Return the port of the hub that runs here, or the configured one."""
        try:
            return int(self.port_path.read_text())
        except (OSError, ValueError):
            config = self.config()
            return config.external.addresses[0].port if config.external else config.port

    def token(self, name: str) -> str:
        """Return the token kept here for one of this machine's own accounts (hub, observer)."""
        try:
            return (self.tokens / name).read_text().strip()
        except OSError as error:
            raise ConfigurationError(
                f"no token for {name} in {self.tokens}", hint=f"mqtt-hub node rotate {name} makes a new one"
            ) from error

    def keep_token(self, name: str, token: str) -> Path:
        """Write a token where only this user can read it; returns the file."""
        path = self.tokens / name
        write_private(path, token + "\n")
        return path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home for one running hub; raises `ConfigurationError` when another holds it."""
        try:
            descriptor = os.open(self.path / "hub.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigurationError(f"{self.path}: {error.strerror}", hint="this user must own the home") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConfigurationError(
                    f"a hub is already running on {self.path}", hint="stop it first, or use another --home"
                ) from None
            yield
        finally:
            os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Write a file that is never readable by others, not even for an instant; replaces it in one step."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


_TABLES = ("broker", "limits", "bounds")
_SETTINGS = {item.name: type(item.default) for item in fields(Config) if item.name not in _TABLES}
_BROKER = {item.name: type(getattr(BrokerSettings(), item.name)) for item in fields(BrokerSettings)}
_LIMITS = {item.name: type(item.default) for item in fields(Limits)}
_HUBS = {item.name: type(item.default) for item in fields(HubLimits)}
_RANGES = (
    *((name, 0, 65535) for name in ("port", "websocket_port", "dashboard_port")),
    *((name, 1, 100) for name in ("quorum", "quorum_new")),
)


def _checked(values: dict[str, Any], path: Path) -> Config:
    bounds, broker = (_table(values, name, path) for name in ("limits", "broker"))
    _check_types(values, _SETTINGS, path)
    _check_types(bounds, _LIMITS | _HUBS, path, "limits.")
    _check_types(broker, _BROKER, path, "broker.")
    hubs = {name: bounds.pop(name) for name in _HUBS.keys() & bounds.keys()}
    try:
        limits, own = Limits(**bounds), HubLimits(**hubs)
    except ValueError as error:
        raise ConfigurationError(f"{path}: limits.{error}") from error
    try:
        config = Config(**values, limits=limits, bounds=own, broker=BrokerSettings(**broker))
    except ValueError as error:
        raise ConfigurationError(f"{path}: broker.{error}") from error
    if config.external and config.tls:
        raise ConfigurationError(
            f"{path}: tls is the embedded broker's, broker.url names another", hint="mqtts:// there, tls = false here"
        )
    for name, low, high in _RANGES:
        if not low <= getattr(config, name) <= high:
            raise ConfigurationError(f"{path}: {name} must be {low} to {high}, got {getattr(config, name)}")
    if bool(config.tls_certificate) != bool(config.tls_key):
        raise ConfigurationError(f"{path}: tls_certificate and tls_key belong together, one is empty")
    if NAME.fullmatch(config.prefix) is None:
        raise ConfigurationError(f"{path}: prefix must be one topic level of [A-Za-z0-9_-], got {config.prefix!r}")
    return config


def _table(values: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    table = values.pop(name, {})
    if type(table) is not dict:
        raise ConfigurationError(f"{path}: {name} must be a table, got {table!r}", hint=f"write [{name}] above them")
    return table


def _check_types(values: dict[str, Any], known: dict[str, type], path: Path, table: str = "") -> None:
    """Raise `ConfigurationError` for the first name that is not known or has another type; 5 is a float too."""
    for name, value in values.items():
        if name not in known:
            raise ConfigurationError(f"{path}: unknown setting {table + name!r}", hint=f"known: {', '.join(known)}")
        if type(value) is not known[name] and not (known[name] is float and type(value) is int):
            raise ConfigurationError(f"{path}: {table}{name} must be {known[name].__name__}, got {value!r}")
