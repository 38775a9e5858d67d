"""TLS of this machine's own tools: they trust what the home says."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path

import paho.mqtt.client as mqtt

from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["use_tls"]


def use_tls(client: mqtt.Client, host: str, ca_file: Path | None, certificate: Path | None = None) -> None:
    """Make a client speak TLS and trust ``ca_file`` (None: the system's authorities); raises `ConfigurationError`.

    ``certificate`` is what it shows a broker that asks for one, its key lies beside it.

    On loopback the certificate must be of that authority, but may be for the name that others use.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if certificate is not None:
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"no TLS with {ca_file or 'system authorities'}, {certificate or 'no certificate'}: {error}",
            hint="mqtt-hub cert server makes the authority, mqtt-hub cert client NAME a certificate",
        ) from error
    context.check_hostname = not _is_loopback(host)
    client.tls_set_context(context)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
