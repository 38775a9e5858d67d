"""What an operator does from the dashboard: each the same call that the command line makes.

::

    ACTIONS: name ──▶ Action(label, what it does, run(home, form) -> sentence)

A further action is a further row: its form, its check for the operator's role and its CSRF token come with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from werkzeug.datastructures import FileStorage

from mqtt_hub.accounts import Accounts
from mqtt_hub.home import Home
from mqtt_hub.protocol.codec import stamp
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.workload_store import FILE_BYTES_MAX, WorkloadStore

__all__ = ["ACTIONS", "UPLOAD_BYTES_MAX", "Action"]

UPLOAD_BYTES_MAX = FILE_BYTES_MAX + 64 * 1024  # a workload file and the form around it

Run = Callable[[Home, str, FileStorage | None], str]  # (home, what it is about, the file sent) -> what was done


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that an operator may do."""

    label: str
    explains: str
    run: Run


def _revoke(home: Home, name: str, _file: FileStorage | None) -> str:
    with closing(Accounts(home.accounts_path)) as accounts:
        accounts.revoke(name, stamp(time.time()))
    return f"{name} is shut out, on live connections too"


def _decide(action: str, done: str) -> Run:
    """Return what writes a decision down; the hub, the archive's only writer, carries it out."""

    def run(home: Home, subject: str, _file: FileStorage | None) -> str:
        with closing(Accounts(home.accounts_path)) as accounts:
            accounts.decide(action, subject, "by the operator", stamp(time.time()))
        return f"{subject[:64]} {done} as soon as the hub runs"

    return run


def _add_workload(home: Home, _name: str, file: FileStorage | None) -> str:
    if file is None or not file.filename:
        raise ConfigurationError("no file was chosen", hint="kernel-trainer workload record makes one")
    entry = WorkloadStore(home.workloads).add(file.stream.read(FILE_BYTES_MAX + 1)).entry
    return f"{entry.name} ({entry.kind}, {entry.part}) is added; a running hub sends it within seconds"


ACTIONS: dict[str, Action] = {
    "revoke": Action("Revoke", "Shuts a node out at once, on live connections too.", _revoke),
    "quarantine": Action(
        "Quarantine",
        "Takes nothing more that a node shares or submits; it stays connected and hears its verdicts.",
        _decide("quarantine", "is quarantined"),
    ),
    "release": Action(
        "Release", "Ends a node's quarantine; what it did stays in its record.", _decide("release", "is released")
    ),
    "reopen": Action(
        "Reopen",
        "Makes the results of a submission void, so that validators judge anew.",
        _decide("reopen", "is judged anew"),
    ),
    "add-workload": Action(
        "Add workload", "Trainers get train parts, validators hidden ones too; add both.", _add_workload
    ),
}
