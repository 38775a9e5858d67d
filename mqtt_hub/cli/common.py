"""What every command needs: the home option, and errors as one line."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import MqttHubError

__all__ = ["home_option", "one_line_errors"]

P = ParamSpec("P")
T = TypeVar("T")


def home_option(function: Callable[P, T]) -> Callable[P, T]:
    """Add ``--home``; the command gets a `Home`."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path.home() / ".mqtt-hub",
        envvar="MQTT_HUB_HOME",
        show_default="~/.mqtt-hub",
        show_envvar=True,
        callback=lambda _context, _option, path: Home(path.expanduser().absolute()),
        help="The hub's home directory.",
    )(function)


def one_line_errors(function: Callable[P, T]) -> Callable[P, T]:
    """Show an error as one line with its exit code; a reader that went away ends the command quietly."""

    @functools.wraps(function)
    def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except MqttHubError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(error.exit_code)
        except BrokenPipeError:
            # Python would complain when it flushes standard output at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    return guarded
