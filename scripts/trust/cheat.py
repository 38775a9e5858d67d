"""The demonstration: every act of a cheat, how it was caught, what it cost. Exit code 1 where one went uncaught."""

from __future__ import annotations

import sys
import tempfile
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import orjson
from acts import ACTS, PEER, UncaughtError
from stage import HONEST, Stage, on_stage

from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import MqttHubError

WIDTH = 118


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    node: str
    tried: str
    caught: bool
    how: str
    cost: str


def play(home: Home) -> list[Row]:
    """Play every act; the last rows are of the honest nodes, whom nothing of it may have cost anything."""
    rows = []
    with on_stage(home) as stage, stage.puppet(PEER) as peer:
        for name, (tried, act) in ACTS.items():
            with stage.puppet(name) as cheat:
                try:
                    how, caught = act(stage, cheat, peer), True
                except UncaughtError as error:
                    how, caught = str(error), False
                rows.append(Row(name, tried, caught, how, cost(stage, name)))
        stage.until(
            lambda: stage.query("SELECT 1 FROM submissions u JOIN nodes n ON n.id = u.node WHERE name = ?", HONEST)
        )
        for name in (HONEST, PEER):
            unharmed = stage.standing(name).get("offences") == 0
            rows.append(Row(name, "is honest", unharmed, "nothing is held against it", cost(stage, name)))
    return rows


def cost(stage: Stage, name: str) -> str:
    """Return what a node's deeds came to."""
    standing = stage.standing(name)
    if not standing:
        return "nothing: the archive does not know it"
    deeds = [f"{standing[word]} {word}" for word in ("improvements", "offences") if standing[word]]
    return f"{', '.join(deeds) or 'no credit'}, trust {standing['trust']:.2f}, {standing['level']}"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Keep everything there.")
def main(*, as_json: bool, home: Path | None) -> None:
    """Let nodes with valid tokens cheat in every way we know, and print how each was caught."""
    place = Home(home.absolute() if home else Path(tempfile.mkdtemp(prefix="mqtt-hub-cheat-")))
    try:
        rows = play(place)
    except MqttHubError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(orjson.dumps([asdict(row) for row in rows], option=orjson.OPT_INDENT_2))
    else:
        show(rows)
        click.echo(
            f"the archive: {place.archive_path} (tables submissions, rejected, trust_events; views standings, offences)"
        )
    uncaught = [row.node for row in rows if not row.caught]
    if uncaught:
        click.echo(f"UNCAUGHT: {', '.join(uncaught)}", err=True)
    sys.exit(bool(uncaught))


def show(rows: list[Row]) -> None:
    """Print what was tried, how it was caught, what it cost."""
    for row in rows:
        click.echo(f"{row.node}: {row.tried}")
        verdict = ("unharmed" if row.node in (HONEST, PEER) else "caught") if row.caught else "NOT AS IT MUST BE"
        for title, text in ((verdict, row.how), ("cost", row.cost)):
            click.echo(textwrap.fill(f"{title}: {text}", WIDTH, initial_indent="    ", subsequent_indent=" " * 8))


if __name__ == "__main__":
    main()
