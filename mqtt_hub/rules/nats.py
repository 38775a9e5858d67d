"""nats-server 2.10 and newer: an account with its users, and a configuration to begin with.

MQTT's levels are NATS's tokens: ``a/+/c/#`` is ``a.*.c.>``. A filter that ends in ``#`` is two subjects, for it covers
the bare parent as well; and whoever subscribes at QoS 1 is delivered to on a subject under ``$MQTT.sub``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from mqtt_hub.accounts import AccountRecord
from mqtt_hub.rules.grants import grants

__all__ = ["accounts_block", "configuration"]

_SUBJECT = str.maketrans("/+#", ".*>")
_DELIVERIES = "$MQTT.sub.>"


def accounts_block(accounts: Sequence[AccountRecord], prefix: str) -> str:
    """Return the ``accounts`` block: every user with a bcrypt password and permissions."""
    users = "\n".join(_user(account, prefix) for account in accounts)
    return f"accounts {{\n  KERNEL {{\n    jetstream: enabled\n    users: [\n{users}\n    ]\n  }}\n}}\n"


def _user(account: AccountRecord, prefix: str) -> str:
    granted = grants(account.role, account.name, prefix)
    publish, subscribe = _subjects(granted.publish), [*_subjects(granted.receive), _DELIVERIES]
    # An empty list allows everything: who may publish nothing is denied all.
    sending = f"{{ allow: {json.dumps(publish)} }}" if publish else '{ deny: [">"] }'
    return (
        f"      {{ user: {json.dumps(account.name)}, password: {json.dumps(account.bcrypt_hash)}, permissions: {{\n"
        f"          publish: {sending}\n"
        f"          subscribe: {{ allow: {json.dumps(subscribe)} }} }} }}"
    )


def _subjects(filters: Iterable[str]) -> list[str]:
    subjects = []
    for filter_ in filters:
        if filter_.endswith("/#"):
            subjects.append(filter_[:-2].translate(_SUBJECT))
        subjects.append(filter_.translate(_SUBJECT))
    return subjects


def configuration(directory: Path, host: str, port: int) -> str:
    """Return the configuration of a single server."""
    return f"""\
# Written once by `mqtt-hub rules nats`, then yours.
# Start: nats-server -c {directory}/nats.conf

server_name: mqtt-hub
listen: "127.0.0.1:-1"   # NATS's own clients: none are needed
jetstream {{ store_dir: "{directory}/jetstream" }}
mqtt {{
  listen: "{host}:{port}"
  ack_wait: "30s"        # what the hub has not acknowledged by then is sent again
  max_ack_pending: 1024
  # For TLS: tls {{ cert_file: "server.pem", key_file: "server.key" }}, and mqtts:// in the hub's url
  # A cluster of three: stream_replicas: 3, and a cluster block on each node with a server_name of its own
}}
max_payload: 262144      # the protocol knows no larger ones
include "accounts.conf"
"""
