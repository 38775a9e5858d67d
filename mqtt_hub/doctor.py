"""`mqtt-hub doctor`: everything a hub needs, looked at in the order in which it needs it; nothing is changed.

::

    versions ▶ home ▶ secrets ▶ disk ▶ clock ▶ archive ▶ workloads ▶ port ▶ hub ▶ nodes (kernel-trainer doctor)
"""

from __future__ import annotations

import platform
import shutil
import socket
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import orjson
from packaging.requirements import Requirement

from mqtt_hub.archive.queries import totals
from mqtt_hub.archive.schema import integrity, open_read_only
from mqtt_hub.bundled import kernel_trainer
from mqtt_hub.external.credentials import password_of
from mqtt_hub.external.target import Target
from mqtt_hub.home import Home
from mqtt_hub.observer import Observer
from mqtt_hub.protocol.errors import MqttHubError
from mqtt_hub.protocol.findings import Check, Finding, Level
from mqtt_hub.workload_store import WorkloadStore

__all__ = ["checks"]

FREE_BYTES_MIN = 256 << 20  # below it the archive may be full before anybody looks again
FREE_BYTES_WELL = 2 << 30
CLOCK_BACK_S_MAX = 5.0
REACHED_S_MAX = 5.0  # for a broker elsewhere to accept a connection
CLOCK_OFF_S_MAX = 2.0  # between the file system's clock and ours
PARTS = {"train", "hidden"}


def checks(home: Home) -> list[Check]:
    """Return the checks of one home, in order."""
    return [
        ("versions", _versions),
        ("home", lambda: _home(home)),
        ("secrets", lambda: _secrets(home)),
        ("disk", lambda: _disk(home)),
        ("clock", lambda: _clock(home)),
        ("archive", lambda: _archive(home)),
        ("workloads", lambda: _workloads(home)),
        ("port", lambda: _port(home)),
        ("hub", lambda: _hub(home)),
        ("nodes", _nodes),
    ]


