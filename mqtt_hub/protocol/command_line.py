"""How every command of this project ends: an error is one line with its exit code, never a traceback.

And how it begins: a group may know commands by where they are, so that ``--help`` imports none of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from mqtt_hub.protocol.errors import MqttHubError

__all__ = ["Commands"]

_SHORT = 80  # characters of a line in the list of commands


class Commands(click.Group):
    """A click group that shows `MqttHubError` as one line, and ends quietly when its reader went away.

    Colours are left out where the output is no terminal, which is click's doing, and with ``NO_COLOR``.

    ``deferred``: commands by name, each with ``module:attribute`` and its line in the list of commands.
    """

    def __init__(self, *args: Any, deferred: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deferred = dict(deferred or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were given."""
        return [*self.deferred, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; a deferred one is imported now."""
        if cmd_name not in self.deferred:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.deferred[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from what is known of them."""
        known = [(name, super(Commands, self).get_command(ctx, name)) for name in super().list_commands(ctx)]
        rows = [(name, line) for name, (_, line) in self.deferred.items()]
        rows += [(name, command.get_short_help_str(_SHORT)) for name, command in known if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if os.environ.get("NO_COLOR"):  # https://no-color.org
            ctx.color = False
        try:
            return super().invoke(ctx)
        except MqttHubError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            # Python would complain when it flushes standard output at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
