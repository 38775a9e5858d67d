"""Many nodes as real subprocesses, each with its own account, home, log file; restarted when they crash.

::

    Supervisor ──▶ python -m trainers run …   HOME/nodes/NAME/{token,outbox.db,node.log,workloads/}
        │ poll            │ stdin: a pipe; when the supervisor dies it closes and the node stops by itself
        └── restart after 1, 2, 4 … 30 s ◀─ crash (exit codes 2 and 3, a wrong option or token, are none)
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from mqtt_hub.accounts import Accounts
from mqtt_hub.config import Config
from mqtt_hub.home import Home, write_private
from mqtt_hub.protocol.codec import stamp
from mqtt_hub.protocol.errors import (
    AccessDeniedError,
    BrokerUnavailableError,
    ConfigurationError,
    MqttHubError,
)

__all__ = ["Child", "NodePlan", "Supervisor", "enlist", "shown_certificate"]

BACKOFF_S_MAX = 30.0
CALM_S = 60.0  # a node that ran so long starts its back-off anew
STOP_S = 15.0  # from SIGTERM to SIGKILL
TAIL_BYTES = 4096
STDERR_BYTES_MAX = 1024 * 1024  # at a start; a longer one becomes stderr.log.1


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node to run: its account, and further options for ``kernel-trainer run``."""

    name: str
    role: str
    specialization: str
    options: tuple[str, ...] = ()


@dataclass(slots=True)
class Child:
    """A node's process as the supervisor sees it."""

    plan: NodePlan
    home: Path
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    state: str = "new"
    started_at: float = 0.0
    log_began_at: int = 0  # bytes of the log that earlier runs wrote
    due_at: float = 0.0
    backoff_s: float = field(default=1.0)

    @property
    def log_path(self) -> Path:
        """Where the node logs."""
        return self.home / "node.log"

    def last_line(self) -> str:
        """Return the newest line of the node's log since it was started last."""
        return _last_line(self.log_path, after=self.log_began_at)

    def complaint(self) -> str:
        """Return the newest line of its standard error: why it ended, where it says so."""
        return _last_line(self.home / "stderr.log").removeprefix("Error: ")


def _last_line(path: Path, *, after: int = 0) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(after if after <= size else 0, size - TAIL_BYTES))  # shorter than before: begun anew
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def enlist(home: Home, plans: list[NodePlan]) -> None:
    """Make the accounts that are not there yet; each node's token lies in its own home, 0600."""
    accounts = Accounts(home.accounts_path)
    for plan in plans:
        directory = home.nodes / plan.name
        known = accounts.find(plan.name)
        if known is not None and known.revoked_at is not None:
            raise AccessDeniedError(
                f"{plan.name} is revoked", hint=f"mqtt-hub node rotate {plan.name} lets it in again"
            )
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if known is None:
                token = accounts.add(plan.name, plan.role, plan.specialization, stamp(time.time()))
            elif not (directory / "token").exists():
                token = accounts.rotate(plan.name)
            else:
                continue
            write_private(directory / "token", token + "\n")
        except OSError as error:
            raise ConfigurationError(f"{directory}: {error.strerror}", hint="this user must own the home") from error
    accounts.close()


def shown_certificate(home: Home, config: Config, name: str) -> tuple[str, ...]:
    """Return the options with which a node shows a certificate, where the hub asks for one; none where it does not.

    A certificate of the home's own authority is made where there is none; raises `ConfigurationError` where the
    authority is another's and has given none.
    """
    certificate = home.shown_certificate(config, name)
    if certificate is None:
        return ()
    if not certificate.exists():
        if home.path / config.tls_client_ca != home.tls / "ca.pem":
            raise ConfigurationError(
                f"{config.tls_client_ca} wants certificates, and there is no {certificate}",
                hint=f"put the certificate of {name} there, and its key beside it",
            )
        from mqtt_hub.certificates import Authority  # noqa: PLC0415 — slow to import, and rarely needed

        Authority(home.tls, now=dt.datetime.now(dt.UTC)).issue_client(name)
    return ("--certificate", str(certificate), "--key", str(certificate.with_suffix(".key")))


