"""``mqtt-hub browse``: the archive in Datasette."""

from __future__ import annotations

import importlib.util
from contextlib import suppress

import click

from mqtt_hub.cli.common import home_option
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["browse"]


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; anybody there can read.")
@click.option("--port", default=8001, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@home_option
def browse(host: str, port: int, home: Home) -> None:
    """Browse the archive in Datasette, read-only, also while the hub runs; Ctrl-C ends it.

    \b
    Example:
      mqtt-hub browse

    \b
    Tables with every column explained, canned queries, full-text search, e.g.
    http://127.0.0.1:8001/archive/leaderboard
    http://127.0.0.1:8001/search/knowledge?_search=ghost_rank
    """  # noqa: D301 — click's \b keeps the lines apart
    if importlib.util.find_spec("datasette") is None:
        raise ConfigurationError("Datasette is not installed", hint="pip install 'mqtt-hub[browse]'")
    from mqtt_hub.browse.site import serve_site  # noqa: PLC0415 — an extra, and slow to import

    with suppress(KeyboardInterrupt):  # uvicorn ends, and raises it again
        serve_site(home.archive_path, home.path / "search.db", host, port, click.echo)
