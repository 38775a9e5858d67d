"""The commands about workloads: ``evaluate`` and ``workload import|record|show|split|list``. Parse, call, print."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import orjson

from mqtt_hub.protocol.bar import Bar
from trainers.arenas import evaluate as scoring
from trainers.arenas.registry import DEFAULT, kind_of, kinds
from trainers.workloads import families
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import PARTS, Workload, read, save
from trainers.workloads.importers import FORMATS, import_workload
from trainers.workloads.parts import parts_of
from trainers.workloads.pictures import save_picture
from trainers.workloads.show import describe, render
from trainers.workloads.sources import RECORDERS

__all__ = ["evaluate", "workload"]

_FILE = click.Path(path_type=Path)
_KIND = click.option("--kind", default=DEFAULT, show_default=True, help="Component kind.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_OUTPUT = click.option("--output", required=True, type=_FILE, metavar="OUT", help="Workload file to write.")
_CAPACITY = click.option("--capacity", type=int, metavar="N", help="Pages of cache, CPUs (default: the kind's own).")
_COLUMN = click.option("--column", metavar="NAME|NUMBER", help="csv: the column that holds the key, numbers from 1.")
_NAME = click.option("--name", help="The workload's name (default: made of the file's or the command's).")


@click.command()
@click.option("--kind", help="Component kind (default: the workload's).")
@click.option("--workload", "workload_path", required=True, type=_FILE, metavar="FILE", help="Workload file.")
@click.option("--policy", type=_FILE, metavar="FILE", help="Source of a component.")
@click.option(
    "--baseline", metavar="NAME", help="A baseline's name, or the bound's; a wrong one is answered with all there are."
)
@click.option("--capacity", type=int, metavar="N", help="Of the machine: pages, CPUs (default: the workload's).")
@click.option("--capacity-percent", metavar="P", help="Pages of cache as a percentage of all pages.")
@_JSON
def evaluate(
    kind: str | None,
    workload_path: Path,
    policy: Path | None,
    baseline: str | None,
    capacity: int | None,
    capacity_percent: str | None,
    *,
    as_json: bool,
) -> None:
    """Score a policy or a baseline on a workload, beside the bound.

    \b
    Examples:
      kernel-trainer evaluate --workload build.workload --baseline lru
      kernel-trainer evaluate --workload build.workload --policy mine.policy --capacity-percent 5
    """  # noqa: D301 — click's \b keeps the lines apart
    if (policy is None) == (baseline is None):
        raise click.UsageError("give --policy FILE or --baseline NAME, one of them")
    if capacity is not None and capacity_percent is not None:
        raise click.UsageError("give --capacity N or --capacity-percent P, not both")
    with Bar.on_terminal() as bar:
        bar.stage("running")
        score = scoring.evaluate(
            kind,
            workload_path,
            policy=policy,
            baseline=baseline,
            capacity=capacity,
            capacity_percent=capacity_percent,
        )
    click.echo(orjson.dumps(score) if as_json else "\n".join(f"{key:<17} {value}" for key, value in score.items()))


@click.group()
def workload() -> None:
    """Import, record, generate, look at and split workloads."""


@workload.command("import")
@click.argument("file", type=_FILE)
@click.option("--format", "format_", required=True, type=click.Choice(FORMATS), help="What the trace is written in.")
@_COLUMN
@click.option("--kind", help="What the trace is for (default: what its format is for).")
@_OUTPUT
@_CAPACITY
@_NAME
def import_(
    file: Path,
    format_: str,
    column: str | None,
    kind: str | None,
    output: Path,
    capacity: int | None,
    name: str | None,
) -> None:
    """Read a trace made elsewhere.

    \b
    Example:
      kernel-trainer workload import trace.csv --format csv --column page --output shop.workload
    """  # noqa: D301 — click's \b keeps the lines apart
    with Bar.on_terminal() as bar:
        made = import_workload(file, format_, kind=kind, column=column, name=name, capacity=capacity, watch=bar.watch)
        bar.stage("packing")
        save(made, output)
    _tell(made, output)


@workload.command()
@click.option(
    "--kind",
    type=click.Choice(sorted(RECORDERS)),
    default=DEFAULT,
    show_default=True,
    help="What to record: the file pages it asks for (strace), or when its threads compute and sleep (perf), "
    "or what the disk of this folder is asked for (perf).",
)
@click.option("--part", type=click.Choice(PARTS), default="whole", show_default=True, help="What it is for.")
@click.option("--output", type=_FILE, metavar="OUT", help="Workload file to write (default: NAME.workload).")
@_CAPACITY
@_NAME
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def record(
    kind: str, part: str, output: Path | None, capacity: int | None, name: str | None, command: tuple[str, ...]
) -> None:
    """Run COMMAND and record what it asks for.

    \b
    Example:
      kernel-trainer workload record --name build -- make -j2
    """  # noqa: D301 — click's \b keeps the lines apart
    if output is not None and output.exists():
        raise WorkloadError(f"{output} is there already", hint="a recording is not overwritten: choose another name")
    recording = RECORDERS[kind](command, name=name, origin=None, capacity=capacity, part=part)
    output = output or Path(f"{recording.workload.name}.workload")
    save(recording.workload, output)
    click.echo(f"{command[0]}: exit status {recording.status}", err=True)
    if recording.lost:
        gaps = f"perf came too late {recording.lost} times and lost events"
        click.echo(f"{gaps}: the recording has gaps, make it again on a quieter machine", err=True)
    _tell(recording.workload, output)


@workload.command()
@click.argument("file", type=_FILE)
@click.option("--svg", type=_FILE, metavar="OUT", help="Draw it, as SVG.")
@click.option("--png", type=_FILE, metavar="OUT", help="Draw it, as PNG (extra figures).")
@_JSON
def show(file: Path, svg: Path | None, png: Path | None, *, as_json: bool) -> None:
    """Tell what is in a workload file, and draw it.

    \b
    Example:
      kernel-trainer workload show build.workload --svg build.svg
    """  # noqa: D301 — click's \b keeps the lines apart
    found = read(file)
    for output in (svg, png):
        if output is not None:
            save_picture(found, output, png=output is png)
    description = describe(found)
    click.echo(orjson.dumps(description) if as_json else render(description))


@workload.command()
@click.argument("file", type=_FILE)
@click.option("--train", required=True, type=_FILE, metavar="OUT", help="File for the first half.")
@click.option("--hidden", required=True, type=_FILE, metavar="OUT", help="File for the second half.")
@click.option("--kind", help="What the trace is for (default: what its format is for).")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="FILE is a trace (default: as its name ends).")
@_COLUMN
@_CAPACITY
@_NAME
@click.option("--progress", is_flag=True, hidden=True, help="Show progress though standard error is no terminal.")
def split(
    file: Path,
    train: Path,
    hidden: Path,
    kind: str | None,
    format_: str | None,
    column: str | None,
    capacity: int | None,
    name: str | None,
    *,
    progress: bool,
) -> None:
    """Cut a workload, or a trace, in the middle: one half to search with, one to judge by.

    \b
    Example:
      kernel-trainer workload split build.workload --train build.train.workload --hidden build.hidden.workload
    """  # noqa: D301 — click's \b keeps the lines apart
    with Bar(sys.stderr, shown=progress or sys.stderr.isatty()) as bar:
        parts = parts_of(file, kind=kind, format=format_, column=column, name=name, capacity=capacity, bar=bar)
        for part, output in zip(parts, (train, hidden), strict=True):
            save(part, output)
    for part, output in zip(parts, (train, hidden), strict=True):
        _tell(part, output)


@workload.command()
@_KIND
@click.option("--family", required=True, help="Of the kind's families: `workload families` lists them.")
@click.option("--seed", required=True, help="Any text: same seed, same requests.")
@click.option("--output", type=_FILE, metavar="OUT", help="File for one workload, whole.")
@click.option("--train", type=_FILE, metavar="OUT", help="Instead, with --hidden: two, from different seeds.")
@click.option("--hidden", type=_FILE, metavar="OUT", help="File for the other.")
@click.option("--length", type=int, metavar="N", help="Requests, or units of time (default: the family's own).")
@_CAPACITY
@_NAME
def generate(
    kind: str,
    family: str,
    seed: str,
    output: Path | None,
    train: Path | None,
    hidden: Path | None,
    length: int | None,
    capacity: int | None,
    name: str | None,
) -> None:
    """Make a workload, or a train and a hidden part, of a family of loads.

    \b
    Example:
      kernel-trainer workload generate --family zipf --seed monday --output zipf.workload
    """  # noqa: D301 — click's \b keeps the lines apart
    options = {"kind": kind, "length": length, "capacity": capacity, "name": name}
    if output is not None and train is None and hidden is None:
        made = {output: families.generate(family, seed, **options)}  # type: ignore[arg-type]
    elif output is None and train is not None and hidden is not None:
        made = dict(zip((train, hidden), families.two_parts(family, seed, **options), strict=True))
    else:
        raise click.UsageError("give --output OUT, or --train OUT and --hidden OUT")
    for path, generated in made.items():
        save(generated, path)
        _tell(generated, path)


@workload.command("families")
@_KIND
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: meanings by name.")
def families_(kind: str, *, as_json: bool) -> None:
    """List the families of loads that can be generated.

    \b
    Example:
      kernel-trainer workload families --kind cpu_scheduling
    """  # noqa: D301 — click's \b keeps the lines apart
    known = families.families_of(kind)
    if as_json:
        click.echo(orjson.dumps({name: family.meaning for name, family in known.items()}))
        return
    for name, family in known.items():
        click.echo(f"{name:<12} {family.meaning}")


@workload.command("list")
@_KIND
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a recording.")
def list_(kind: str, *, as_json: bool) -> None:
    """List the recordings that come with the project.

    \b
    Example:
      kernel-trainer workload list --kind io_scheduling
    """  # noqa: D301 — click's \b keeps the lines apart
    declared = kind_of(kind)
    for found in scoring.bundled(kind):
        if as_json:
            facts = {key: getattr(found, key) for key in ("id", "kind", "name", "part", "capacity", "origin")}
            click.echo(orjson.dumps({**facts, declared.rows: found.rows, declared.size: found.size}))
        else:
            counts = f"{found.rows:>7} {declared.rows} {found.size:>6} {declared.size}"
            click.echo(f"{found.name:<12} {found.part:<7} {counts}")


@workload.command()
@click.option("--kind", help="Of one component kind (default: of all).")
@click.option("--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Directory to fill.")
def bundled(kind: str | None, output: Path) -> None:
    """Write the recordings that come with the project as files KIND.NAME.PART.workload, train and hidden parts.

    \b
    Example:
      kernel-trainer workload bundled --output workloads
    """  # noqa: D301 — click's \b keeps the lines apart
    output.mkdir(parents=True, exist_ok=True)
    with Bar.on_terminal() as bar:
        for name in [kind] if kind else kinds():
            bar.stage(name)
            for found in scoring.bundled(name):
                save(found, output / f"{found.kind}.{found.name}.{found.part}.workload")


def _tell(made: Workload, output: Path) -> None:
    """Say what was written; on standard error, as standard output may be a recorded command's."""
    kind = kind_of(made.kind)
    click.echo(f"{output}: {made.rows} {kind.rows}, {made.size} {kind.size}, part {made.part}", err=True)
