"""How every command of this project ends: an error is one line with its exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from mqtt_hub.protocol.errors import MqttHubError

__all__ = ["Commands"]


class Commands(click.Group):
    """A click group that shows `MqttHubError` as one line, and ends quietly when its reader went away."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except MqttHubError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            # Python would complain when it flushes standard output at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
