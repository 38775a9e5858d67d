"""An external broker as the hub's source: mosquitto, a NATS cluster, whatever speaks MQTT 3.1.1.

::

    settings ──▶ Target ──▶ ExternalSource ──▶ Dialer ──▶ HubConnection ──▶ broker
    what the operator set   │                 hosts in turn   packets, PUBACK after the commit
                            ├─ Senders    who sent it: the topic says so, the broker vouches for it
                            └─ Outgoing   the hub's own messages: queue, in-flight window, again after a loss
"""

from __future__ import annotations

from mqtt_hub.external.dialer import Login
from mqtt_hub.external.settings import BrokerSettings
from mqtt_hub.external.source import ExternalSource
from mqtt_hub.external.target import Target

__all__ = ["BrokerSettings", "ExternalSource", "Login", "Target"]
