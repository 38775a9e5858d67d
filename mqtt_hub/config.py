"""What an operator may set: ``config.toml``, with every value checked before anything starts."""

from __future__ import annotations

import ipaddress
import json
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mqtt_hub.bounds import HubLimits
from mqtt_hub.broker.limits import Limits
from mqtt_hub.external.settings import BrokerSettings
from mqtt_hub.external.target import Target
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.protocol.topics import DEFAULT_PREFIX, NAME

__all__ = ["DEFAULT_DASHBOARD_PORT", "DEFAULT_PORT", "Config", "parse"]

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

    def toml(self) -> str:
        """Return these settings as a new home's ``config.toml``: bounds are left to their defaults."""
        values = {name: json.dumps(getattr(self, name)) for name in _SETTINGS}  # as TOML writes them too
        return _TEMPLATE.format(**values, url=json.dumps(self.broker.url))

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


_TABLES = ("broker", "limits", "bounds")
_SETTINGS = {item.name: type(item.default) for item in fields(Config) if item.name not in _TABLES}
_BROKER = {item.name: type(getattr(BrokerSettings(), item.name)) for item in fields(BrokerSettings)}
_LIMITS = {item.name: type(item.default) for item in fields(Limits)}
_HUBS = {item.name: type(item.default) for item in fields(HubLimits)}
_RANGES = (
    *((name, 0, 65535) for name in ("port", "websocket_port", "dashboard_port")),
    *((name, 1, 100) for name in ("quorum", "quorum_new")),
)


def parse(text: bytes, path: Path) -> Config:
    """Return the settings in the text of ``path``; raises `ConfigurationError` naming the first that does not fit."""
    try:
        values = tomllib.loads(text.decode())
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return _checked(values, path)


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
