"""``kernel-trainer tests``, ``check`` and ``export``. Parse, call, print."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from mqtt_hub.protocol.bar import Bar
from mqtt_hub.protocol.provenance import Provenance
from trainers.arenas.errors import EvaluationError
from trainers.arenas.evaluate import bundled, source_of
from trainers.arenas.evaluator import Evaluator
from trainers.arenas.registry import DEFAULT, kind_of
from trainers.policy import canonical, component_id, parse, to_c
from trainers.trials import TRIALS, Subject, tried
from trainers.trials.report import Report
from trainers.workloads.format import read
from trainers.yardstick import Yardstick

__all__ = ["check", "export", "tests"]

_FILE = click.Path(dir_okay=False, path_type=Path, allow_dash=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command()
@click.option("--kind", help="Only the tests that this kind has.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def tests(kind: str | None, *, as_json: bool) -> None:
    """List the tests that a component must pass, in the order in which they are run.

    \b
    Example:
      kernel-trainer tests
    """  # noqa: D301 — click's \b keeps the lines apart
    limited = kind is None or kind_of(kind).limit is not None
    listed = [trial for trial in TRIALS if limited or trial.name != "limits"]
    if as_json:
        keys = ("name", "stage", "judges", "meaning")
        click.echo(orjson.dumps([{key: getattr(trial, key) for key in keys} for trial in listed]))
        return
    for trial in listed:
        click.echo(f"{trial.stage}  {trial.name:<13} {trial.meaning}")


@click.command()
@click.argument("component", type=_FILE)
@click.option("--kind", help=f"Component kind (default: the workloads', else {DEFAULT}).")
@click.option(
    "--workload",
    "workloads",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Try it on this one (repeatable; hidden parts are held back as a validator does). Default: what the kind has.",
)
@click.option("--target", default="", help="Name of the workload that it is meant for (default: any).")
@_JSON
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write JUnit XML to this file.")
@click.pass_context
def check(
    context: click.Context,
    component: Path,
    kind: str | None,
    workloads: tuple[Path, ...],
    target: str,
    *,
    as_json: bool,
    junit: Path | None,
) -> None:
    """Run every test on a component's source (- reads standard input), as a validator does and some more.

    Exit code 0: nothing failed; 1: something did.

    \b
    Example:
      kernel-trainer check mine.policy --kind page_replacement --junit report.xml
    """  # noqa: D301 — click's \b keeps the lines apart
    given = [read(path) for path in workloads]
    kinds = {item.kind for item in given} | ({kind} if kind else set())
    if len(kinds) > 1:
        raise EvaluationError(f"one kind at a time, not {' and '.join(sorted(kinds))}")
    declared = kind_of(next(iter(kinds), DEFAULT))
    parts = given or list(bundled(declared.name))
    with Evaluator(declared.name) as evaluator, Bar.on_terminal() as bar:
        subject = Subject(
            kind=declared,
            source=source_of(component),
            evaluator=evaluator,
            yardstick=Yardstick(evaluator),
            train=[part for part in parts if part.part != "hidden"],
            hidden=[part for part in parts if part.part == "hidden"],
            target=target,
        )
        report = Report.of(subject, str(component), list(tried(subject, begin=bar.stage)))
    if junit is not None:
        _write(junit, report.junit())
    click.echo(orjson.dumps(report.json()) if as_json else report.text())
    context.exit(0 if report.passed else 1)


@click.command()
@click.argument("component", type=_FILE)
@click.option("--as", "form", type=click.Choice(["c", "policy"]), required=True, help="C, or canonical source.")
@click.option("--kind", default=DEFAULT, show_default=True, help="Component kind.")
@click.option("--author", "authors", multiple=True, help="To be named in the header (repeatable).")
def export(component: Path, form: str, kind: str, authors: tuple[str, ...]) -> None:
    """Write a component's source (- reads standard input) as a file to read, with its provenance on top.

    What the archive knows of a component, verdict and scores too: mqtt-hub component show ID --as c.

    \b
    Example:
      kernel-trainer export mine.policy --as c --author AI_Node_1
    """  # noqa: D301 — click's \b keeps the lines apart
    parsed = parse(source_of(component), kind_of(kind).form)
    head = Provenance(kind, component_id(parsed), authors)
    click.echo(head.c(to_c(parsed)) if form == "c" else head.policy(canonical(parsed)), nl=False)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise EvaluationError(f"{path}: {error.strerror or error}") from error
