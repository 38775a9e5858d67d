"""How this home's hub logs in at an external broker: the files that say so."""

from __future__ import annotations

import secrets
from functools import partial
from pathlib import Path

from mqtt_hub.client_tls import context_for
from mqtt_hub.config import Config
from mqtt_hub.external.dialer import Login
from mqtt_hub.external.target import Target
from mqtt_hub.home import Home, write_private
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.protocol.table import HUB

__all__ = ["login_of", "password_of"]


def login_of(home: Home, config: Config) -> Login:
    """Return client id, password and TLS as the configuration names them; raises `ConfigurationError`."""
    shown = config.broker.certificate
    tls = partial(context_for, ca_file=home.trusted_ca(config), certificate=home.path / shown if shown else None)
    return Login(
        config.broker.client_id or _kept_client_id(home.path / "broker.id"),
        partial(password_of, home, config),
        tls if Target.of(config.broker).tls else None,
    )


def password_of(home: Home, config: Config) -> bytes:
    """Read the password; raises `ConfigurationError` where there is none, or others can read it too."""
    path = home.path / (config.broker.password_file or f"tokens/{HUB}")
    try:
        password, mode = path.read_bytes().strip(), path.stat().st_mode
    except OSError as error:
        raise ConfigurationError(
            f"{path}: {error.strerror}", hint="it is to have the password of the broker's user"
        ) from error
    if mode & 0o077:
        raise ConfigurationError(f"{path}: others may read the password", hint=f"chmod 600 {path}")
    return password


def _kept_client_id(path: Path) -> str:
    """Return the hub's client id, made at the first call: nobody guesses it."""
    try:
        if not path.exists():
            write_private(path, f"{HUB}-{secrets.token_hex(8)}\n")
        return path.read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", hint="this user must own the home") from error