class Supervisor:
    """Starts, watches and stops the nodes of one home."""

    def __init__(
        self,
        home: Home,
        plans: list[NodePlan],
        *,
        host: str,
        port: int,
        prefix: str,
        tls: bool = False,
        ca_file: Path | None = None,
    ) -> None:
        if port == 0:  # "any free one", which only the running hub knows
            raise BrokerUnavailableError(f"no hub runs on {home.path}", hint=f"mqtt-hub serve --home {home.path}")
        secured = ("--tls", *(() if ca_file is None else ("--ca-file", str(ca_file)))) if tls else ()
        self._address = ("--host", host, "--port", str(port), "--prefix", prefix, *secured)
        self.children = [Child(plan, home.nodes / plan.name) for plan in plans]

    def start(self) -> None:
        """Start every node."""
        for child in self.children:
            self._start(child)

    def poll(self) -> None:
        """Restart what crashed, when its time has come; call it a few times a second."""
        now = time.monotonic()
        for child in self.children:
            if child.process is not None and (code := child.process.poll()) is not None:
                self._ended(child, code, now)
            elif child.process is None and child.state == "restarting" and now >= child.due_at:
                child.restarts += 1
                self._start(child)

    def running(self, *, only_role: str | None = None) -> bool:
        """Say whether any node (of a role) runs or is to be restarted."""
        return any(
            child.process is not None or child.state == "restarting"
            for child in self.children
            if only_role in (None, child.plan.role)
        )

    def check(self) -> None:
        """Raise what no restart mends: a node that was refused or started with a wrong option."""
        for child in self.children:
            if child.state == "refused":
                raise MqttHubError(f"{child.plan.name} does not run: {child.complaint()}")

    def stop(self, *, only_role: str | None = None) -> None:
        """End the nodes: SIGTERM, and SIGKILL for what does not end within `STOP_S`."""
        ending = [child for child in self.children if only_role in (None, child.plan.role)]
        for child in ending:
            child.state = "stopped"
            if child.process is not None:
                child.process.terminate()
        deadline = time.monotonic() + STOP_S
        for child in ending:
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            self._release(child)

    def _start(self, child: Child) -> None:
        plan = child.plan
        child.log_began_at = child.log_path.stat().st_size if child.log_path.exists() else 0
        complaints = child.home / "stderr.log"
        if complaints.exists() and complaints.stat().st_size > STDERR_BYTES_MAX:
            complaints.replace(child.home / "stderr.log.1")
        with complaints.open("ab") as errors:
            child.process = subprocess.Popen(
                [
                    sys.executable, "-m", "trainers", "run", "--name", plan.name, "--role", plan.role,
                    "--specialization", plan.specialization, "--home", str(child.home),
                    "--token-file", str(child.home / "token"), "--log-file", str(child.log_path),
                    "--stop-at-end-of-input", *self._address, *plan.options,
                ],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors,
                start_new_session=True,  # Ctrl-C is for the supervisor, which ends its nodes in order
            )  # fmt: skip
        child.state, child.started_at = "running", time.monotonic()

    def _ended(self, child: Child, code: int, now: float) -> None:
        self._release(child)
        if code == 0:
            child.state = "done"
        elif code in (ConfigurationError.exit_code, AccessDeniedError.exit_code):
            child.state = "refused"
        else:
            if now - child.started_at > CALM_S:
                child.backoff_s = 1.0
            child.state, child.due_at = "restarting", now + child.backoff_s
            child.backoff_s = min(child.backoff_s * 2, BACKOFF_S_MAX)

    @staticmethod
    def _release(child: Child) -> None:
        if child.process is not None and child.process.stdin is not None:
            child.process.stdin.close()
        child.process = None
