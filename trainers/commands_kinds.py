"""``kernel-trainer kinds``: which component kinds there are. Parse, call, print."""

from __future__ import annotations

import click
import orjson

from trainers.arenas.evaluate import bundled
from trainers.arenas.registry import kinds as known_kinds

__all__ = ["kinds"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a kind.")
def kinds(*, as_json: bool) -> None:
    """List the component kinds: who searches for them, by what they are measured, with what they come."""
    for kind in known_kinds().values():
        names = sorted({found.name for found in bundled(kind.name)})
        if as_json:
            facts = {key: getattr(kind, key) for key in ("name", "specializations", "metric", "baselines", "bound")}
            click.echo(orjson.dumps({**facts, "functions": list(kind.form.functions), "workloads": names}))
        else:
            click.echo(
                f"{kind.name:<20} {', '.join(kind.specializations):<20} {kind.metric:<10} {len(names)} workloads"
            )
