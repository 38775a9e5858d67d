"""``mqtt-hub cert``: a private certificate authority, for TLS without anybody else."""

from __future__ import annotations

import datetime as dt
import socket
from typing import TYPE_CHECKING

import click

from mqtt_hub.cli.common import home_option
from mqtt_hub.home import Home

if TYPE_CHECKING:
    from mqtt_hub.certificates import Authority

__all__ = ["cert"]


@click.group()
def cert() -> None:
    """Make certificates of a private authority, which is made on first use."""


@cert.command()
@click.option("--host", "hosts", multiple=True, help="Name or address that nodes use for this hub (repeatable).")
@home_option
def server(hosts: tuple[str, ...], home: Home) -> None:
    """Make the hub's certificate; a running hub takes a new one up within seconds.

    \b
    Example:
      mqtt-hub cert server --host hub.example.org    # then tls = true in config.toml, and a restart
    """  # noqa: D301 — click's \b keeps the lines apart
    authority = _authority(home)
    path = authority.issue_server(hosts or (socket.gethostname(),))
    click.echo(f"{path} is what the hub shows; nodes need {authority.certificate_path}: kernel-trainer run --ca-file")


@cert.command()
@click.argument("name")
@home_option
def client(name: str, home: Home) -> None:
    """Make a certificate for the node NAME, for hubs that ask for one (tls_client_ca in config.toml).

    \b
    Example:
      mqtt-hub cert client AI_Node_9
    """  # noqa: D301 — click's \b keeps the lines apart
    path = _authority(home).issue_client(name)
    click.echo(f"{path} and {path.with_suffix('.key')} are for {name}: kernel-trainer run --certificate … --key …")


def _authority(home: Home) -> Authority:
    from mqtt_hub.certificates import Authority  # noqa: PLC0415 — slow to import, and rarely needed

    home.config()
    return Authority(home.tls, now=dt.datetime.now(dt.UTC))
