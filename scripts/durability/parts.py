"""The processes of a fleet, each of which may be killed at any moment and started again.

::

    Fleet ── Part "broker"     mosquitto, where the hub's own is not wanted
          ├─ Part "hub"        mqtt-hub serve
          ├─ Part "trainer"    load_node.py, or kernel-trainer run
          └─ Part "validator"  kernel-trainer run --role validator
"""

from __future__ import annotations

import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from mqtt_hub.cli.home import create_home
from mqtt_hub.config import Config
from mqtt_hub.external.settings import BrokerSettings
from mqtt_hub.home import Home
from mqtt_hub.rehearsal import free_port
from mqtt_hub.spawn import NodePlan, enlist
from mqtt_hub.workload_store import WorkloadStore
from trainers.outbox import summary
from trainers.outbox_file import OutboxError
from trainers.workloads.format import halves, workload, write

__all__ = ["Fleet", "Part", "until"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DEADLINE_S = 60.0
KIND_OF_WORK = "memory_management"
JUST_THE_HUB = Config(port=0, dashboard=False)


def until(condition: Callable[[], object], what: str, *, seconds: float = DEADLINE_S) -> None:
    """Return as soon as the condition holds; end the program with what was waited for when it never does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"Error: waited {seconds:g} s in vain: {what}")
        time.sleep(0.02)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


@dataclass
class Part:
    """One process of the fleet."""

    role: str
    name: str
    words: list[str]
    home: Path
    kills: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, *more: str) -> None:
        """Start it, if it does not run."""
        if self.running:
            return
        with (self.home / f"{self.name}.err").open("ab") as errors:
            self.process = subprocess.Popen(
                [*self.words, *more],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """End it as the power does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.kills += 1

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def pending(self) -> int:
        """Return how many messages of this node have no receipt yet."""
        try:
            return summary(self.home)["pending"]
        except OutboxError:  # it has not begun
            return 0


class Fleet:
    """A hub, talking trainers, perhaps searching ones, and a validator, on one home."""

    def __init__(
        self,
        path: Path,
        *,
        talkers: int,
        searchers: int,
        rate: float,
        config: Config = JUST_THE_HUB,
        through: Callable[[int], int] = lambda port: port,
        mosquitto: str | None = None,
    ) -> None:
        """Start broker and hub.

        ``through`` returns the port at which a talking trainer finds that of the broker. With ``mosquitto``, a line of
        its configuration (perhaps empty), mosquitto is the broker.
        """
        self.home = Home(path)
        self.broker: Part | None = None
        if mosquitto is not None:
            port = free_port()
            config = replace(config, broker=BrokerSettings(url=f"mqtt://hub@127.0.0.1:{port}"))
        create_home(self.home, config)
        self._add_workloads()
        talking = [f"Load_{number}" for number in range(1, talkers + 1)]
        searching = [f"AI_Node_{number}" for number in range(1, searchers + 1)]
        plans = [NodePlan(name, "trainer", KIND_OF_WORK) for name in talking + searching]
        enlist(self.home, [*plans, NodePlan("Validator_1", "validator", KIND_OF_WORK)])
        if mosquitto is not None:
            self.broker = self._mosquitto(port, mosquitto)
        self.hub = Part("hub", "hub", [sys.executable, "-m", "mqtt_hub", "serve", "--home", str(path)], path)
        self._start_hub_first()
        nodes = self.home.nodes
        self.talkers = [
            Part(
                "trainer",
                name,
                [
                    sys.executable, str(HERE / "load_node.py"), "--name", name, "--home", str(nodes / name),
                    "--port", str(through(self.port)), "--rate", str(rate), "--seed", str(number),
                ],
                nodes / name,
            )
            for number, name in enumerate(talking, 1)
        ]  # fmt: skip
        self.searchers = [self._real(name, "trainer", "--seed", str(n)) for n, name in enumerate(searching, 1)]
        self.validator = self._real("Validator_1", "validator")
        self.nodes = [*self.talkers, *self.searchers, self.validator]
        self.parts = [*([self.broker] if self.broker else []), self.hub, *self.nodes]

    def start_hub(self) -> None:
        """Start the hub (again) on its port and wait until it listens."""
        self.home.port_path.unlink(missing_ok=True)
        self.hub.start()
        until(self.home.port_path.exists, "the hub to listen")

    def start(self) -> None:
        """Start everything that does not run."""
        self._start_broker()
        if not self.hub.running:
            self.start_hub()
        for node in self.nodes:
            node.start()

    def stop(self) -> None:
        """End hub and broker in order."""
        self.hub.stop()
        if self.broker is not None:
            self.broker.stop()

    def close(self) -> None:
        """Leave nothing running."""
        for part in reversed(self.parts):
            if part.process is not None and part.process.poll() is None:
                part.process.kill()
                part.process.wait()

    def _start_hub_first(self) -> None:
        self._start_broker()
        self.start_hub()
        self.port = self.home.running_port()
        self.hub.words += ["--log-file", str(self.home.path / "hub.log")]
        if self.broker is None:
            self.hub.words += ["--port", str(self.port)]

    def _start_broker(self) -> None:
        if self.broker is not None and not self.broker.running:
            self.broker.start()
            port = int(self.home.config().broker.url.rpartition(":")[2])
            until(lambda: _listens(port), "the broker to listen")

    def _mosquitto(self, port: int, line: str) -> Part:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise SystemExit("Error: mosquitto is not installed (Debian: apt install mosquitto)")
        directory = self.home.path / "mosquitto"
        rules = ["rules", "mosquitto", "--output", str(directory), "--port", str(port), "--home", str(self.home.path)]
        subprocess.run([sys.executable, "-m", "mqtt_hub", *rules], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        configuration = directory / "mosquitto.conf"
        with configuration.open("a") as file:
            # Started as root it would become another user, who may not read our files.
            file.write(f"user {getpass.getuser()}\n{line}\n")
        return Part("broker", "mosquitto", [program, "-c", str(configuration)], directory)

    def _real(self, name: str, role: str, *options: str) -> Part:
        home = self.home.nodes / name
        words = [
            sys.executable, "-m", "trainers", "run", "--name", name, "--role", role, "--home", str(home),
            "--port", str(self.port), "--token-file", str(home / "token"), "--log-file", str(home / "node.log"),
            *options,
        ]  # fmt: skip
        return Part(role, name, words, home)

    def _add_workloads(self) -> None:
        rng = random.Random(7)
        store = WorkloadStore(self.home.workloads)
        keys = [step % 45 if step % 9 else 100 + rng.randrange(8) for step in range(1600)]
        for part in halves(workload("loops", keys)):
            store.add(write(part))
