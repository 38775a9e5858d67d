"""Writes a broker's files: what follows from the accounts each time, the configuration where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mqtt_hub.accounts import AccountRecord
from mqtt_hub.home import write_private
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.rules import mosquitto, nats

__all__ = ["BROKERS", "Files", "write_rules"]

BROKERS = ("mosquitto", "nats")


class Files(NamedTuple):
    """What was written, how many accounts it lets in, and which have no password for it yet."""

    written: list[Path]
    accounts: int
    without_password: list[str]


def write_rules(
    broker: str, accounts: Sequence[AccountRecord], directory: Path, *, prefix: str, host: str, port: int
) -> Files:
    """Write a broker's files into ``directory``, 0600; raises `ConfigurationError` where that cannot be done."""
    directory = directory.absolute()
    if any(character in str(directory) for character in '"\\\n'):
        raise ConfigurationError(
            f"{str(directory)!r} cannot stand in a broker's configuration", hint="another --output"
        )
    active = [account for account in accounts if account.revoked_at is None]
    ready = [account for account in active if account.mosquitto_hash and account.bcrypt_hash]
    if broker == "mosquitto":
        texts = {"passwords": mosquitto.passwords(ready), "acl": mosquitto.access(ready, prefix)}
        own = {"mosquitto.conf": mosquitto.configuration(directory, host, port)}
    else:
        texts = {"accounts.conf": nats.accounts_block(ready, prefix)}
        own = {"nats.conf": nats.configuration(directory, host, port)}
    texts |= {name: text for name, text in own.items() if not (directory / name).exists()}
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in texts.items():
            write_private(directory / name, text)
    except OSError as error:
        raise ConfigurationError(f"{directory}: {error.strerror}", hint="choose another with --output") from error
    return Files(
        [directory / name for name in texts],
        len(ready),
        [account.name for account in active if account not in ready],
    )
