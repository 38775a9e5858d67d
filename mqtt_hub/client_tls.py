"""TLS of this machine's own tools: they trust what the home says."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import paho.mqtt.client as mqtt

from mqtt_hub.protocol.tls import Tls

__all__ = ["use_tls"]


def use_tls(client: mqtt.Client, host: str, ca_file: Path | None, certificate: Path | None = None) -> None:
    """Make a client speak TLS and trust ``ca_file`` (None: the system's authorities); raises `ConfigurationError`.

    ``certificate`` is what it shows a broker that asks for one, its key lies beside it.

    On loopback the certificate must be of that authority, but may be for the name that others use.
    """
    key = certificate.with_suffix(".key") if certificate else None
    context = Tls(ca_file, certificate, key).context()
    context.check_hostname = not _is_loopback(host)
    client.tls_set_context(context)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
