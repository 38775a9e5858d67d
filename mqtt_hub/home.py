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
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mqtt_hub.config import Config, parse
from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["Home", "TlsFiles", "write_private"]


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
            self.config_path.write_text(config.toml())
        except OSError as error:
            raise ConfigurationError(
                f"{self.path}: {error.strerror}", hint="choose a directory this user may write, with --home"
            ) from error

    def config(self) -> Config:
        """Read the settings; raises `ConfigurationError`."""
        try:
            return parse(self.config_path.read_bytes(), self.config_path)
        except FileNotFoundError:
            raise ConfigurationError(
                f"{self.path} is no hub's home", hint=f"make one: mqtt-hub init --home {self.path}"
            ) from None
        except OSError as error:
            raise ConfigurationError(f"{self.config_path}: {error}") from error

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
