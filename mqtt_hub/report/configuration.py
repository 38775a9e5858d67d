"""What a run was made with, and how to make it again; no token, hash, password or path is in it.

::

    config.toml ──▶ settings, limits that differ from their defaults
    accounts.db ──▶ names and roles
    starts.jsonl ─▶ commands with their seeds
    archive.db ───▶ machines, digests of workloads
"""

from __future__ import annotations

import platform
import shlex
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, fields
from importlib.metadata import version
from typing import Any

import orjson
from sqlite_utils import Database

from mqtt_hub.accounts import listed
from mqtt_hub.archive.queries import findings, fleet
from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.starts import starts

__all__ = ["ROWS_MAX", "configuration"]

ROWS_MAX = 50  # of accounts, machines and commands; of workloads four times as many
_PATHS = ("tls_certificate", "tls_key", "tls_ca", "tls_client_ca", "unix_socket")


def configuration(home: Home, db: Database) -> dict[str, Any]:
    """Return versions, settings, limits, accounts, machines, workloads, starts, and the commands to repeat it."""
    begun = starts(home.path)
    return {
        "versions": {
            "mqtt-hub": version("mqtt-hub"),
            "Python": platform.python_version(),
            "SQLite": sqlite3.sqlite_version,
            "system": f"{platform.system()} {platform.machine()}",
        },
        **_settings(home),
        **_accounts(home),
        "machines": [
            {"role": row["role"], "nodes": row["nodes"], **orjson.loads(row["capabilities"])}
            for row in fleet.machines(db, limit=ROWS_MAX)
        ],
        "workloads": findings.workload_digests(db, limit=4 * ROWS_MAX),
        "starts": begun[-ROWS_MAX:],
        "commands": [command(start) for start in begun[-ROWS_MAX:]],
    }


def command(start: Mapping[str, Any]) -> str:
    """Return a start as a command line for a fresh home."""
    words = ["mqtt-hub", str(start["command"])]
    options = start["options"] if isinstance(start["options"], dict) else {}
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name}", str(one)]
    return f"{shlex.join(words)} --home DIR"


def _settings(home: Home) -> dict[str, Any]:
    """Return the settings and the limits that are not as by default; why not, where they cannot be read."""
    try:
        config = home.config()
        told: dict[str, Any] = {
            item.name: getattr(config, item.name)
            for item in fields(Config)
            if item.name not in ("broker", "limits", "bounds", *_PATHS)
        }
        target = config.external
    except ConfigurationError as error:
        # Without its path: a report is passed on.
        return {
            "settings": {},
            "settings_away": error.facts.replace(str(home.path), "HOME"),
            "limits": {},
            "changed": [],
        }
    told["broker"] = ", ".join(map(str, target.addresses)) if target else "embedded"
    limits, usual = (_limits(item) for item in (config, Config()))
    return {
        "settings": told,
        "settings_away": "",
        "limits": limits,
        "changed": sorted(name for name, value in limits.items() if usual.get(name) != value),
    }


def _limits(config: Config) -> dict[str, float]:
    return {**asdict(config.limits), **asdict(config.bounds), **(config.broker.bounds() if config.external else {})}


def _accounts(home: Home) -> dict[str, Any]:
    try:
        accounts = listed(home.accounts_path)
    except ConfigurationError:  # an archive that was copied by itself
        return {"accounts": [], "accounts_more": 0}
    return {"accounts": accounts[:ROWS_MAX], "accounts_more": max(0, len(accounts) - ROWS_MAX)}
