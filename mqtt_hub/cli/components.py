"""``mqtt-hub component show``: what the archive has of one component, to read, to compile, to use."""

from __future__ import annotations

from contextlib import closing

import click

from mqtt_hub.archive.queries import components, findings
from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.cli.common import home_option
from mqtt_hub.home import Home
from mqtt_hub.protocol.codec import to_json
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.protocol.provenance import Provenance

__all__ = ["component"]


@click.group()
def component() -> None:
    """Show a submitted component."""


@component.command()
@click.argument("name", metavar="ID")
@click.option(
    "--as",
    "form",
    type=click.Choice(["c", "policy", "json"]),
    default="policy",
    show_default=True,
    help="What to print.",
)
@home_option
def show(name: str, form: str, home: Home) -> None:
    """Print the component ID (or the start of its id) with its provenance on top: C, its source, or all as JSON.

    \b
    Example:
      mqtt-hub component show 3da2a059d10c --as c > policy.c
    """  # noqa: D301 — click's \b keeps the lines apart
    with closing(open_read_only(home.archive_path)) as db:
        found = components.named(db, name)
        facts = findings.component(db, found[0]) if len(found) == 1 else None
        hidden = findings.scores_of(db, found[0]) if facts else []
    if facts is None:
        raise ConfigurationError(
            f"{'more than one' if found else 'no'} component is called {name[:80]}", hint="mqtt-hub browse"
        )
    if form == "json":
        click.echo(to_json(facts | {"hidden": hidden}))
        return
    verdict = f"{facts['verdict']} ({facts['reason']})" if facts["reason"] else facts["verdict"]
    head = Provenance(
        facts["kind"], facts["id"], tuple(facts["authors"]), tuple(facts["parents"]), facts["target"], verdict,
        {
            row["workload"]: (row["value"], row["best_baseline"], row["best_baseline_value"], row["bound"])
            for row in hidden
        },
    )  # fmt: skip
    if form == "c" and not facts["c_source"]:
        raise ConfigurationError(
            f"no validator has sent the C of {facts['id'][:12]} yet", hint="kernel-trainer export --as c writes it too"
        )
    click.echo(head.c(facts["c_source"]) if form == "c" else head.policy(facts["source"]), nl=False)
