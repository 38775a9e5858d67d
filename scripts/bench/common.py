"""What both benchmarks share: load generator, brokers, interleaved pairs, the table and its JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DEADLINE_S = 20.0
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Goal:
    """One line of the table: what was measured against what was wanted."""

    figure: str
    measured: float | str
    goal: str
    met: bool | None
    versions: dict[str, str]


class Report:
    """Collects figures, prints them."""

    def __init__(self, versions: dict[str, str]) -> None:
        self.versions = versions
        self.goals: list[Goal] = []
        self.figures: dict[str, Any] = {}

    def at_least(self, figure: str, measured: float | None, bound: float) -> None:
        """Note a figure that is to be at least so much."""
        self._note(figure, measured, f">= {bound:g}", lambda value: value >= bound)

    def at_most(self, figure: str, measured: float | None, bound: float, unit: str = "") -> None:
        """Note a figure that is to be at most so much."""
        self._note(figure, measured, f"<= {bound:g}{unit}", lambda value: value <= bound)

    def within(self, figure: str, measured: float | None, share: float) -> None:
        """Note a ratio of itself to itself that is to stay near 1."""
        self._note(figure, measured, f"1 ± {share:g}", lambda value: abs(value - 1) <= share)

    def _note(self, figure: str, measured: float | None, goal: str, met: Callable[[float], bool]) -> None:
        value = NOT_MEASURED if measured is None else float(f"{measured:.3g}")
        self.goals.append(Goal(figure, value, goal, None if measured is None else met(measured), self.versions))

    def show(self, *, as_json: bool) -> None:
        """Print the table, or JSON."""
        if as_json:
            print(json.dumps({"goals": [asdict(goal) for goal in self.goals], "figures": self.figures}, indent=1))
            return
        for name, value in self.figures.items():
            print(f"  {name}: {value}")
        print(f"\n{'figure':<74} {'measured':>12} {'goal':>10}  met")
        for goal in self.goals:
            met = "-" if goal.met is None else "yes" if goal.met else "NO"
            print(f"{goal.figure:<74} {goal.measured:>12} {goal.goal:>10}  {met}")
        print("\n" + ", ".join(f"{name} {text}" for name, text in self.versions.items()))


def arguments(description: str, more: Callable[[argparse.ArgumentParser], object] | None = None) -> argparse.Namespace:
    """Return what the command line says; ``more`` adds options of one benchmark alone."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quick", action="store_true", help="one pair each, short: under 40 s, coarse")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved pairs of which the median counts")
    parser.add_argument("--all-cores", action="store_true", help="do not put the broker and its load on one core")
    if more is not None:
        more(parser)
    return parser.parse_args()


def program(name: str) -> str | None:
    """Return the path of a program, or None."""
    return shutil.which(name, path=PATH)


def versions() -> dict[str, str]:
    """Return the versions of what is compared."""
    found = {"python": platform.python_version(), "amqtt": version("amqtt"), "uvloop": version("uvloop")}
    found["sqlite"] = sqlite3.sqlite_version
    mosquitto = program("mosquitto")
    if mosquitto:
        said = subprocess.run([mosquitto, "-h"], capture_output=True, text=True, check=False).stdout
        found["mosquitto"] = said.split()[2]
    return found


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mqtt-hub-bench-") as name:
        yield Path(name)


def compile_load(directory: Path) -> Path:
    """Compile the load generator."""
    compiler = program("cc") or program("gcc") or program("clang")
    if compiler is None:
        raise SystemExit("Error: the benchmark needs a C compiler (Debian: apt install gcc)")
    target = directory / "load"
    subprocess.run([compiler, "-O2", "-o", target, HERE / "load.c"], check=True)
    return target


def load(generator: Path, port: int, **options: object) -> dict[str, float]:
    """Run the load generator to its end and return what it measured."""
    words = [str(generator), f"port={port}", *(f"{name}={value}" for name, value in options.items())]
    done = subprocess.run(words, capture_output=True, timeout=120, check=False)
    if done.returncode:
        raise SystemExit(
            f"Error: {done.stderr.decode().strip()}: {[word for word in words[1:] if 'password' not in word]}"
        )
    measured: dict[str, float] = orjson.loads(done.stdout)
    return measured


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(words: list[str], port: int, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server while the context lasts, from the moment at which it listens."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{HERE}"}
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env, **options)
    try:
        end = time.monotonic() + DEADLINE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1.0).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    said = process.stderr.read().decode()[-2000:] if process.stderr else ""
                    raise SystemExit(f"Error: {words[:4]} does not listen: {said}") from None
                time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stderr:
            process.stderr.close()


@contextmanager
def mosquitto(
    directory: Path, accounts: dict[str, str], *, inflight: int = 256
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run mosquitto with these accounts and the access rule in its own words; yield its port."""
    broker, passwd = program("mosquitto"), program("mosquitto_passwd")
    if broker is None or passwd is None:
        raise SystemExit("Error: the benchmark compares with mosquitto (Debian: apt install mosquitto)")
    directory.mkdir(exist_ok=True)
    passwords = directory / "passwords"
    passwords.write_text("".join(f"{name}:{token}\n" for name, token in accounts.items()))
    subprocess.run([passwd, "-U", passwords], check=True)
    rules = directory / "rules"
    rules.write_text(
        "user watch\ntopic read kernel/v1/#\n\nuser hub\ntopic readwrite kernel/#\n\n"
        + "".join(f"pattern write kernel/v1/{kind}/%u/#\n" for kind in ("pattern_share", "progress", "log"))
        + "pattern write kernel/v1/hello/%u\npattern read kernel/v1/+/hub/%u\n"
    )
    port = free_port()
    config = directory / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\nacl_file {rules}\n"
        # by default the same window as ours; nothing dropped
        f"max_inflight_messages {inflight}\nmax_queued_messages 0\nset_tcp_nodelay true\npersistence false\n"
        "sys_interval 0\n"
        f"user {os.environ.get('USER', 'root')}\nlog_dest file {directory}/log\nlog_type subscribe\n"
    )
    with running([broker, "-c", str(config)], port) as process:
        yield port, process


def accounts(home: Path, trainers: int) -> dict[str, str]:
    """Make an accounts file with an observer ``watch`` and trainers ``bench_0``…; return their tokens."""
    sys.path.insert(0, str(ROOT))
    from mqtt_hub.accounts import Accounts  # noqa: PLC0415 — after the path

    book = Accounts(home / "accounts.db", create=True)
    roles = {"watch": "observer", **{f"bench_{number}": "trainer" for number in range(trainers)}}
    tokens = {name: book.add(name, role, "", "2026-01-01T00:00:00.000Z") for name, role in roles.items()}
    book.close()
    return tokens


def cpu_s(pid: int) -> float:
    """Return the processor seconds that all threads of a process have used, to a hundredth."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_kib(pid: int) -> int:
    """Return the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise SystemExit(f"Error: process {pid} is gone")


def median_ratio(pairs: list[tuple[float, float]]) -> float:
    """Return the median of first ÷ second."""
    return statistics.median(first / second for first, second in pairs)
