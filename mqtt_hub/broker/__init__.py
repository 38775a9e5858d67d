"""The embedded MQTT broker: amqtt's configuration, listeners and plugins around a connection handling of ours.

The names below are imported when they are first asked for: whoever only reads settings (`broker.limits`), as every
command does, does not wait for amqtt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mqtt_hub.broker.delivery import Consumer, Delivery
    from mqtt_hub.broker.identity import Account, Action, Authenticator, Credentials, May
    from mqtt_hub.broker.limits import Limits
    from mqtt_hub.broker.opening import open_broker, serve_open
    from mqtt_hub.broker.server import HubBroker
    from mqtt_hub.broker.state_file import StateFile

__all__ = [
    "Account",
    "Action",
    "Authenticator",
    "Consumer",
    "Credentials",
    "Delivery",
    "HubBroker",
    "Limits",
    "May",
    "StateFile",
    "open_broker",
    "serve_open",
]

_MODULES = {
    "delivery": ("Consumer", "Delivery"),
    "identity": ("Account", "Action", "Authenticator", "Credentials", "May"),
    "limits": ("Limits",),
    "opening": ("open_broker", "serve_open"),
    "server": ("HubBroker",),
    "state_file": ("StateFile",),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import what is asked for (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = found
    return found
