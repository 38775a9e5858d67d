"""``mqtt-hub rules``: accounts and access rule for a broker of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from mqtt_hub.accounts import Accounts
from mqtt_hub.cli.common import home_option
from mqtt_hub.config import DEFAULT_PORT
from mqtt_hub.home import Home
from mqtt_hub.rules import BROKERS, write_rules

__all__ = ["rules"]


@click.command()
@click.argument("broker", type=click.Choice(BROKERS))
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Directory for the files; a configuration that is there already stays as it is.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address in a new configuration.")
@click.option("--port", type=click.IntRange(1, 65535), default=DEFAULT_PORT, show_default=True, help="Its port.")
@home_option
def rules(broker: str, output: Path, host: str, port: int, home: Home) -> None:
    """Write passwords and access rules for BROKER from this hub's accounts; again after each change of accounts.

    \b
    Example:
      mqtt-hub rules mosquitto --output ./broker
      mosquitto -c ./broker/mosquitto.conf -d
      mqtt-hub serve --broker mqtt://hub@127.0.0.1:1883
    """  # noqa: D301 — click's \b keeps the lines apart
    config = home.config()
    accounts = Accounts(home.accounts_path)
    files = write_rules(broker, accounts.all(), output, prefix=config.prefix, host=host, port=port)
    accounts.close()
    for path in files.written:
        click.echo(path)
    for name in files.without_password:
        click.echo(f"! {name} is left out, its token is older than this command: mqtt-hub node rotate {name}", err=True)
    reload = {"mosquitto": "kill -HUP", "nats": "nats-server --signal reload"}[broker]
    click.echo(f"{files.accounts} accounts; a running {broker} takes them up with: {reload}")
