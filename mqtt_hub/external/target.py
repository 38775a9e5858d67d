"""Where an external broker is and as whom to log in: ``mqtt://hub@a.example.org:1883`` and further hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from mqtt_hub.external.settings import BrokerSettings
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.protocol.table import HUB

__all__ = ["Address", "Target"]

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_EXAMPLE = 'such as "mqtt://hub@broker.example.org:1883", or mqtts:// for TLS'


class Address(NamedTuple):
    """One host of the broker."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """All that the url says: addresses in the order in which they are tried, TLS or not, the user's name."""

    addresses: tuple[Address, ...]
    tls: bool
    user: str

    @classmethod
    def of(cls, settings: BrokerSettings) -> Target:
        """Read the url and the further hosts; raises `ConfigurationError` saying what does not fit."""
        try:
            url = urlsplit(settings.url)
            port, host, user = url.port, url.hostname, url.username
        except ValueError as error:
            raise ConfigurationError(f"broker url: {error}", hint=_EXAMPLE) from error
        if url.password is not None:  # said without showing it: messages end up in logs
            raise ConfigurationError(
                "broker url: it must not have a password, other users of this machine would see it",
                hint="put it into a file of mode 0600 and name that in [broker] password_file",
            )
        if url.scheme not in _PORTS or not host or url.path.strip("/") or url.query or url.fragment:
            raise ConfigurationError(f"broker url: {settings.url!r} is none", hint=_EXAMPLE)
        default = _PORTS[url.scheme]
        first = Address(host, port if port is not None else default)
        return cls(
            (first, *(_address(text, default) for text in settings.hosts)),
            url.scheme == "mqtts",
            unquote(user) if user else HUB,
        )


def _address(text: str, default_port: int) -> Address:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.path or parts.username is not None:
        raise ConfigurationError(f"broker hosts: {text!r} is no host:port", hint='such as "b.example.org:1883"')
    return Address(host, port if port is not None else default_port)
