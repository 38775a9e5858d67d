"""Hub and nodes as real processes, for tests: start, kill, look into logs and the archive.

::

    make_home() ─▶ Hub(home) ─▶ port ─▶ RunningNode(home, "AI_Node_1", …)
                     └─ archive.db ─▶ archived(home)
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from sqlite_utils import Database

from mqtt_hub.accounts import Accounts
from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.cli.home import create_home
from mqtt_hub.home import Config, Home, write_private
from mqtt_hub.spawn import NodePlan, enlist
from mqtt_hub.workload_store import WorkloadStore
from trainers.workloads.format import Workload, halves, workload, write

__all__ = [
    "DEADLINE_S",
    "ROOT",
    "SPECIALIZATION",
    "Hub",
    "RunningNode",
    "all_processes",
    "command_line",
    "give_token",
    "make_home",
    "processes_on",
    "revoke",
    "rows",
    "small_workloads",
    "until",
]

DEADLINE_S = 60.0
SPECIALIZATION = "memory_management"
JUST_THE_HUB = Config(port=0, dashboard=False)
ROOT = Path(__file__).parents[2]


def small_workloads() -> list[Workload]:
    """Return train and hidden parts of two traces that leave room between LRU and the bound, in milliseconds."""
    rng = random.Random(7)
    loop = [step % 45 if step % 9 else 100 + rng.randrange(8) for step in range(1600)]
    skewed = [min(int(rng.paretovariate(0.9)), 80) if rng.random() < 0.7 else 200 + step % 60 for step in range(1600)]
    return [part for name, keys in (("loops", loop), ("skewed", skewed)) for part in halves(workload(name, keys))]


def make_home(
    path: Path,
    plans: list[NodePlan] | None = None,
    workloads: list[Workload] | None = None,
    *,
    config: Config = JUST_THE_HUB,
) -> Home:
    """Make a hub's home with accounts and workloads; the small ones where none are given."""
    home = Home(path)
    create_home(home, config)
    store = WorkloadStore(home.workloads)
    for made in small_workloads() if workloads is None else workloads:
        store.add(write(made))
    enlist(home, plans or [])
    return home


def until(condition: Callable[[], Any], *, seconds: float = DEADLINE_S, told: Callable[[], object] = str) -> Any:
    """Return the condition's value as soon as it is true; ``told`` says more where it never is."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain; {told()}"
        time.sleep(0.05)


def rows(home: Home, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Ask the archive."""
    db: Database = open_read_only(home.archive_path)
    with closing(db.conn):
        return list(db.conn.execute(sql, parameters).fetchall())


def command_line(pid: int) -> str:
    """Return a process's words as anybody on this machine sees them; empty when it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def all_processes() -> list[int]:
    """Return the pid of every process."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def processes_on(home: Home) -> dict[int, str]:
    """Return the command lines, by pid, of hub and nodes that work on this home and no other."""
    lines = {pid: command_line(pid) for pid in all_processes()}
    return {
        pid: line
        for pid, line in lines.items()
        if f" --home {home.path}" in line and (" serve " in line or " run " in line)
    }


class _Process:
    """A process of ours that a test starts, looks at and ends."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process

    def kill(self) -> None:
        """End it as the power does."""
        self.running.kill()
        self.running.wait(DEADLINE_S)

    def terminate(self) -> int:
        """Ask it to end; return its exit code."""
        self.running.send_signal(signal.SIGTERM)
        return self.running.wait(DEADLINE_S)

    def exit_code(self) -> int:
        """Wait for its own end."""
        return self.running.wait(DEADLINE_S)

    def close(self) -> None:
        """End it if it still runs."""
        if self.process is not None:
            if self.process.poll() is None:
                self.kill()
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                if stream is not None:
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Hub(_Process):
    """``mqtt-hub serve`` on a home; after `kill`, `start` again on the same port."""

    def __init__(self, home: Home, *, port: int = 0, options: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.home, self.port, self._options = home, port, options
        self.start()

    def start(self) -> None:
        """Start the hub and wait until it listens."""
        self.home.port_path.unlink(missing_ok=True)
        self.close()
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "mqtt_hub", "serve", "--home", str(self.home.path), "--port", str(self.port),
                "--log-file", str(self.home.path / "hub.log"), *self._options,
            ],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: self.home.port_path.exists() or self.running.poll() is not None)
        self.port = int(self.home.port_path.read_text())

    def log(self) -> str:
        """Return what it logged."""
        return (self.home.path / "hub.log").read_text()


class RunningNode(_Process):
    """``kernel-trainer run`` with the account's own token."""

    def __init__(
        self, home: Home, port: int, name: str, *options: str, role: str = "trainer", start: bool = True
    ) -> None:
        super().__init__()
        self.place = home.nodes / name
        self._arguments = [
            sys.executable, "-m", "trainers", "run", "--name", name, "--role", role, "--home", str(self.place),
            "--specialization", SPECIALIZATION, "--token-file", str(self.place / "token"), "--port", str(port),
            "--log-file", str(self.place / "node.log"), *options,
        ]  # fmt: skip
        if start:
            self.start()

    def start(self) -> None:
        """Start it (again)."""
        self.close()
        self.process = subprocess.Popen(
            self._arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def log(self) -> str:
        """Return what it logged over all its starts."""
        path = self.place / "node.log"
        return path.read_text() if path.exists() else ""

    def said(self, text: str) -> bool:
        """Say whether its log has this text."""
        return text in self.log()

    def until_said(self, text: str, times: int = 1) -> None:
        """Wait until its log has this text so many times."""
        until(lambda: self.log().count(text) >= times, told=self.log)

    def complaint(self) -> str:
        """Return its standard error after it has ended."""
        assert self.running.stderr is not None
        return self.running.stderr.read().decode()


def revoke(home: Home, name: str) -> None:
    """Shut a node out, as `mqtt-hub node revoke` does."""
    accounts = Accounts(home.accounts_path)
    accounts.revoke(name, "2026-01-31T12:00:00.000Z")
    accounts.close()


def give_token(home: Home, name: str, token: str) -> None:
    """Put a token where the node looks for it."""
    write_private(home.nodes / name / "token", token + "\n")
