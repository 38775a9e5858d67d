"""``mqtt-hub experiment``: what sharing is worth, over a real broker with processes."""

from __future__ import annotations

from pathlib import Path

import click

from mqtt_hub.experiment.compare import design_of, run_experiment
from mqtt_hub.experiment.fleet import ARMS

__all__ = ["experiment"]


@click.command()
@click.option("--kind", default="page_replacement", show_default=True, help="Component kind.")
@click.option("--workload", default="git", show_default=True, help="Name of a bundled workload of the kind.")
@click.option(
    "--arm", "arms", multiple=True, type=click.Choice(list(ARMS)), default=["all"], show_default=True,
    help="What trainers take from each other, repeatable; isolated is always run.",
)  # fmt: skip
@click.option("-n", "--nodes", type=click.IntRange(2, 16), default=4, show_default=True, help="Trainers of a fleet.")
@click.option("--evaluations", type=click.IntRange(100), default=400, show_default=True, help="Of each trainer.")
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True, help="1 to so many.")
@click.option("--no-twin", is_flag=True, help="Do not run the same in one process.")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Keep the fleets' homes there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def experiment(
    kind: str,
    workload: str,
    arms: tuple[str, ...],
    nodes: int,
    evaluations: int,
    seeds: int,
    no_twin: bool,  # noqa: FBT001 — click passes flags so
    home: Path | None,
    as_json: bool,  # noqa: FBT001 — click passes flags so
) -> None:
    """Measure what sharing adds in real fleets, beside the same in one process.

    \b
    Example, some minutes:
      mqtt-hub experiment --workload git --arm programs --arm all
    """  # noqa: D301 — click's \b keeps the lines apart
    design = design_of(kind, workload, arms, nodes, evaluations, seeds)
    run_experiment(design, home=home, twin=not no_twin, as_json=as_json)
