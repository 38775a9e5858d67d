"""``mqtt-hub doctor``."""

from __future__ import annotations

import click

from mqtt_hub.cli.common import home_option
from mqtt_hub.doctor import checks
from mqtt_hub.home import Home
from mqtt_hub.protocol.findings import examine, tell

__all__ = ["doctor"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@home_option
@click.pass_context
def doctor(context: click.Context, home: Home, *, as_json: bool) -> None:
    """Look over a hub's home and this machine, and say what to do about what is found. Changes nothing.

    \b
    Example:
      mqtt-hub doctor
    """  # noqa: D301 — click's \b keeps the lines apart
    context.exit(tell(examine(checks(home)), as_json=as_json))
