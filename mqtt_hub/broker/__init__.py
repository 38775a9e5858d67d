"""The embedded MQTT broker: amqtt's configuration, listeners and plugins around a connection handling of ours."""

from __future__ import annotations

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
