"""One live line a node: redrawn in place on a terminal, printed when it changes elsewhere."""

from __future__ import annotations

import shutil
import sys

import click

from mqtt_hub.observer import plain
from mqtt_hub.spawn import Child

__all__ = ["LiveLines"]


class LiveLines:
    """Shows lines; each call to `show` replaces those of the last."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._drawn = 0
        self._last: list[str] = []

    def show(self, lines: list[str]) -> None:
        """Draw the lines over the last ones, or print those that changed."""
        if not self._terminal:
            for line in lines:
                if line not in self._last:
                    click.echo(line)
            self._last = lines
            return
        width = shutil.get_terminal_size().columns - 1
        if self._drawn:
            click.echo(f"\x1b[{self._drawn}A", nl=False)
        for line in lines:
            click.echo(f"\x1b[2K{line[:width]}")
        self._drawn = len(lines)


def node_line(child: Child) -> str:
    """Return a node's live line: name, state, restarts, and what it last logged."""
    restarts = f" ({child.restarts} restarts)" if child.restarts else ""
    said = plain(child.last_line().split(" - ", 3)[-1])
    return f"{child.plan.name:<16} {child.state}{restarts:<14} {said}"
