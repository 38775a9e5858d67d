"""Hub and nodes as real processes, for tests: start, kill, look into logs and the archive.

::

    make_home() ─▶ Hub(home) ─▶ port ─▶ RunningNode(home, "AI_Node_1", …)
                     └─ archive.db ─▶ archived(home)
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from mqtt_hub.accounts import Accounts
from mqtt_hub.cli.home import create_home
from mqtt_hub.config import Config
from mqtt_hub.home import Home, write_private
from mqtt_hub.spawn import NodePlan, enlist
from mqtt_hub.workload_store import WorkloadStore
from tests.hub.harness import rows
from tests.hub.processes import DEADLINE_S, ROOT, Hub, Process, until
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

SPECIALIZATION = "memory_management"
JUST_THE_HUB = Config(port=0, dashboard=False)


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


class RunningNode(Process):
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
