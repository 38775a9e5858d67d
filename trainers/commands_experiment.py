"""``kernel-trainer experiment``: what sharing is worth, measured."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import orjson

from trainers.arenas.errors import EvaluationError
from trainers.arenas.evaluate import bundled
from trainers.arenas.registry import DEFAULT, kind_of
from trainers.arenas.registry import kinds as known_kinds
from trainers.experiment.arms import ACROSS_KINDS, ARMS, CONTROL, SHUFFLED
from trainers.experiment.figure import figure
from trainers.experiment.hidden import Budget, rows, taken_up
from trainers.experiment.hidden import as_json as hidden_json
from trainers.experiment.hidden import as_text as hidden_text
from trainers.experiment.roles import ROLES
from trainers.experiment.settings import Pair, Setting
from trainers.experiment.sharing import Design, records
from trainers.experiment.statistics import effect
from trainers.experiment.text import as_json, as_text

__all__ = ["experiment"]


@click.group()
def experiment() -> None:
    """Experiments on the search itself, in this process and without a hub."""


@experiment.command()
@click.option("--kind", default=DEFAULT, show_default=True, help="Component kind.")
@click.option("--workloads", metavar="A,B,…", help="Names of bundled workloads (default: all of the kind).")
@click.option(
    "--setting",
    "settings",
    multiple=True,
    type=click.Choice([str(one) for one in Setting]),
    help="Repeatable (default: all four).",
)
@click.option("--arm", "arms", multiple=True, type=click.Choice(list(ARMS)), help="Repeatable (default: all).")
@click.option("--nodes", type=click.IntRange(2, 16), default=4, show_default=True, help="Of each fleet.")
@click.option("--evaluations", type=click.IntRange(100), default=2000, show_default=True, help="Of each node.")
@click.option("--seeds", type=click.IntRange(1, 1000), default=10, show_default=True, help="1 to so many.")
@click.option("--leave-one-out", is_flag=True, help="Also run `all` without each node's gifts: what they are worth.")
@click.option(
    "--processes", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="processors", help="At a time."
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the JSON there as well, after each seed."
)
@click.option("--json", "as_json_", is_flag=True, help="Print one JSON object.")
def sharing(
    kind: str,
    workloads: str | None,
    settings: tuple[str, ...],
    arms: tuple[str, ...],
    nodes: int,
    evaluations: int,
    seeds: int,
    leave_one_out: bool,  # noqa: FBT001 — click passes flags so
    processes: int,
    output: Path | None,
    as_json_: bool,  # noqa: FBT001 — click passes flags so
) -> None:
    """Measure what sharing adds to scores on hidden workloads, for the same budget and seeds.

    \b
    Example, a coarse answer in some minutes:
      kernel-trainer experiment sharing --setting late --evaluations 400 --seeds 6
    """  # noqa: D301 — click's \b keeps the lines apart
    design = Design(
        pairs=_pairs(kind, workloads),
        settings=tuple(Setting(name) for name in settings) or tuple(Setting),
        arms=tuple(dict.fromkeys((CONTROL, *arms))) if arms else tuple(ARMS),
        nodes=nodes,
        evaluations=evaluations,
        seeds=seeds,
        abroad=_abroad(kind),
        leave_one_out=leave_one_out,
    )
    found, of_a_seed = [], len(design.cells()) // seeds
    with click.progressbar(length=len(design.cells()), label="cells", file=sys.stderr) as bar:
        for at, some in enumerate(records(design, processes=processes), 1):
            found += some
            bar.update(1)
            if output is not None and at % of_a_seed == 0:  # an experiment that is ended early is an answer too
                _write(output, orjson.dumps(as_json(replace(design, seeds=at // of_a_seed), found)))
    click.echo(orjson.dumps(as_json(design, found)) if as_json_ else as_text(design, found))


@experiment.command()
@click.option("--kind", "kinds", multiple=True, help="Component kind, repeatable (default: all with recordings).")
@click.option("--workloads", metavar="A,B,…", help="Names of bundled workloads (default: all of the kind).")
@click.option("--nodes", type=click.IntRange(1, 16), default=4, show_default=True, help="Of each fleet.")
@click.option(
    "--evaluations", type=click.IntRange(100), default=2000, show_default=True, help="Of each node, over all workloads."
)
@click.option("--each", is_flag=True, help="So many evaluations for each workload, instead of over all.")
@click.option(
    "--arm",
    type=click.Choice([arm for arm in ARMS if arm not in (SHUFFLED, *ACROSS_KINDS)]),
    default="all",
    show_default=True,
    help="What nodes share.",
)
@click.option("--seeds", type=click.IntRange(1, 1000), default=1, show_default=True, help="1 to so many.")
@click.option(
    "--processes", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="processors", help="At a time."
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the JSON there, after each fleet."
)
@click.option("--resume", is_flag=True, help="Go on from what --output holds: what ended early is not run again.")
@click.option("--json", "as_json_", is_flag=True, help="Print one JSON array, an object a kind.")
def hidden(
    kinds: tuple[str, ...],
    workloads: str | None,
    nodes: int,
    evaluations: int,
    each: bool,  # noqa: FBT001 — click passes flags so
    arm: str,
    seeds: int,
    processes: int,
    output: Path | None,
    resume: bool,  # noqa: FBT001 — click passes flags so
    as_json_: bool,  # noqa: FBT001 — click passes flags so
) -> None:
    """Show what a fleet reaches on hidden workloads beside the best baseline, and where it wins and loses.

    \b
    Example:
      kernel-trainer experiment hidden --kind page_replacement
    """  # noqa: D301 — click's \b keeps the lines apart
    budget = Budget(nodes, evaluations, arm, each)
    told = _by_kind(output) if resume and output is not None and output.exists() else {}
    for kind in kinds or [name for name in known_kinds() if bundled(name)]:
        pairs = _pairs(kind, workloads)
        try:
            found = taken_up(told[kind], budget, pairs) if kind in told else []
        except (ValueError, KeyError, TypeError) as error:
            raise EvaluationError(f"{output} is of another run: {error}", hint="without --resume it begins") from error
        work = rows(pairs, budget, seeds=seeds, processes=processes, done={(row.seed, row.workload) for row in found})
        with click.progressbar(work, len(pairs) * seeds - len(found), kind, file=sys.stderr) as bar:
            for row in bar:
                found.append(row)
                told[kind] = hidden_json(kind, budget, found)
                if output is not None:  # a run that is ended early keeps what it has
                    _write(output, orjson.dumps(list(told.values())))
        if not as_json_:
            click.echo(hidden_text(kind, found))
    if as_json_:
        click.echo(orjson.dumps(list(told.values())))


@experiment.command(name="figure")
@click.argument("results", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Write the picture there.")
def draw(results: tuple[Path, ...], svg: Path) -> None:
    """Draw what arms add, with intervals, from what `sharing --output` wrote: a panel a setting.

    \b
    Example:
      kernel-trainer experiment figure late.json same.json --svg sharing.svg
    """  # noqa: D301 — click's \b keeps the lines apart
    told = []
    for path in results:
        try:
            told.append(orjson.loads(path.read_bytes()))
            told[-1]["effects"].items(), told[-1]["gifts"].items()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise EvaluationError(f"{path}: this is not what `experiment sharing --output` writes") from error
    _write(svg, figure(told).encode().rstrip(b"\n"))


@experiment.command(name="effect")
@click.argument("differences", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json_", is_flag=True, help="Print one JSON object, with the interval over workloads too.")
def effect_of(differences: Path, as_json_: bool) -> None:  # noqa: FBT001 — click passes flags so
    """Show the mean of paired differences with its interval: JSON, {"workload": [one a seed, …], …}.

    \b
    Example:
      kernel-trainer experiment effect differences.json
    """  # noqa: D301 — click's \b keeps the lines apart
    try:
        told = effect(
            {str(name): [float(one) for one in some] for name, some in orjson.loads(differences.read_bytes()).items()}
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise EvaluationError(f"{differences}: {error}") from error
    click.echo(orjson.dumps(told) if as_json_ else f"{told.mean:+.3f} [{told.seeds.low:+.3f} {told.seeds.high:+.3f}]")


def _pairs(kind: str, names: str | None) -> tuple[Pair, ...]:
    """Return the two parts of each bundled workload that is named."""
    parts = {(workload.name, workload.part): workload for workload in bundled(kind_of(kind).name)}
    known = [name for name, part in parts if part == "train" and (name, "hidden") in parts]
    wanted = names.split(",") if names else known
    if unknown := [name for name in wanted if name not in known]:
        raise EvaluationError(f"{kind} has no bundled workload {unknown[0]!r}", hint=f"known: {', '.join(known)}")
    return tuple(Pair(parts[name, "train"], parts[name, "hidden"]) for name in wanted)


def _abroad(kind: str) -> tuple[Pair, ...]:
    """Return the bundled workloads of the other kinds whose features have roles."""
    return tuple(pair for other in ROLES if other != kind for pair in _pairs(other, None))


def _by_kind(path: Path) -> dict[str, dict[str, Any]]:
    """Return what `hidden --output` wrote, by kind."""
    try:
        return {some["kind"]: some for some in orjson.loads(path.read_bytes())}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(f"{path}: this is not what `experiment hidden --output` writes") from error


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data + b"\n")
    except OSError as error:
        raise EvaluationError(f"{path}: {error.strerror or error}") from error
