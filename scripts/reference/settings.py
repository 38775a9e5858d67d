"""What can be set, with defaults: the tables of bounds, and config.toml as `mqtt-hub init` writes it."""

from __future__ import annotations

import tempfile
from dataclasses import fields
from pathlib import Path

from mqtt_hub.bounds import HubLimits
from mqtt_hub.bounds import explained as hub_explained
from mqtt_hub.broker.limits import Limits, explained
from mqtt_hub.config import Config
from mqtt_hub.external.settings import BrokerSettings
from mqtt_hub.home import Home

__all__ = ["config_markdown", "external_markdown", "hub_limits_markdown", "limits_markdown"]


def config_markdown() -> str:
    """Return a new home's config.toml."""
    with tempfile.TemporaryDirectory() as place:
        home = Home(Path(place) / "hub")
        home.create(Config())
        return f"```toml\n{home.config_path.read_text().strip()}\n```"


def limits_markdown(kind: type[Limits | BrokerSettings] = Limits, title: str = "bound | default") -> str:
    """Return one line a bound of the broker: name, default, what happens there."""
    told, defaults = explained(kind), kind()
    lines = [f"| {title} | what happens there |", "|---|---|---|"]
    for bound in fields(kind):
        default = getattr(defaults, bound.name) or "none"
        lines += [f"| `{bound.name}` | {default} | {told[bound.name]} |"]
    return "\n".join(lines)


def hub_limits_markdown() -> str:
    """Return one line a bound of the hub itself."""
    told = hub_explained()
    lines = ["| bound | default | what happens there |", "|---|---|---|"]
    lines += [f"| `{bound.name}` | {bound.default} | {told[bound.name]} |" for bound in fields(HubLimits)]
    return "\n".join(lines)


def external_markdown() -> str:
    """Return one line a setting of an external broker."""
    return limits_markdown(BrokerSettings, "setting | default").replace("what happens", "meaning, and what happens", 1)
