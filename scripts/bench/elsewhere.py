"""Archiving from mosquitto: the hub against what others would use, each with a mosquitto of its own, interleaved.

::

    load ──▶ mosquitto ──▶ hub                  checked, deduplicated, committed with FULL, then PUBACK
    load ──▶ mosquitto ──▶ mosquitto_sub        > /dev/null: reads and forgets
                       ──▶ rival.js             mqtt.js + better-sqlite3: a commit for 1,000, PUBACK before it
                       ──▶ mosquitto_sub | sqlite-utils insert

Measured from the first PUBLISH to the last message committed (or read); beside it each reader's own processor time,
which says more than the clock where others use the machine too.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import NamedTuple

from common import HERE, Report, load, median_ratio, mosquitto, program
from fleet import INFLIGHT, NAMES, PUBLISHERS, Hub, template

__all__ = ["compare", "install_rival"]

GOALS = {"mosquitto_sub > /dev/null": 0.9, "mqtt.js + better-sqlite3": 1.1, "mosquitto_sub | sqlite-utils": 1.6}
SUBSCRIBED_S_MAX = 30.0
INSTALL_S_MAX = 600.0


def install_rival(directory: Path, ready: Path | None) -> Path | None:
    """Return a folder with mqtt.js and better-sqlite3 in node_modules; None, said aloud, where there can be none."""
    npm = program("npm")
    if ready is not None:
        return ready
    if npm is None or program("node") is None:
        print("npm is not installed: mqtt.js + better-sqlite3 is not measured", file=sys.stderr)
        return None
    folder = directory / "npm"
    folder.mkdir()
    words = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), "mqtt@5", "better-sqlite3@12"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False)
    if done.returncode:
        print(f"npm install fails, mqtt.js is not measured: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    return folder


class Run(NamedTuple):
    """One measurement: messages a second, and microseconds of the reader's processor time for a message."""

    rate: float
    cpu_us: float


class Mosquitto:
    """A broker, and programs that read from it."""

    def __init__(self, stack: ExitStack, directory: Path, generator: Path) -> None:
        self._directory, self._generator = directory, generator
        tokens = dict.fromkeys([*NAMES, "watch"], "secret")
        self._port, _process = stack.enter_context(mosquitto(directory / "mosquitto", tokens, inflight=INFLIGHT))
        self._runs = self._subscriptions = 0

    def run(self, count: int, *pipeline: list[str]) -> Run:
        """Publish while a pipeline reads to its end."""
        processes: list[subprocess.Popen[bytes]] = []
        try:
            for words in pipeline:
                source = processes[-1].stdout if processes else subprocess.DEVNULL
                sink = subprocess.DEVNULL if words is pipeline[-1] else subprocess.PIPE
                processes.append(subprocess.Popen(words, stdin=source, stdout=sink))
            self._wait_until_subscribed()
            began = time.monotonic()
            load(
                self._generator, self._port, count=count // PUBLISHERS, publishers=PUBLISHERS, window=1000,
                subscribers=0, password=",".join("secret" for _ in NAMES), **template(1),
            )  # fmt: skip
            before = _children_s()
            for process in processes:
                process.wait(120)
            return Run(count / (time.monotonic() - began), (_children_s() - before) / count * 1e6)
        finally:
            for process in processes:
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()

    def _wait_until_subscribed(self) -> None:
        """Return when the broker's log has one more subscription: most readers say nothing themselves."""
        end = time.monotonic() + SUBSCRIBED_S_MAX
        while (self._directory / "mosquitto" / "log").read_text().count("pattern_share") <= self._subscriptions:
            if time.monotonic() > end:
                raise SystemExit("Error: a reader does not subscribe")
            time.sleep(0.02)
        self._subscriptions += 1

    def subscriber(self, count: int, *options: str) -> list[str]:
        """Return the words of a mosquitto_sub that reads so many."""
        return [
            str(program("mosquitto_sub")), "-p", str(self._port), "-u", "watch", "-P", "secret", "-q", "1",
            "-t", "kernel/v1/pattern_share/#", "-C", str(count), *options,
        ]  # fmt: skip

    def file(self) -> str:
        """Return the path of a database that is not there yet."""
        self._runs += 1
        return str(self._directory / f"{self._runs}.db")

    def node(self, count: int, folder: Path) -> list[str]:
        """Return the words of the rival in JavaScript."""
        words = [str(program("node")), str(HERE / "rival.js"), str(folder)]
        return [*words, str(self._port), "watch", "secret", str(count), self.file()]


def _children_s() -> float:
    """Return the processor time of all child processes that have been waited for."""
    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def compare(
    stack: ExitStack, directory: Path, generator: Path, report: Report, *, pairs: int, count: int, rival: Path | None
) -> None:
    """Measure the hub and the others in turn and note the ratios."""
    directory.mkdir()
    hub = Hub(stack, directory / "home", external=True)
    broker = Mosquitto(stack, directory, generator)

    def archived() -> Run:
        began, before = time.monotonic(), hub.cpu_s()
        hub.publish(generator, count, window=1000)
        hub.wait_until_archived()
        return Run(count / (time.monotonic() - began), (hub.cpu_s() - before) / count * 1e6)

    utils = shutil.which("sqlite-utils", path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin")
    # By far the slowest: a third of the messages tells as much.
    fewer = count // 3 // PUBLISHERS * PUBLISHERS
    others: dict[str, Callable[[], Run]] = {
        "mosquitto_sub > /dev/null": lambda: broker.run(count, broker.subscriber(count)),
    }
    if rival is not None:
        others["mqtt.js + better-sqlite3"] = lambda: broker.run(count, broker.node(count, rival))
    if utils is not None:
        others["mosquitto_sub | sqlite-utils"] = lambda: broker.run(
            fewer, broker.subscriber(fewer, "-F", "%j"), [utils, "insert", broker.file(), "messages", "-", "--nl"]
        )
    archived()  # warm
    others = {"hub": archived, **others}
    runs: dict[str, list[Run]] = {name: [] for name in others}
    for _ in range(pairs):
        for name, measure in others.items():
            runs[name].append(measure())
    if hub.archived() != (hub.first - 1) * PUBLISHERS:
        raise SystemExit(f"Error: {(hub.first - 1) * PUBLISHERS} published, {hub.archived()} archived")
    report.figures["archive from mosquitto, messages/s"] = {
        name: round(statistics.median(run.rate for run in done)) for name, done in runs.items()
    }
    report.figures["archive from mosquitto, the reader's processor time for a message, us"] = {
        name: round(statistics.median(run.cpu_us for run in done), 1) for name, done in runs.items()
    }
    for name, goal in GOALS.items():
        rates = [(ours.rate, theirs.rate) for ours, theirs in zip(runs["hub"], runs.get(name, []), strict=False)]
        ratio = median_ratio(rates) if rates else None
        report.at_least(f"archive from mosquitto: times {name}", ratio, goal)
