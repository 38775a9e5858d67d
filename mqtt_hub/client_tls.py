"""TLS of this machine's own tools: they trust what the home says."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path

import paho.mqtt.client as mqtt

from mqtt_hub.protocol.tls import Tls

__all__ = ["context_for", "use_tls"]


def use_tls(client: mqtt.Client, host: str, ca_file: Path | None, certificate: Path | None = None) -> None:
    """Make a client speak TLS and trust ``ca_file`` (None: the system's authorities); raises `ConfigurationError`.

    ``certificate`` is what it shows a broker that asks for one, its key lies beside it.

    On loopback the certificate must be of that authority, but may be for the name that others use.
    """
    client.tls_set_context(context_for(host, ca_file, certificate))


def context_for(host: str, ca_file: Path | None, certificate: Path | None = None) -> ssl.SSLContext:
    """Return the client's side for a connection to ``host``, with the same words as `use_tls`."""
    key = certificate.with_suffix(".key") if certificate else None
    context = Tls(ca_file, certificate, key).context()
    context.check_hostname = not _is_loopback(host)
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
