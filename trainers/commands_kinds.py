"""``kernel-trainer kinds`` and ``baselines``: which component kinds there are, and what is to be beaten."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from mqtt_hub.protocol.bar import Bar
from trainers.arenas.errors import EvaluationError
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.registry import kinds as known_kinds
from trainers.standings import standing
from trainers.workloads.format import read
from trainers.yardstick import Yardstick

__all__ = ["baselines", "kinds"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a kind.")
def kinds(*, as_json: bool) -> None:
    """List the component kinds: who searches for them, by what they are measured, with what they come.

    \b
    Example:
      kernel-trainer kinds
    """  # noqa: D301 — click's \b keeps the lines apart
    for kind in known_kinds().values():
        names = sorted({found.name for found in bundled(kind.name)})
        if as_json:
            facts = {
                key: getattr(kind, key)
                for key in ("name", "specializations", "metric", "baseline", "baselines", "bound")
            }
            click.echo(orjson.dumps({**facts, "functions": list(kind.form.functions), "workloads": names}))
        else:
            click.echo(
                f"{kind.name:<20} {', '.join(kind.specializations):<20} {kind.metric:<10} {len(names)} workloads"
            )


@click.command()
@click.option("--kind", help="One component kind (default: all).")
@click.option(
    "--workload",
    "workloads",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="On this workload (repeatable; default: those that come with the kinds).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def baselines(kind: str | None, workloads: tuple[Path, ...], *, as_json: bool) -> None:
    """Show what every baseline, oracle and the bound reach on each workload; fails where anything beats a bound.

    \b
    Examples:
      kernel-trainer baselines --kind page_replacement
      kernel-trainer baselines --workload build.workload --json
    """  # noqa: D301 — click's \b keeps the lines apart
    names = [kind] if kind else list(known_kinds())
    given = [read(path) for path in workloads] or [found for name in names for found in bundled(name)]
    with Evaluators() as evaluators, Bar.on_terminal() as bar:
        yardsticks = {name: Yardstick(evaluators.of(name)) for name in {found.kind for found in given}}
        told = []
        for found in given:
            bar.stage(f"{found.name} ({found.part})")
            told.append(standing(yardsticks[found.kind], found))
            if not as_json:
                bar.aside()
                click.echo(told[-1].text())
    if as_json:
        click.echo(orjson.dumps([one.json() for one in told]))
    if beyond := [f"{one.workload.name} ({one.workload.part}): {name}" for one in told for name in one.beyond]:
        raise EvaluationError(f"better than the bound: {', '.join(beyond)}", hint="then the bound is wrong")
