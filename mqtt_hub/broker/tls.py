"""The TLS side of a listener: its context, and a new certificate without a restart.

::

    certfile, keyfile (, cafile) ──▶ ServerCertificate.context ──▶ every handshake from now on
            └── changed on disk ──▶ refresh() (housekeeping) ──┘   connections that are open go on
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["ServerCertificate"]

_LOG = logging.getLogger("mqtt_hub.broker")


class ServerCertificate:
    """A certificate (its chain) with its key; with ``clients_ca`` a client must show one of that authority's."""

    def __init__(self, certificate: Path, key: Path, clients_ca: Path | None = None) -> None:
        self._certificate, self._key, self._clients_ca = certificate, key, clients_ca
        self._seen = self._look()
        self.context = self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def refresh(self) -> bool:
        """Take up changed files, and say so; what does not fit together is logged once and changes nothing."""
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # a pair that does not fit must not spoil the other
            self._load(self.context)
        except ConfigurationError as error:
            _LOG.error("the old certificate stays: %s", error)
            return False
        _LOG.info("new certificate from %s", self._certificate)
        return True

    def _load(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self._certificate, self._key)
            if self._clients_ca is not None:
                context.load_verify_locations(self._clients_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
            files = ", ".join(str(path) for path in (self._certificate, self._key, self._clients_ca) if path)
            raise ConfigurationError(
                f"no TLS with {files}: {why or error}", hint="mqtt-hub cert server makes a certificate and its key"
            ) from error
        return context

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(path) for path in (self._certificate, self._key, self._clients_ca) if path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
