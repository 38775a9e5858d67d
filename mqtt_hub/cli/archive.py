"""``mqtt-hub archive``: check it, copy it, make it smaller."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from mqtt_hub.archive.backup import backup as make_backup
from mqtt_hub.archive.digest import digests
from mqtt_hub.archive.prune import prune as prune_archive
from mqtt_hub.archive.prune import shrink as shrink_archive
from mqtt_hub.archive.verify import verify as verify_archive
from mqtt_hub.cli.common import home_option
from mqtt_hub.home import Home
from mqtt_hub.protocol.bar import Bar
from mqtt_hub.protocol.codec import to_json
from mqtt_hub.protocol.errors import ArchiveError

__all__ = ["archive"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_BYTES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def _quantity(units: dict[str, int]) -> Callable[[click.Context, click.Parameter, str | None], int | None]:
    """Return what reads a number and its unit, e.g. 30d or 500M."""

    def read(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
        if value is None:
            return None
        match = re.fullmatch(r"(\d{1,15})([a-zA-Z]?)", value)
        unit = units.get(match[2]) if match else None
        if match is None or unit is None:
            raise click.BadParameter(f"{value!r}: a number and one of {', '.join(filter(None, units))}")
        return int(match[1]) * unit

    return read


@click.group()
def archive() -> None:
    """Verify the archive, back it up, prune it."""


@archive.command()
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="Another archive, e.g. a backup.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@home_option
def digest(file: Path | None, as_json: bool, home: Home) -> None:  # noqa: FBT001 — click passes flags so
    """Print one number for what each node has shared, equal wherever the same was found in the same order.

    A node that searches by itself comes to the same with the same seed, budget and workloads, killed or not.

    \b
    Example:
      mqtt-hub archive digest
    """  # noqa: D301 — click's \b keeps the lines apart
    told = digests(file or home.archive_path)
    if as_json:
        click.echo(to_json({name: asdict(node) for name, node in told.items()}))
    else:
        for name, node in told.items():
            click.echo(f"{node.digest}  {name}, {node.findings:,} findings")


@archive.command()
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="Another archive, e.g. a backup.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@home_option
def verify(file: Path | None, as_json: bool, home: Home) -> None:  # noqa: FBT001 — click passes flags so
    """Check pages, schema, keys, gaps of every node, references, and what the tables say against the messages.

    Exit code 5 when anything is not as it must be. The hub may run meanwhile.

    \b
    Examples:
      mqtt-hub archive verify
      mqtt-hub archive verify --file archive-monday.db --json
    """  # noqa: D301 — click's \b keeps the lines apart
    with Bar.on_terminal() as bar:
        report = verify_archive(file or home.archive_path, begin=bar.stage)
    if as_json:
        click.echo(to_json(asdict(report) | {"ok": report.ok}))
    else:
        click.echo(f"{report.messages} messages, {report.rejected} rejected, {report.pruned} pruned")
        for gap in report.open_gaps:
            click.echo(f"  still on its way: {gap}")
        for fault in report.faults:
            click.echo(f"! {fault.check}: {fault.facts}")
        click.echo("ok" if report.ok else f"{len(report.faults)} faults")
    if not report.ok:
        click.get_current_context().exit(ArchiveError.exit_code)


@archive.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@home_option
def backup(file: Path, home: Home) -> None:
    """Copy the archive to FILE, consistent and checked, while the hub runs.

    \b
    To go back to it: stop the hub, put FILE in the place of archive.db (without archive.db-wal and -shm), start.

    \b
    Example:
      mqtt-hub archive backup archive-monday.db
    """  # noqa: D301 — click's \b keeps the lines apart
    with Bar.on_terminal() as bar:
        bar.stage("copying and checking")
        size = make_backup(home.archive_path, file)
    click.echo(f"{file}: {size} bytes")


@archive.command()
@click.option("--older-than", metavar="AGE", callback=_quantity(_SECONDS), help="e.g. 30d; units s, m, h, d, w.")
@click.option(
    "--max-size", metavar="SIZE", callback=_quantity(_BYTES), help="e.g. 500M: the oldest goes until so much is used."
)
@click.option("--shrink", is_flag=True, help="Give the room back to the disk as well; the hub must be stopped.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@home_option
def prune(older_than: int | None, max_size: int | None, home: Home, *, shrink: bool, as_json: bool) -> None:
    """Take out what is old; never the ancestry of an accepted component, nor what still waits for something.

    \b
    Example:
      mqtt-hub archive prune --older-than 30d --max-size 2G
    """  # noqa: D301 — click's \b keeps the lines apart
    if older_than is None and max_size is None and not shrink:
        raise click.UsageError("say what may go: --older-than AGE, --max-size SIZE or both; --shrink for the file")
    with Bar.on_terminal() as bar:
        bar.stage("pruning")
        done = prune_archive(home.archive_path, now_s=time.time(), older_than_s=older_than, bytes_max=max_size)
        for index in home.path.glob("search.db*"):  # of `mqtt-hub browse`: made again without what is gone
            index.unlink(missing_ok=True)
        if shrink:
            bar.stage("shrinking")
            with home.locked():
                shrink_archive(home.archive_path)
    if as_json:
        click.echo(to_json(asdict(done)))
        return
    click.echo(
        f"{done.messages} messages and {done.rejected} rejected ones taken out;"
        f" {done.bytes_before} bytes in use before, {done.bytes_after} now"
    )
    if max_size is not None and done.bytes_after > max_size:
        click.echo(f"! more than {max_size} bytes must be kept: lineage of accepted components, what still waits")
