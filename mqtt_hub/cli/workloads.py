"""``mqtt-hub workload``: what the fleet searches for."""

from __future__ import annotations

from pathlib import Path

import click

from mqtt_hub.bundled import add_bundled
from mqtt_hub.cli.common import home_option
from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import WorkloadEntry
from mqtt_hub.protocol.codec import to_json
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.workload_store import WorkloadStore

__all__ = ["workload"]


@click.group()
def workload() -> None:
    """Add and list the workloads that the fleet searches for."""


@workload.command()
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--bundled", is_flag=True, help="The recordings that come with the project.")
@home_option
def add(files: tuple[Path, ...], bundled: bool, home: Home) -> None:  # noqa: FBT001 — click passes flags so
    """Add workload FILES: train parts go to all nodes, hidden parts to validators only. A running hub sends them.

    \b
    Example, from a recording of your own:
      kernel-trainer workload record --output build.workload -- make -j2
      kernel-trainer workload split build.workload --train build.train.workload --hidden build.hidden.workload
      mqtt-hub workload add build.train.workload build.hidden.workload
    """  # noqa: D301 — click's \b keeps the lines apart
    if not files and not bundled:
        raise click.UsageError("name files, or --bundled")
    home.config()  # says so where this is no home
    store = WorkloadStore(home.workloads)
    added = [store.add(_read(path)) for path in files]
    if bundled:
        added += add_bundled(store)
    for stored in added:
        click.echo(_line(stored.entry))
    for name in sorted({entry.name for entry in store.entries()}):
        if {entry.part for entry in store.entries() if entry.name == name} != {"train", "hidden"}:
            click.echo(f"! {name} has one part only: components for it cannot be both found and judged", err=True)


@workload.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@home_option
def list_(as_json: bool, home: Home) -> None:  # noqa: FBT001 — click passes flags so
    """List the workloads of a hub."""
    home.config()
    entries = WorkloadStore(home.workloads).entries()
    if as_json:
        click.echo(to_json(entries))
        return
    for entry in entries:
        click.echo(_line(entry))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error


def _line(entry: WorkloadEntry) -> str:
    return f"{entry.name:<24} {entry.kind:<20} {entry.part:<7} {entry.size_bytes:>9} bytes  {entry.id[:12]}"
