"""``kernel-trainer doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from mqtt_hub.protocol.findings import examine, tell
from trainers.doctor import checks

__all__ = ["doctor"]


@click.command()
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="The node's home.")
@click.option("--host", help="The hub's broker, to see whether it can be reached.")
@click.option("--port", type=click.IntRange(1, 65535), default=1883, show_default=True, help="The broker's port.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.pass_context
def doctor(context: click.Context, home: Path | None, host: str | None, port: int, *, as_json: bool) -> None:
    """Look whether this machine can run a node, and say what to do about what is found.

    \b
    Example:
      kernel-trainer doctor --host 127.0.0.1 --home ~/.kernel-trainer/AI_Node_1
    """  # noqa: D301 — click's \b keeps the lines apart
    context.exit(tell(examine(checks(home, (host, port) if host else None)), as_json=as_json))
