"""TLS of this machine's own tools: they trust what the home says."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path

import paho.mqtt.client as mqtt

from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["use_tls"]


def use_tls(client: mqtt.Client, host: str, ca_file: Path | None) -> None:
    """Make a client speak TLS and trust ``ca_file`` (None: the system's authorities); raises `ConfigurationError`.

    On loopback the certificate must be of that authority, but may be for the name that others use.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"{ca_file}: {error}", hint="mqtt-hub cert server makes it") from error
    context.check_hostname = not _is_loopback(host)
    client.tls_set_context(context)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
