"""An ordinary hour: ``scripts/soak [--minutes 60] [--seed S] [--json FILE] [--plot FILE.svg]``.

::

    hub (embedded broker, dashboard) ── talking trainers, each through a network that cuts ── validator
       │ every 10 s                        observers come and go, one trainer is killed (traffic.py)
       ▼
    Sample: each process's memory, descriptors, threads; queues, files ──▶ slope over the last two thirds
    in the end: every message that an outbox has accepted is in the archive, once

Exit code 0: nothing lost or doubled, and every process's heap surely grows less than the limit; 1: something was
lost or doubled, or grows; 3: too short to tell.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from accounting import Account, account, accounts_table, archived_count, checked, drain, totals
from footprint import Footprint, family, footprint
from parts import Fleet, until
from soak_report import WARM_UP_SHARE, Line, Sample, highest, judge, lines, picture, sample_of, table
from traffic import Traffic

from mqtt_hub.config import Config
from mqtt_hub.observer import Observer
from tests.node.proxy import Proxy

SAMPLE_EVERY_S = 10.0
TURN_S = 0.5
EXIT_CODES = {"flat": 0, "grows": 1, "unclear": 3}


class Probe:
    """Takes samples of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._began = time.monotonic()
        self.samples: list[Sample] = []

    @property
    def at_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def take(self) -> Sample:
        """Take one; who observes the hub comes for it and goes again."""
        with Observer.of(self._fleet.home) as observer:
            status = observer.hub_status()
        broker = status["broker"]
        archive = self._fleet.home.archive_path
        depths = {
            "hub: messages waiting for a commit": status["waiting_messages"],
            **{f"broker: {name}": count for name, count in broker.items() if "unacknowledged" in name},
            "broker: readers that were too slow": broker["slow_readers"] + broker["dropped_queue_full"],
            "without a receipt": sum(self._pending()),
            "outbox bytes": sum(_bytes(node.home / "outbox.db") for node in self._fleet.nodes),
            "archive bytes": archive.stat().st_size,
            "WAL bytes": _bytes(archive) - archive.stat().st_size,
            "messages archived": status["messages"]["accepted"],
        }
        sample = Sample(self.at_s, dict(self._processes()), depths)
        self.samples.append(sample)
        return sample

    def _processes(self) -> list[tuple[str, Footprint]]:
        found = []
        for part in self._fleet.parts:
            if not part.running or part.process is None:
                continue
            for number, pid in enumerate(family(part.process.pid)):
                child = "dashboard" if part is self._fleet.hub else "evaluation"
                try:
                    found.append((f"{part.name}, {child}" if number else part.name, footprint(pid)))
                except OSError:  # it has just gone
                    continue
        return found

    def _pending(self) -> list[int]:
        return [node.pending() for node in self._fleet.nodes]


def _bytes(path: Path) -> int:
    """Return the size of a database with its WAL."""
    both = (path, path.with_name(path.name + "-wal"))
    return sum(file.stat().st_size for file in both if file.exists())


