"""The access rule and the accounts in the words of other brokers.

::

    accounts.db ──┐
    may() ──▶ grants ──┬─▶ mosquitto   passwords, acl, mosquitto.conf
                       └─▶ nats        accounts.conf, nats.conf

What a broker cannot say is told in docs/external-broker.md; the hub asks `may` again for all it archives.
"""

from __future__ import annotations

from mqtt_hub.rules.files import BROKERS, Files, write_rules

__all__ = ["BROKERS", "Files", "write_rules"]
