"""``mqtt-hub dashboard``: the live view by itself; `mqtt-hub serve` starts the same."""

from __future__ import annotations

from pathlib import Path

import click

from mqtt_hub.cli.common import home_option
from mqtt_hub.config import DEFAULT_DASHBOARD_PORT
from mqtt_hub.home import Home
from mqtt_hub.protocol.log import log_to

__all__ = ["dashboard"]


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Beyond loopback it asks everybody for a login.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_DASHBOARD_PORT, show_default=True, help="0: any free port."
)
@click.option("--with-parent", is_flag=True, hidden=True, help="End when standard input closes.")
@click.option("--log-file", type=click.Path(dir_okay=False, path_type=Path), help="Instead of standard error.")
@home_option
def dashboard(host: str, port: int, with_parent: bool, log_file: Path | None, home: Home) -> None:  # noqa: FBT001 — click passes flags so
    """Show the fleet live in a browser; reads the archive and the hub's status, also while the hub is away.

    \b
    Example:
      mqtt-hub dashboard                   # http://127.0.0.1:8080; mqtt-hub serve starts it too
      mqtt-hub dashboard --host 0.0.0.0    # asks for a login: operator or an observer's account
    """  # noqa: D301 — click's \b keeps the lines apart
    from mqtt_hub.dashboard.server import serve_dashboard  # noqa: PLC0415 — slow to import

    home.config()
    log_to(log_file)
    serve_dashboard(home, host, port, lambda url: click.echo(f"dashboard: {url}"), with_parent=with_parent)