def _versions() -> Iterator[Finding]:
    yield Finding("versions", "ok", f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    for text in requires("mqtt-hub") or ():
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": "hub"}):
            continue
        try:
            there = version(wanted.name)
        except PackageNotFoundError:
            yield Finding("versions", "problem", f"{wanted.name} is not installed", "pip install 'mqtt-hub[hub]'")
            continue
        if not wanted.specifier.contains(there):
            advice = f"pip install '{wanted.name}{wanted.specifier}'"
            yield Finding("versions", "problem", f"{wanted.name} {there}, {wanted.specifier} is needed", advice)


def _home(home: Home) -> Iterator[Finding]:
    config = home.config()
    yield Finding("home", "ok", f"{home.path}: config.toml is valid, port {config.port}, quorum {config.quorum}")


def _secrets(home: Home) -> Iterator[Finding]:
    files = [home.accounts_path, home.broker_path, *home.tokens.glob("*"), *home.tls.glob("*.key")]
    open_to_others = [path for path in files if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    for path in open_to_others:
        yield Finding("secrets", "problem", f"{path} can be read by others", f"chmod 600 {path}")
    if not open_to_others:
        yield Finding("secrets", "ok", "tokens, accounts and keys are for this user only")


def _disk(home: Home) -> Iterator[Finding]:
    free = shutil.disk_usage(_existing(home.path)).free
    level: Level = "ok" if free >= FREE_BYTES_WELL else "warning" if free >= FREE_BYTES_MIN else "problem"
    advice = "" if level == "ok" else "make room, or move the home: a full disk stops all receipts"
    yield Finding("disk", level, f"{free / (1 << 30):.1f} GiB free", advice)


def _clock(home: Home) -> Iterator[Finding]:
    with tempfile.TemporaryFile(dir=_existing(home.path)) as file:
        apart = abs(Path(f"/proc/self/fd/{file.fileno()}").stat().st_mtime - time.time()) if _has_proc() else 0.0
    if apart > CLOCK_OFF_S_MAX:
        yield Finding("clock", "warning", f"the disk's clock is {apart:.0f} s apart from ours", "is it a network disk?")
    if home.archive_path.exists():
        with closing(open_read_only(home.archive_path).conn) as connection:
            (last,) = connection.execute("SELECT max(last_seen) FROM nodes").fetchone()
        back = (datetime.fromisoformat(last) - datetime.now(UTC)).total_seconds() if last else 0.0
        if back > CLOCK_BACK_S_MAX:
            advice = "set the clock (timedatectl): new rows would be older than old ones"
            yield Finding("clock", "problem", f"{back:.0f} s behind the last message of the archive", advice)
            return
    yield Finding("clock", "ok", datetime.now(UTC).isoformat(timespec="seconds"))


def _archive(home: Home) -> Iterator[Finding]:
    db = open_read_only(home.archive_path)
    with closing(db.conn):
        fault = integrity(db.conn)
        if fault != "ok":
            yield Finding("archive", "problem", f"damaged: {fault}", "stop the hub and restore a backup")
            return
        messages, waiting = (
            sum(totals.messages_by_type(db).values()),
            totals.components_by_verdict(db).get("pending", 0),
        )
    size = home.archive_path.stat().st_size / (1 << 20)
    yield Finding("archive", "ok", f"sound, {messages} messages, {size:.0f} MiB")
    if waiting:
        yield Finding("archive", "warning", f"{waiting} components wait for a verdict", "is a validator running?")


def _workloads(home: Home) -> Iterator[Finding]:
    store = WorkloadStore(home.workloads)
    entries = store.entries()
    for path in sorted(home.workloads.glob("*.workload")):
        if path.stem not in {entry.id for entry in entries}:
            yield Finding(
                "workloads", "problem", f"{path.name}: not what its name says, left out", "delete it, add it again"
            )
    parts: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        parts.setdefault((entry.kind, entry.name), set()).add(entry.part)
    for (kind, name), there in sorted(parts.items()):
        if lacking := PARTS - there:
            advice = "without both, components for it cannot be both found and judged"
            yield Finding("workloads", "warning", f"{name} ({kind}) has no {', '.join(sorted(lacking))} part", advice)
    if not entries:
        yield Finding(
            "workloads", "warning", "none: nobody has anything to search for", "mqtt-hub workload add --bundled"
        )
    else:
        yield Finding("workloads", "ok", f"{len(entries)} files of {len(parts)} workloads, digests right")


def _port(home: Home) -> Iterator[Finding]:
    if home.port_path.exists():
        return  # a hub runs, or was killed: the next check tells
    config = home.config()
    if config.external is not None:
        yield from _broker(home, config.external)
        return
    try:
        socket.create_server(
            (config.host, config.port), family=socket.AF_INET6 if ":" in config.host else socket.AF_INET
        ).close()
    except OSError as error:
        advice = "something else listens there: stop it, or set another port in config.toml"
        yield Finding("port", "problem", f"{config.host}:{config.port}: {error.strerror}", advice)
    else:
        yield Finding("port", "ok", f"{config.host}:{config.port} is free")


def _broker(home: Home, target: Target) -> Iterator[Finding]:
    password_of(home, home.config())
    for address in target.addresses:
        try:
            socket.create_connection(address, REACHED_S_MAX).close()
        except OSError as error:
            advice = "start the broker, or correct url and hosts under [broker] in config.toml"
            yield Finding("port", "problem", f"the broker at {address}: {error.strerror or error}", advice)
        else:
            yield Finding("port", "ok", f"a broker listens at {address}")


def _hub(home: Home) -> Iterator[Finding]:
    if not home.port_path.exists():
        yield Finding("hub", "warning", "no hub runs on this home", f"mqtt-hub serve --home {home.path}")
        return
    with Observer.of(home) as observer:
        status = observer.hub_status()
    yield Finding(
        "hub", "ok", f"answers on port {status['port']}, up {status['uptime_s']:.0f} s, {status['connected']} nodes"
    )


def _nodes() -> Iterator[Finding]:
    """Ask the nodes' own doctor: the hub never imports the trainers."""
    try:
        found = orjson.loads(kernel_trainer("doctor", "--json", codes=(0, 1)))
    except (MqttHubError, orjson.JSONDecodeError):
        advice = "nodes on this machine need it: pip install 'mqtt-hub[trainer]'"
        yield Finding("nodes", "warning", "the trainers are not installed here", advice)
        return
    for finding in found:
        yield Finding(f"node {finding['check']}", finding["level"], finding["found"], finding["advice"])


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _has_proc() -> bool:
    return Path("/proc/self/fd").exists()
