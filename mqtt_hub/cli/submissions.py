"""``mqtt-hub submission``: what was submitted, what validators made of it."""

from __future__ import annotations

import time
from contextlib import closing

import click

from mqtt_hub.accounts import Accounts
from mqtt_hub.archive.queries import components
from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.cli.common import home_option
from mqtt_hub.home import Home
from mqtt_hub.observer import plain
from mqtt_hub.protocol.bodies import REASON_CHARACTERS_MAX
from mqtt_hub.protocol.codec import stamp, to_json
from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["submission"]

VERDICTS = ("pending", "disputed", "accepted", "rejected", "not_reproduced")


@click.group()
def submission() -> None:
    """List submissions with their verdicts; have one judged anew."""


@submission.command(name="list")
@click.option("--verdict", "verdicts", multiple=True, type=click.Choice(VERDICTS), help="Only these (repeatable).")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@home_option
def list_(verdicts: tuple[str, ...], limit: int, as_json: bool, home: Home) -> None:  # noqa: FBT001 — click passes flags so
    """List submissions, the newest first: who, for what, the verdict and how many validators agree.

    \b
    Examples:
      mqtt-hub submission list --verdict disputed
      mqtt-hub submission list --limit 1000 --json
    """  # noqa: D301 — click's \b keeps the lines apart
    with closing(open_read_only(home.archive_path)) as db:
        rows = components.submissions(db, *verdicts, limit=limit)
    if as_json:
        click.echo(to_json(rows))
        return
    for row in rows:
        votes = f"{row['agreeing']} of {row['needed']} agree, {row['dissenting']} differ"
        click.echo(
            f"{row['id'][:12]}  {row['submitter']:<24} {plain(row['target']):<20} {row['verdict']:<15} {votes}"
            f"  {plain(row['reason'] or '')}".rstrip()
        )


@submission.command()
@click.argument("name")
@click.option("--reason", default="", help="Kept in the archive.")
@home_option
def reopen(name: str, reason: str, home: Home) -> None:
    """Have the submission NAME (or the start of its name) judged anew: the results so far are void.

    \b
    Example:
      mqtt-hub submission reopen 3da2a059d10c --reason 'the validator was faulty'
    """  # noqa: D301 — click's \b keeps the lines apart
    with closing(open_read_only(home.archive_path)) as db:
        found = components.submissions_named(db, name)
    if len(found) != 1:
        raise ConfigurationError(
            f"{'no' if not found else 'more than one'} submission is called {name}", hint="mqtt-hub submission list"
        )
    Accounts(home.accounts_path).decide("reopen", found[0], reason[:REASON_CHARACTERS_MAX], stamp(time.time()))
    click.echo(f"{found[0]} is judged anew as soon as the hub runs")
