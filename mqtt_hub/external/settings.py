"""What the operator may set of an external broker: the table ``[broker]`` in ``config.toml``."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

__all__ = ["BrokerSettings"]

_KEEP_ALIVE_S_MAX = 0xFFFF  # two bytes in CONNECT, 3.1.2.10
_PACKET_IDS = 0xFFFE  # of which each message in flight holds one, and SUBSCRIBE one


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Where the broker is, how the hub logs in, and the bounds of the connection.

    ============================== ==========================================================================
    setting                        meaning, and what happens at the bound
    ============================== ==========================================================================
    url                            "mqtt://hub@host:1883", or mqtts:// for TLS; empty: the embedded broker
    hosts                          further "host:port" to try in turn, e.g. the other nodes of a cluster
    client_id                      names the hub's persistent session; empty: a random one, kept in broker.id, for
                                   on some brokers whoever knows it can end the hub's connection
    password_file                  of the user in the url, readable by this user only; empty: tokens/hub
    ca_file                        the authority of the broker's certificate; empty: the system's
    certificate                    what to show a broker that asks for one (NAME.pem, its key in NAME.key)
    connect_timeout_s              no CONNACK and SUBACK by then: the next host
    keep_alive_s                   silence of the broker for 1.5 times as long ends the connection
    backoff_s_max                  the longest wait before all hosts are tried again; the first is 0.2 s
    unacknowledged_messages_max    taken from the broker and not yet committed: nothing more is read from it
    inflight_messages_max          own messages without PUBACK: further ones wait
    queue_messages_max             own messages that wait: the oldest is dropped and counted; receipts are
                                   cumulative, and what a node does not get it asks for again
    queue_bytes_max                the same
    ============================== ==========================================================================
    """

    url: str = ""
    hosts: list[str] = field(default_factory=list)
    client_id: str = ""
    password_file: str = ""
    ca_file: str = ""
    certificate: str = ""
    connect_timeout_s: float = 10.0
    keep_alive_s: int = 30
    backoff_s_max: float = 30.0
    unacknowledged_messages_max: int = 4_000
    inflight_messages_max: int = 100
    queue_messages_max: int = 10_000
    queue_bytes_max: int = 32 * 1024 * 1024

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, (int, float)) and not value > 0:
                raise ValueError(f"{item.name} is {value}, it must be more than 0")
        if not all(isinstance(host, str) for host in self.hosts):
            raise ValueError(f'hosts is {self.hosts}, not a list like ["b.example.org:1883"]')
        if self.keep_alive_s > _KEEP_ALIVE_S_MAX:
            raise ValueError(f"keep_alive_s is {self.keep_alive_s}, not 1 to {_KEEP_ALIVE_S_MAX}")
        if self.inflight_messages_max > _PACKET_IDS:
            raise ValueError(f"inflight_messages_max is {self.inflight_messages_max}, not 1 to {_PACKET_IDS}")

    def bounds(self) -> dict[str, float]:
        """Return what is bounded, by name."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.type in ("int", "float")}
