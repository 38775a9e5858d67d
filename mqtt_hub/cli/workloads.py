"""``mqtt-hub workload``: what the fleet searches for."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mqtt_hub.bundled import add_bundled
from mqtt_hub.cli.common import home_option
from mqtt_hub.found import found
from mqtt_hub.home import Home
from mqtt_hub.observer import plain
from mqtt_hub.own_traces import add_own
from mqtt_hub.protocol.bar import Bar
from mqtt_hub.protocol.bodies import WorkloadEntry
from mqtt_hub.protocol.codec import to_json
from mqtt_hub.protocol.errors import MqttHubError
from mqtt_hub.workload_store import WorkloadStore

__all__ = ["workload"]


@click.group()
def workload() -> None:
    """Add and list the workloads that the fleet searches for, and see what it has found."""


@workload.command()
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--kind", help="What a trace is for, e.g. page_replacement (default: what its format is for).")
@click.option("--format", "format_", metavar="FORMAT", help="What a trace is written in (default: as its name ends).")
@click.option("--column", metavar="NAME|NUMBER", help="csv: the column that holds the page.")
@click.option("--capacity", type=click.IntRange(1), metavar="N", help="Pages of cache, CPUs (default: the kind's own).")
@click.option("--name", help="The workload's name (default: the file's).")
@click.option("--bundled", is_flag=True, help="The recordings that come with the project.")
@home_option
def add(
    files: tuple[Path, ...],
    kind: str | None,
    format_: str | None,
    column: str | None,
    capacity: int | None,
    name: str | None,
    bundled: bool,  # noqa: FBT001 — click passes flags so
    home: Home,
) -> None:
    """Have the fleet search for FILES: traces, whole workloads, or parts that were split already.

    What is whole is cut in two: the train part goes to all nodes, the hidden part to validators only. A running hub
    sends them within seconds.

    \b
    Examples:
      mqtt-hub workload add trace.csv --column page --capacity 500
      mqtt-hub workload add trace.bin --format oracle-general --name shop
      mqtt-hub workload add build.workload        # made by kernel-trainer workload record
    """  # noqa: D301 — click's \b keeps the lines apart
    if not files and not bundled:
        raise click.UsageError("name files, or --bundled")
    if name is not None and len(files) != 1:
        raise click.UsageError("--name is for one file")
    home.config()  # says so where this is no home
    store = WorkloadStore(home.workloads)
    given = {"kind": kind, "format": format_, "column": column, "capacity": capacity, "name": name}
    options = {option: str(value) for option, value in given.items() if value is not None}
    progress = sys.stderr.isatty()
    added = [stored for path in files for stored in add_own(store, path, options, progress=progress)]
    if bundled:
        with Bar.on_terminal() as bar:
            bar.stage("unpacking the recordings")
            added += add_bundled(store)
    for stored in added:
        click.echo(_line(stored.entry))
    parts: dict[tuple[str, str], set[str]] = {}
    for entry in store.entries():
        parts.setdefault((entry.kind, entry.name), set()).add(entry.part)
    for (_kind, lone), there in sorted(parts.items()):
        if len(there) == 1:
            click.echo(f"! {lone} has one part only: components for it cannot be both found and judged", err=True)


@workload.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@home_option
def list_(as_json: bool, home: Home) -> None:  # noqa: FBT001 — click passes flags so
    """List the workloads of a hub.

    \b
    Example:
      mqtt-hub workload list
    """  # noqa: D301 — click's \b keeps the lines apart
    home.config()
    entries = WorkloadStore(home.workloads).entries()
    if as_json:
        click.echo(to_json(entries))
        return
    for entry in entries:
        click.echo(_line(entry))


@workload.command()
@click.argument("name")
@click.option("--kind", help="Of one component kind (default: of whichever has a workload of that name).")
@click.option(
    "--as", "form", type=click.Choice(["c", "policy", "json"]), default="c", show_default=True, help="What to print."
)
@home_option
def best(name: str, kind: str | None, form: str, home: Home) -> None:
    """Print the accepted component for the workload NAME that its author chose last; how good it is, on stderr.

    \b
    Examples:
      mqtt-hub workload best build > build.c
      mqtt-hub workload best build --as json
    """  # noqa: D301 — click's \b keeps the lines apart
    home.config()
    there = found(home.archive_path, name, kind)
    if form == "json":
        click.echo(to_json(there))
        return
    if there.component is None:
        why = f", the last one: {plain(there.last_reason)}" if there.last_reason else ""
        raise MqttHubError(
            f"nothing is accepted for {name} yet ({there.submitted} submitted{why})",
            hint="mqtt-hub workload list shows the names, mqtt-hub status who searches",
        )
    click.echo(there.c if form == "c" and there.c else there.policy, nl=False)
    click.echo(
        f"{there.component[:12]} by {', '.join(there.authors)}: {there.metric} {_figure(there.value)} on the hidden"
        f" part; best classic {there.best_baseline} {_figure(there.best_baseline_value)}, bound {_figure(there.bound)}",
        err=True,
    )


def _figure(value: float | None) -> str:
    """Return a counter, which is a whole number, as one."""
    return "unknown" if value is None else f"{value:.15g}"


def _line(entry: WorkloadEntry) -> str:
    return f"{entry.name:<24} {entry.kind:<20} {entry.part:<7} {entry.size_bytes:>9} bytes  {entry.id[:12]}"
