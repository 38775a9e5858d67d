"""``mqtt-hub node``: who may connect, and how far each is trusted."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from mqtt_hub.accounts import Accounts
from mqtt_hub.archive.queries import trust
from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.cli.common import home_option
from mqtt_hub.home import Home, write_private
from mqtt_hub.observer import plain
from mqtt_hub.protocol.bodies import REASON_CHARACTERS_MAX
from mqtt_hub.protocol.codec import stamp, to_json
from mqtt_hub.protocol.errors import ArchiveError

__all__ = ["node"]

_token_file = click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the token to this file (0600) instead of showing it.",
)


@click.group()
def node() -> None:
    """Add, list, revoke, quarantine nodes; give them new tokens."""


@node.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice(["trainer", "validator", "observer"]), required=True, help="What it may send and read."
)
@click.option("--specialization", default="", help="What the node works at, e.g. memory_management.")
@_token_file
@home_option
def add(name: str, role: str, specialization: str, token_file: Path | None, home: Home) -> None:
    """Make an account for NAME and show its token, this once.

    \b
    Example:
      mqtt-hub node add AI_Node_9 --role trainer --specialization memory_management --token-file AI_Node_9.token
    """  # noqa: D301 — click's \b keeps the lines apart
    token = Accounts(home.accounts_path).add(name, role, specialization, stamp(time.time()))
    _hand_over(home, name, token, token_file)


@node.command()
@click.argument("name")
@_token_file
@home_option
def rotate(name: str, token_file: Path | None, home: Home) -> None:
    """Give NAME a new token; the old one is void at once, on live connections too.

    \b
    Example:
      mqtt-hub node rotate AI_Node_9 --token-file AI_Node_9.token
    """  # noqa: D301 — click's \b keeps the lines apart
    token = Accounts(home.accounts_path).rotate(name)
    _hand_over(home, name, token, token_file)


@node.command()
@click.argument("name")
@home_option
def revoke(name: str, home: Home) -> None:
    """Shut NAME out at once, on live connections too; `rotate` lets it in again.

    \b
    Example:
      mqtt-hub node revoke AI_Node_9
    """  # noqa: D301 — click's \b keeps the lines apart
    Accounts(home.accounts_path).revoke(name, stamp(time.time()))
    click.echo(f"{name} is revoked")


@node.command()
@click.argument("name")
@click.option("--reason", default="", help="Told to the node, and kept in the archive.")
@home_option
def quarantine(name: str, reason: str, home: Home) -> None:
    """Take nothing more that NAME shares or submits; it stays connected and hears its verdicts.

    \b
    Example:
      mqtt-hub node quarantine AI_Node_9 --reason 'claims that nobody can reproduce'
    """  # noqa: D301 — click's \b keeps the lines apart
    Accounts(home.accounts_path).decide("quarantine", name, reason[:REASON_CHARACTERS_MAX], stamp(time.time()))
    click.echo(f"{name} is quarantined as soon as the hub runs")


@node.command()
@click.argument("name")
@click.option("--reason", default="", help="Kept in the archive.")
@home_option
def release(name: str, reason: str, home: Home) -> None:
    """End the quarantine of NAME, by rule or by hand; what it did stays in its record.

    \b
    Example:
      mqtt-hub node release AI_Node_9 --reason 'its memory was replaced'
    """  # noqa: D301 — click's \b keeps the lines apart
    Accounts(home.accounts_path).decide("release", name, reason[:REASON_CHARACTERS_MAX], stamp(time.time()))
    click.echo(f"{name} is released as soon as the hub runs")


@node.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@home_option
def list_(as_json: bool, home: Home) -> None:  # noqa: FBT001 — click passes flags so
    """List the accounts: name, role, specialization, since when, revoked or not, and how far each is trusted.

    \b
    Example:
      mqtt-hub node list
    """  # noqa: D301 — click's \b keeps the lines apart
    records = Accounts(home.accounts_path).all()
    standings = _standings(home)
    if as_json:
        rows = [{key: value for key, value in asdict(record).items() if "hash" not in key} for record in records]
        click.echo(to_json([row | standings.get(row["name"], {}) for row in rows]))
        return
    for record in records:
        state = f"revoked {record.revoked_at}" if record.revoked_at else f"since {record.created_at}"
        trusted = _trusted(standings[record.name]) if record.name in standings else ""
        click.echo(f"{record.name:<24} {record.role:<10} {record.specialization or '-':<24} {state}{trusted}")


def _standings(home: Home) -> dict[str, dict[str, Any]]:
    """Return by name what the archive says of each node's deeds; nothing until a hub has run on this home."""
    try:
        db = open_read_only(home.archive_path)
    except ArchiveError:
        return {}
    with closing(db):
        standings = {row.pop("name"): row for row in trust.standings(db)}
    for row in standings.values():
        del row["role"]  # the account's counts
        row["standing_since"] = row.pop("since")
    return standings


def _trusted(standing: dict[str, Any]) -> str:
    figures = f"{standing['improvements']} improvements, {standing['offences']} offences"
    reason = f" ({plain(standing['quarantined'])})" if standing["quarantined"] else ""
    return f"  {standing['level']}, trust {standing['trust']:.2f}, {figures}{reason}"


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
