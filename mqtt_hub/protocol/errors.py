"""Every error a user can meet, as one tree.

::

    MqttHubError                one line of facts, and a hint what to do
    ├── ProtocolError           bytes or a topic that do not follow topics.md
    ├── ConfigurationError      home, configuration, port, account: the operator can mend it
    ├── AccessDeniedError       a wrong or revoked token, or a role that may not do this
    ├── BrokerUnavailableError  nobody answers at that address
    ├── ArchiveError            the database is locked, full, damaged or from a newer version
    ├── PolicyError             (trainers) a component outside the language: line, column, hint
    ├── WorkloadError           (trainers) a workload that cannot be read: line or byte offset
    └── EvaluationError         (trainers) a candidate that could not be run to its end

A command line shows ``str(error)`` and exits with ``error.exit_code``; nobody sees a traceback::

    try:
        hub.start()
    except MqttHubError as error:
        print(error)
"""

from __future__ import annotations

__all__ = [
    "AccessDeniedError",
    "ArchiveError",
    "BrokerUnavailableError",
    "ConfigurationError",
    "MqttHubError",
    "ProtocolError",
]


class MqttHubError(Exception):
    """What went wrong in one line (``facts``) and what the user can do about it (``hint``)."""

    exit_code = 1

    def __init__(self, facts: str, *, hint: str = "") -> None:
        super().__init__(facts)
        self.facts = facts
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.facts} ({self.hint})" if self.hint else self.facts


class ProtocolError(MqttHubError):
    """Bytes or a topic that do not follow ``topics.md``; ``facts`` opens with the path of the field."""


class ConfigurationError(MqttHubError):
    """The home directory, its configuration, a port or an account is not as it must be."""

    exit_code = 2


class AccessDeniedError(MqttHubError):
    """A wrong or revoked token, an unknown account, or a role that may not do this."""

    exit_code = 3


class BrokerUnavailableError(MqttHubError):
    """Nobody answers at the broker's address, or what answers is no MQTT broker."""

    exit_code = 4


class ArchiveError(MqttHubError):
    """The database is locked, full, damaged, or was written by a newer version."""

    exit_code = 5
