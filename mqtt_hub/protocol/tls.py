"""A client's side of TLS, the same for nodes and for the hub's own tools."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["Tls"]


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom to trust (None: the system's authorities), and what to show a hub that asks for a certificate."""

    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return the client's side; raises `ConfigurationError` naming the files that do not fit."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(path) for path in (self.ca_file, self.certificate, self.key) if path)
            raise ConfigurationError(
                f"no TLS with {files}: {error.strerror or error}", hint="the files that `mqtt-hub cert` made"
            ) from error
        return context
