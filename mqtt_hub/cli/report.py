"""``mqtt-hub report``: one HTML file about a run."""

from __future__ import annotations

import importlib.util
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from mqtt_hub.cli.common import home_option
from mqtt_hub.home import Home
from mqtt_hub.protocol.bar import Bar
from mqtt_hub.protocol.codec import stamp
from mqtt_hub.protocol.errors import ConfigurationError

if TYPE_CHECKING:
    from mqtt_hub.report.figures import Drawing

__all__ = ["report"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--out", type=_FILE, show_default="report.html in the home", help="Where the page goes.")
@click.option("--open", "open_", is_flag=True, help="Open the page in a browser.")
@click.option(
    "--figures", type=click.Path(file_okay=False, path_type=Path), help="Write every figure there too, as SVG and PNG."
)
@click.option(
    "--experiment",
    type=_FILE,
    help="What sharing adds, as kernel-trainer experiment sharing --output FILE has measured it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the data as one JSON object; a page only with --out.")
@home_option
def report(
    out: Path | None,
    open_: bool,  # noqa: FBT001 — click passes flags so
    figures: Path | None,
    experiment: Path | None,
    as_json: bool,  # noqa: FBT001 — click passes flags so
    home: Home,
) -> None:
    """Write one HTML file about a run: what was found, by whom, with whose help, losses too, and how to repeat it.

    It reads the archive, also while the hub runs, and writes nothing there. The page needs no other file.

    \b
    Example:
      mqtt-hub report --open
      mqtt-hub report --out run.html --figures figures --experiment sharing.json
    """  # noqa: D301 — click's \b keeps the lines apart
    from mqtt_hub.report.facts import gather  # noqa: PLC0415 — slow to import
    from mqtt_hub.report.page import render  # noqa: PLC0415 — slow to import

    wanted = out if as_json else out or home.path / "report.html"
    if as_json and open_ and wanted is None:
        raise ConfigurationError("--json makes no page that could be opened", hint="--out FILE makes one as well")
    draws = wanted is not None or figures is not None
    if draws:
        _need_matplotlib()
    said = []
    with Bar.on_terminal() as bar:
        bar.stage("asking the archive")
        facts = gather(home, now=stamp(time.time()), experiment=experiment)
        bar.stage("drawing the figures")
        drawings = _drawings(facts) if draws else []
        if figures is not None:
            for drawing in drawings:
                _write(figures / f"{drawing.name}.svg", drawing.svg())
                _write(figures / f"{drawing.name}.png", drawing.png())
            said.append(f"{figures}: {len(drawings)} figures, as SVG and PNG")
        if wanted is not None:
            _write(wanted, render(facts, drawings))
            said.append(_told(wanted, facts))
    for line in said:
        click.echo(line, err=as_json)
    if as_json:
        click.echo(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
    if open_ and wanted is not None and not webbrowser.open(wanted.absolute().as_uri()):
        raise ConfigurationError("no browser could be started here", hint=f"open {wanted} yourself")


def _need_matplotlib() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigurationError(
            "matplotlib is not installed, which draws the figures",
            hint="pip install 'mqtt-hub[report]'; --json does without",
        )


def _drawings(facts: dict[str, Any]) -> list[Drawing]:
    from mqtt_hub.report.figures import draw  # noqa: PLC0415 — an extra, and slow to import

    return draw(facts)


def _told(path: Path, facts: dict[str, Any]) -> str:
    found = facts["found"]
    if not found["messages"]:
        return f"{path}: nothing has been archived yet, and the page says so"
    return f"{path}: {found['messages']:,} messages, {facts['wins']['workloads']} hidden workloads"


def _write(path: Path, data: bytes) -> None:
    """Write a file in one step, so that nobody ever sees half of it; raises `ConfigurationError`."""
    draft = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: {error.strerror}", hint="--out and --figures choose another place"
        ) from error