def breathe(fleet: Fleet, share: float) -> None:
    """Let a turn pass in which searching trainers have this share of a core each: stopped, and continued."""
    pids = [pid for part in fleet.searchers if part.process is not None for pid in family(part.process.pid)]
    try:
        time.sleep(TURN_S * share)
        _signal(pids, signal.SIGSTOP)
        time.sleep(TURN_S * (1 - share))
    finally:
        _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def soak(fleet: Fleet, proxies: list[Proxy], options: argparse.Namespace) -> tuple[list[Sample], Traffic]:
    """Let the time pass and take samples; ends the program when something died that nobody has killed."""
    probe, traffic = Probe(fleet), Traffic(fleet, proxies, options.seed, options.minutes * 60 * WARM_UP_SHARE)
    try:
        due_s = 0.0
        while (now_s := probe.at_s) < options.minutes * 60:
            traffic.go_on(now_s)
            if now_s >= due_s:
                due_s += SAMPLE_EVERY_S
                sample = probe.take()
                dead = [part.name for part in fleet.parts if not part.running and part is not fleet.talkers[-1]]
                if dead:
                    raise SystemExit(f"Error: ended by itself: {', '.join(dead)} (its .err in {fleet.home.path})")
                archived = sample.depths["messages archived"]
                print(f"\r{now_s / 60:.1f} min, {archived} messages ", end="", file=sys.stderr, flush=True)
            breathe(fleet, options.share)
    finally:
        traffic.close()
        print(file=sys.stderr)
    return probe.samples, traffic


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Run a fleet for so long; return what was seen of it."""
    proxies: list[Proxy] = []
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="mqtt-hub-soak-"))

        def through(port: int) -> int:
            proxies.append(stack.enter_context(Proxy(port, seed=len(proxies))))
            return proxies[-1].port

        fleet = Fleet(
            options.home or Path(scratch) / "hub",
            talkers=options.trainers,
            searchers=options.real_trainers,
            rate=options.rate,
            config=Config(port=0, dashboard_port=0),
            through=through,
        )
        stack.callback(fleet.close)
        fleet.start()
        until(lambda: archived_count(fleet) > 0, "the first message")
        samples, traffic = soak(fleet, proxies, options)
        drain(fleet)
        accounts = [account(fleet, node) for node in fleet.nodes]
        verify = checked(fleet)
    return {
        "seed": options.seed,
        "rate": options.rate,
        "share": options.share,
        "happened": dict(traffic.happened),
        "nodes": [asdict(line) for line in accounts],
        **totals(accounts),
        "verify": verify,
        "searchers": [part.name for part in fleet.searchers],
        "samples": [asdict(sample) for sample in samples],
    }


def judged(report: dict[str, Any], limit: float) -> tuple[list[Line], str]:
    """Return the line of each process, and the verdict on all; write both into the report."""
    samples = [sample_of(made) for made in report["samples"]]
    found = lines(samples, limit, report["searchers"])
    verdict = judge(found, samples[-1].at_s)
    report |= {"limit": limit, "processes": [asdict(line) for line in found], "verdict": verdict}
    return found, verdict


def show(report: dict[str, Any], found: list[Line]) -> str:
    """Print the tables; return the run in a few words."""
    samples = [sample_of(made) for made in report["samples"]]
    cpu = sum(line.cpu_percent for line in found)
    words = f"{samples[-1].at_s / 60:.1f} min, seed {report['seed']}, {report['accepted']} messages"
    print("\n".join(table(found, report["limit"])))
    print("\n" + ", ".join(f"{count} {name}" for name, count in report["happened"].items()))
    print("at most: " + ", ".join(f"{amount} {name}" for name, amount in highest(samples).items()) + "\n")
    print("\n".join(accounts_table([Account(**line) for line in report["nodes"]])))
    print(f"archive: {report['verify']}; memory: {report['verdict']}; {words}; {cpu:.0f} % of a core")
    return words


def main() -> int:
    """Run, or show what an earlier run wrote down; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trainers", type=int, default=3, help="trainers that only talk; the last is killed")
    parser.add_argument("--real-trainers", type=int, default=1, help="trainers that search")
    parser.add_argument("--share", type=float, default=0.05, help="of a core that each of them gets")
    parser.add_argument("--rate", type=float, default=3.0, help="messages a second of each that talks")
    parser.add_argument("--limit", type=float, default=16.0, help="KiB/min by which a process may grow")
    parser.add_argument("--home", type=Path, help="keep everything here; a temporary directory by default")
    parser.add_argument("--json", type=Path, help="write all samples and figures here")
    parser.add_argument("--plot", type=Path, help="write the picture here (SVG)")
    parser.add_argument("--again", type=Path, help="run nothing: judge what an earlier run wrote with --json")
    options = parser.parse_args()
    report = json.loads(options.again.read_text()) if options.again else run(options)
    found, verdict = judged(report, options.limit)
    words = show(report, found)
    if options.json is not None:
        options.json.write_text(json.dumps(report))
    if options.plot is not None:
        samples = [sample_of(made) for made in report["samples"]]
        options.plot.write_text(picture(samples, found, f"Heap of a fleet at work: {words}"))
    complete = not report["lost"] and not report["doubled"] and report["verify"] == "ok"
    return EXIT_CODES[verdict] if complete else 1


if __name__ == "__main__":
    sys.exit(main())
