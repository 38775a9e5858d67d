"""``mqtt-hub init``."""

from __future__ import annotations

import time

import click

from mqtt_hub.accounts import Accounts
from mqtt_hub.archive.schema import open_archive
from mqtt_hub.cli.common import home_option
from mqtt_hub.config import DEFAULT_PORT, Config
from mqtt_hub.home import Home
from mqtt_hub.protocol.codec import stamp
from mqtt_hub.protocol.table import HUB

__all__ = ["create_home", "init"]


@click.command()
@home_option
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="Broker port.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address the embedded broker listens on.")
def init(home: Home, port: int, host: str) -> None:
    """Make a home directory: configuration, archive, and the accounts of hub and observer.

    \b
    Example:
      mqtt-hub init --home ./hub
      mqtt-hub node add AI_Node_1 --role trainer --specialization memory_management --home ./hub
      mqtt-hub serve --home ./hub
    """  # noqa: D301 — click's \b keeps the lines apart
    create_home(home, Config(host=host, port=port))
    click.echo(f"{home.path} is ready; the observer's token is in {home.tokens / 'observer'}")
    click.echo(f"next: mqtt-hub serve --home {home.path}")


def create_home(home: Home, config: Config) -> None:
    """Make everything `mqtt-hub serve` needs; raises `ConfigurationError` or `ArchiveError`."""
    home.create(config)
    accounts = Accounts(home.accounts_path, create=True)
    now = stamp(time.time())
    for name, role in ((HUB, "hub"), ("observer", "observer")):
        home.keep_token(name, accounts.add(name, role, "", now))
    accounts.close()
    open_archive(home.archive_path).close()
