"""Every bound of the broker, with its unit in its name, and what happens there.

Where a bound meets something that must not be lost it becomes back-pressure (the broker stops reading from a
socket); where it meets something that may be lost, the loss is counted and shown by ``HubBroker.counters``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

__all__ = ["Limits", "explained"]

_KIB = 1024
_MIB = 1024 * 1024
_PACKET_IDS = 0xFFFF  # of which each message in flight holds one
_MQTT_BYTES = 5 + 268_435_455  # fixed header and the longest remaining length, 2.2.3


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one broker; every one can be given, all have defaults for a few thousand small nodes.

    ============================== ==========================================================================
    bound                          what happens there
    ============================== ==========================================================================
    connect_timeout_s              no CONNACK by then: the connection is closed
    linger_s                       a closed connection that does not take its last bytes by then is aborted
    connections_max                a further connection is closed at once
    connections_per_address_max    the same; the addresses of an IPv6 /64 count as one
    connections_per_account_max    CONNECT: return code 3 (server unavailable); anonymous clients are no account
    logins_at_once_max             further logins wait for their turn, within connect_timeout_s
    login_failures_free_max        after each further failed login its address, and its account name, must wait: 1 s,
                                   2 s, 4 s …; CONNECT meanwhile: return code 3, unverified
    login_backoff_s_max            the longest such wait
    login_memory_s                 failures this long ago are forgotten
    login_keys_max                 remembered addresses, and names, with failures: the longest quiet is forgotten
    packet_bytes_max               a longer packet is malformed: closed when its length is read
    packets_per_turn_max           a connection's further packets wait for the next turn of the loop, so that
                                   nobody holds up the others
    client_id_bytes_max            CONNECT: return code 2 (identifier rejected)
    topic_bytes_max                PUBLISH: refused, acknowledged, counted; SUBSCRIBE: return code 0x80
    topic_levels_max               the same
    sessions_max                   CONNECT of a new session: return code 3 (server unavailable)
    sessions_per_account_max       CONNECT of a further persistent session: the same; anonymous clients are no account
    session_expiry_s               a session disconnected for that long is forgotten
    subscriptions_per_session_max  SUBSCRIBE: return code 0x80
    inflight_messages_max          further QoS 1 and 2 messages wait in the session's queue
    queue_messages_max             while connected: a slow reader, disconnected, its session kept;
                                   while away: the oldest queued message is dropped
    queue_bytes_max                the same
    qos0_backlog_bytes_max         QoS 0 for a reader that is behind: the oldest is dropped
    outgoing_bytes_max             a connection's unsent bytes: above it messages wait in the session, above
                                   twice of it (acknowledgements that the client does not read) nothing is
                                   read from it
    received_qos2_max              unreleased QoS 2 packet ids of one client: closed
    retained_messages_max          a message on a further topic is routed, but not retained
    retained_bytes_max             the same
    unacknowledged_messages_max    of one connection at the consumer: nothing is read from it
    unacknowledged_bytes_max       of one connection, payloads: the same
    unacknowledged_total_max       of all connections: nothing is read from whoever publishes next
    unacknowledged_total_bytes_max the same
    publish_messages_per_s_max     of one account, a message counting once for each 4 KiB begun, beyond the burst:
                                   nothing is read from its connections until it is due, so PUBACK waits; counted;
                                   anonymous clients are no account
    publish_burst_messages_max     so many at once after a pause
    decisions_per_session_max      cached access decisions: the cache starts anew
    routes_max                     cached topics: the cache starts anew
    deferred_messages_max          own messages and wills that wait for a plugin: dropped
    events_pending_max             plugin events that have not ended: further ones are not fired
    shutdown_timeout_s             a listener that does not close by then is left to the operating system
    ============================== ==========================================================================
    """

    connect_timeout_s: float = 10.0
    linger_s: float = 5.0
    connections_max: int = 10_000
    connections_per_address_max: int = 4_096
    connections_per_account_max: int = 256
    logins_at_once_max: int = 16
    login_failures_free_max: int = 5
    login_backoff_s_max: float = 30.0
    login_memory_s: float = 900.0
    login_keys_max: int = 10_000
    packet_bytes_max: int = 258 * _KIB  # a payload of 256 KiB, the longest topic and the header
    packets_per_turn_max: int = 1_000
    client_id_bytes_max: int = 256
    topic_bytes_max: int = _KIB
    topic_levels_max: int = 64
    sessions_max: int = 20_000
    sessions_per_account_max: int = 256
    session_expiry_s: float = 7 * 24 * 3600.0
    subscriptions_per_session_max: int = 10_000
    inflight_messages_max: int = 256
    queue_messages_max: int = 20_000
    queue_bytes_max: int = 32 * _MIB
    qos0_backlog_bytes_max: int = 2 * _MIB
    outgoing_bytes_max: int = _MIB
    received_qos2_max: int = 1_000
    retained_messages_max: int = 10_000
    retained_bytes_max: int = 16 * _MIB
    unacknowledged_messages_max: int = 1_000
    unacknowledged_bytes_max: int = 8 * _MIB
    unacknowledged_total_max: int = 20_000
    unacknowledged_total_bytes_max: int = 64 * _MIB
    publish_messages_per_s_max: float = 200.0
    publish_burst_messages_max: int = 2_000
    decisions_per_session_max: int = 4_096
    routes_max: int = 8_192
    deferred_messages_max: int = 10_000
    events_pending_max: int = 10_000
    shutdown_timeout_s: float = 5.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{field.name} is {value}, it must be more than 0")
        if self.inflight_messages_max > _PACKET_IDS:
            raise ValueError(f"inflight_messages_max is {self.inflight_messages_max}, not 1 to {_PACKET_IDS}")
        if self.packet_bytes_max > _MQTT_BYTES:
            raise ValueError(f"packet_bytes_max is {self.packet_bytes_max}, MQTT has none above {_MQTT_BYTES}")


def explained(kind: type) -> dict[str, str]:
    """Return what happens at each bound of a class such as `Limits`, by its name: the table in its docstring."""
    _, _head, table, _ = re.split(r"^ *=+ =+\n", kind.__doc__ or "", flags=re.MULTILINE)
    names = {item.name for item in fields(kind)}
    told: dict[str, str] = {}
    name = ""
    for line in table.splitlines():
        first, *rest = line.split()
        if first in names:
            name = first
            told[name] = " ".join(rest)
        else:
            told[name] += " " + " ".join([first, *rest])
    return told
