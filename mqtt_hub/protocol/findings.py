"""What a doctor finds: one line a check, with what to do about it; for `mqtt-hub doctor` and `kernel-trainer doctor`.

::

    checks (functions that yield Findings) ──▶ examine ──▶ lines for people, JSON for machines, an exit code
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

import click
import orjson

from mqtt_hub.protocol.bar import Bar
from mqtt_hub.protocol.errors import MqttHubError

__all__ = ["Check", "Finding", "Level", "examine", "tell"]

Level: TypeAlias = Literal["ok", "warning", "problem"]
_COLOURS: dict[Level, str] = {"ok": "green", "warning": "yellow", "problem": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; ``advice`` says what to do where it is not ``ok``."""

    check: str
    level: Level
    found: str
    advice: str = ""


Check: TypeAlias = tuple[str, Callable[[], Iterable[Finding]]]


def examine(checks: Iterable[Check]) -> Iterator[Finding]:
    """Run the checks in order; one that raises `MqttHubError` has found a problem."""
    for name, check in checks:
        try:
            yield from check()
        except MqttHubError as error:
            yield Finding(name, "problem", error.facts, error.hint)


def tell(findings: Iterable[Finding], *, as_json: bool) -> int:
    """Print findings as they come; return the exit code: 0, or 1 where there is a problem."""
    told = []
    with Bar.on_terminal() as bar:
        bar.stage("looking")
        for finding in findings:
            told.append(finding)
            if as_json:
                continue
            bar.aside()
            level = click.style(f"{finding.level:<8}", _COLOURS[finding.level])
            click.echo(f"{level} {finding.check:<14} {finding.found}")
            if finding.advice:
                click.echo(f"{'':<23} → {finding.advice}")
    if as_json:
        click.echo(orjson.dumps([asdict(finding) for finding in told], option=orjson.OPT_INDENT_2))
    return int(any(finding.level == "problem" for finding in told))
