"""What most commands need: the home option."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from mqtt_hub.home import Home

__all__ = ["home_option"]

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
