"""mosquitto 2.0: a password file, an access file, and a configuration to begin with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mqtt_hub.accounts import AccountRecord
from mqtt_hub.rules.grants import grants

__all__ = ["access", "configuration", "passwords"]


def passwords(accounts: Sequence[AccountRecord]) -> str:
    """Return the password file: one ``name:verifier`` a line."""
    return "".join(f"{account.name}:{account.mosquitto_hash}\n" for account in accounts)


def access(accounts: Sequence[AccountRecord], prefix: str) -> str:
    """Return the access file: what each user may write and read. What is not listed is not delivered."""
    sections = []
    for account in accounts:
        granted = grants(account.role, account.name, prefix)
        lines = [f"user {account.name}"]
        lines += [f"topic write {filter_}" for filter_ in granted.publish]
        lines += [f"topic read {filter_}" for filter_ in granted.receive]
        sections.append("\n".join(lines) + "\n")
    return "\n".join(sections)


def configuration(directory: Path, host: str, port: int) -> str:
    """Return a configuration in which these files work and nothing is lost that need not be."""
    return f"""\
# Written once by `mqtt-hub rules mosquitto`, then yours.
# Start: mosquitto -c {directory}/mosquitto.conf

listener {port} {host}
allow_anonymous false
password_file {directory}/passwords
acl_file {directory}/acl
# A client's session belongs to its account: nobody ends the hub's connection, or takes its queue, by using its id.
use_username_as_clientid true
# For TLS: certfile, keyfile, and mqtts:// in the hub's url
#certfile /etc/mosquitto/certs/server.pem
#keyfile /etc/mosquitto/certs/server.key

# The protocol knows no larger payloads.
message_size_limit 262144
# mosquitto's own bounds, 20 in flight and 1,000 queued, slow the hub down, and drop what it acknowledged.
max_inflight_messages 1000
# (Not 0, unlimited: mosquitto 2.0.11 then cuts off whoever publishes where it may not, acknowledged and all.)
max_queued_messages 1000000
max_queued_bytes 268435456
set_tcp_nodelay true

# Sessions, queues and retained messages survive a restart; a kill costs what came since the last save, and no message:
# senders keep what has no receipt, and all say again who they are. (autosave_on_changes would write everything anew
# with each message.)
persistence true
persistence_location {directory}/
autosave_interval 60
"""
