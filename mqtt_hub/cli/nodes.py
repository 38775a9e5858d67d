"""``mqtt-hub node``: who may connect."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from mqtt_hub.accounts import Accounts
from mqtt_hub.cli.common import home_option
from mqtt_hub.home import Home, write_private
from mqtt_hub.protocol.codec import stamp, to_json

__all__ = ["node"]

_token_file = click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the token to this file (0600) instead of showing it.",
)


@click.group()
def node() -> None:
    """Add, list, revoke nodes; give them new tokens."""


@node.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["trainer", "validator", "observer"]), required=True)
@click.option("--specialization", default="", help="What the node works at, e.g. memory_management.")
@_token_file
@home_option
def add(name: str, role: str, specialization: str, token_file: Path | None, home: Home) -> None:
    """Make an account for NAME and show its token, this once."""
    token = Accounts(home.accounts_path).add(name, role, specialization, stamp(time.time()))
    _hand_over(home, name, token, token_file)


@node.command()
@click.argument("name")
@_token_file
@home_option
def rotate(name: str, token_file: Path | None, home: Home) -> None:
    """Give NAME a new token; the old one is void at once, on live connections too."""
    token = Accounts(home.accounts_path).rotate(name)
    _hand_over(home, name, token, token_file)


@node.command()
@click.argument("name")
@home_option
def revoke(name: str, home: Home) -> None:
    """Shut NAME out at once, on live connections too; `rotate` lets it in again."""
    Accounts(home.accounts_path).revoke(name, stamp(time.time()))
    click.echo(f"{name} is revoked")


@node.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@home_option
def list_(as_json: bool, home: Home) -> None:  # noqa: FBT001 — click passes flags so
    """List the accounts: name, role, specialization, since when, revoked or not."""
    records = Accounts(home.accounts_path).all()
    if as_json:
        rows = [{key: value for key, value in asdict(record).items() if "hash" not in key} for record in records]
        click.echo(to_json(rows))
        return
    for record in records:
        state = f"revoked {record.revoked_at}" if record.revoked_at else f"since {record.created_at}"
        click.echo(f"{record.name:<24} {record.role:<10} {record.specialization or '-':<24} {state}")


def _hand_over(home: Home, name: str, token: str, token_file: Path | None) -> None:
    if (home.tokens / name).exists():  # this machine's own tools use it: hub, observer
        home.keep_token(name, token)
    if token_file is None:
        click.echo(token)
        return
    try:
        write_private(token_file, token + "\n")
    except OSError as error:
        click.echo(token)  # it exists now and is shown only once: better here than lost
        raise click.FileError(str(token_file), error.strerror) from error
    click.echo(f"the token of {name} is in {token_file}")
