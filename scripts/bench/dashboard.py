"""How long the dashboard's pages take: ``scripts/bench/dashboard [--json] [--quick]``.

An archive of 1,000 nodes and a million messages, mixed as a fleet mixes them, written by the hub's own writer; the
dashboard's process on it, asked page by page, then again while 100 viewers follow live. Medians of wall-clock time
as a browser waits it; beside them the processor time that a page takes, which other work on the machine does not
change. Last, what it costs the hub that the counts are kept up with every batch.
"""

from __future__ import annotations

import http.client
import os
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
from common import ROOT, Report, arguments, rss_kib, scratch, versions

sys.path.insert(0, str(ROOT))

from mqtt_hub.archive import storing, telemetry
from mqtt_hub.archive.judge import Quorum
from mqtt_hub.archive.schema import open_archive
from mqtt_hub.archive.storing import Grant
from mqtt_hub.archive.writer import ArchiveWriter
from mqtt_hub.cli.home import create_home
from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.intake import Accepted
from mqtt_hub.protocol import bodies as b
from mqtt_hub.protocol.codec import Message, stamp
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import HUB, MessageType

NODES = 1_000
VALIDATORS = 10
MESSAGES = 1_000_000
A_SECOND = 500.0
WORKLOADS = ("backup", "git", "link", "notes", "orders", "packages", "python")
KIND = "page_replacement"
PAGE_MS_MAX = 200
ASKED = 7
VIEWERS = 100
BATCH = 1_000
# Of 1,000 messages of a busy fleet.
MIX = {
    MessageType.PROGRESS: 400, MessageType.PATTERN_SHARE: 200, MessageType.RECEIPT: 160, MessageType.LOG: 150,
    MessageType.CODE_SHARE: 50, MessageType.OS_COMPONENT_SHARE: 10, MessageType.TEST_RESULT: 10,
    MessageType.COLLABORATION_REQUEST: 5, MessageType.COLLABORATION_RESPONSE: 10, MessageType.STATUS: 5,
}  # fmt: skip


def named(text: str) -> str:
    """Return a digest."""
    return sha256(text.encode()).hexdigest()


class Fleet:
    """Makes the messages of a fleet, as the hub's intake would hand them on."""

    def __init__(self) -> None:
        self._rng = random.Random(7)
        self._seqs: dict[str, int] = {}
        self._programs: list[str] = []
        self._submitted: list[tuple[str, b.OsComponentShare]] = []
        self._requests: list[tuple[str, str]] = []
        self.names = [f"AI_Node_{number}" for number in range(1, NODES - VALIDATORS + 1)]
        self.validators = [f"Validator_{number}" for number in range(1, VALIDATORS + 1)]

    def greetings(self, at: str) -> Iterator[Grant]:
        """Yield a HELLO of every node."""
        for name in (*self.names, *self.validators):
            role: Any = "validator" if name in self.validators else "trainer"
            hello = b.Hello(role, "memory_management", (KIND,), "i1", b.Capabilities(cpus=4, memory_mib=1024))
            yield Grant(self._entry(MessageType.HELLO, name, hello, at), 1)

    def message(self, type_: MessageType, at: str) -> Accepted:
        """Return a message of that type."""
        rng, name = self._rng, self._rng.choice(self.names)
        workload = rng.choice(WORKLOADS)
        claim = (b.Claim(named(workload), 100, {"misses": rng.randrange(5_000, 9_000)}),)
        if type_ is MessageType.PROGRESS:
            body: Any = b.Progress(KIND, workload, "search", rng.randrange(10**6), rng.random(), 40.0)
        elif type_ is MessageType.PATTERN_SHARE:
            body = b.PatternShare(
                KIND, "on_hit", "min(age, 7 * frequency)", "score", 0.01, 3, named(workload), named("c")
            )
        elif type_ is MessageType.RECEIPT:
            body = b.Receipt(b.SessionReceipt(1, 5, 5))
            return self._entry(type_, HUB, body, at, scope=name)
        elif type_ is MessageType.LOG:
            body = b.Log("info", f"{workload}: {rng.random():.3f} of the gap closed (mutation)")
            return self._entry(type_, name, body, at, scope="info")
        elif type_ is MessageType.STATUS:
            return self._entry(type_, name, b.Status("ready", 1, "trainer", "memory_management"), at, scope="")
        elif type_ in (MessageType.CODE_SHARE, MessageType.OS_COMPONENT_SHARE):
            body = self._program(type_, name, workload, claim)
        elif type_ is MessageType.TEST_RESULT and self._submitted:
            return self._verdict(*self._submitted.pop(), at)
        elif type_ is MessageType.COLLABORATION_RESPONSE and self._requests:
            requester, request = rng.choice(self._requests[-50:])
            body = b.CollaborationResponse(KIND, "completed", "better", 50, named("x"), "x", (name,), claim)
            return self._entry(type_, name, body, at, scope=requester, correlation_id=request)
        else:
            request = f"{name}.1.{self._seqs.get(name, 0)}"
            self._requests.append((name, request))
            body = b.CollaborationRequest(KIND, named(workload), "x", named("x"), 0.4, 0.6, "program", 50)
            return self._entry(MessageType.COLLABORATION_REQUEST, name, body, at, correlation_id=request)
        return self._entry(type_, name, body, at)

    def _program(self, type_: MessageType, name: str, workload: str, claim: tuple[b.Claim, ...]) -> b.Body:
        parent = self._rng.choice(self._programs[-200:]) if self._programs else ""
        source = f"def on_hit():\n    return keep({len(self._programs)})\n" * 12
        self._programs.append(named(source))
        authors = tuple({name, self._rng.choice(self.names)})
        common = (KIND, named(source), source, authors, (parent,) if parent else (), claim)
        if type_ is MessageType.CODE_SHARE:
            return b.CodeShare(*common)
        submission = b.OsComponentShare(*common, workload)
        self._submitted.append((name, submission))
        return submission

    def _verdict(self, submitter: str, submission: b.OsComponentShare, at: str) -> Accepted:
        baselines = {name: 8_000.0 + 97 * place for place, name in enumerate(("lru", "arc", "lirs", "2q", "fifo"))}
        scores = tuple(
            b.HiddenScore(
                name,
                named("hidden " + name),
                "misses",
                227,
                9_000,
                7_200.0 + self._rng.random() * 1_000,
                7_200.0,
                baselines,
                "arc",
                baselines,
            )
            for name in WORKLOADS
        )
        tests = tuple(b.TestOutcome(name, "passed") for name in ("static", "budget", "invariants", "useful"))
        verdict: Any = self._rng.choice(("accepted", "accepted", "accepted", "rejected"))
        said, c_source = "every test passed", "int x;\n" * 200
        id_ = submission_id(submitter, submission)
        body = b.TestResult(
            KIND,
            submission.component,
            id_,
            submitter,
            verdict,
            False,
            said,
            said,
            tests,
            scores,
            id_,
            c_source,
        )
        return self._entry(MessageType.TEST_RESULT, self._rng.choice(self.validators), body, at)

    def _entry(
        self, type_: MessageType, sender: str, body: b.Body, at: str, *, scope: str = KIND, correlation_id: str = ""
    ) -> Accepted:
        seq = None
        if type_ not in (
            MessageType.HELLO,
            MessageType.RECEIPT,
            MessageType.STATUS,
            MessageType.PROGRESS,
            MessageType.LOG,
        ):
            seq = self._seqs[sender] = self._seqs.get(sender, 0) + 1
        message = Message(type_, sender, 1, at, body, seq, correlation_id)
        envelope = {"v": 1, "type": type_, "sender": sender, "session": 1, "seq": seq, "sent_at": at, "body": body}
        return Accepted(message, scope, orjson.dumps(envelope), at)


def fill(home: Home, count: int) -> None:
    """Write the archive."""
    db = open_archive(home.archive_path)
    archive, fleet = ArchiveWriter(db, home.archive_path, quorum=Quorum()), Fleet()
    types = [type_ for type_, share in MIX.items() for _ in range(share)]
    random.Random(3).shuffle(types)
    began = time.time() - count / A_SECOND
    archive.commit(list(fleet.greetings(stamp(began))))
    for first in range(0, count, BATCH):
        archive.commit(
            [fleet.message(types[at % 1000], stamp(began + at / A_SECOND)) for at in range(first, first + BATCH)]
        )
    archive.advance({(name, 1): 100 for name in fleet.names})
    db.close()


def paths(home: Home) -> list[str]:
    """Return the pages and answers to ask for."""
    db = open_archive(home.archive_path)
    (component,) = db.execute(
        "SELECT id FROM components WHERE verdict = 'accepted' ORDER BY rowid DESC LIMIT 1"
    ).fetchone()
    (message,) = db.execute("SELECT max(id) FROM messages WHERE type = 'PROGRESS'").fetchone()
    (request,) = db.execute("SELECT id FROM collaborations ORDER BY rowid DESC LIMIT 1").fetchone()
    db.close()
    return [
        "/", "/limits", "/race", f"/race/{KIND}/git", "/network", "/stream", "/stream?minutes=60", "/log",
        "/log?level=error", "/log?text=no%20such%20text", "/messages", "/messages?node=Validator_1&type=TEST_RESULT",
        "/messages?text=no%20such%20text", f"/messages/{message}", "/rejected", "/validation",
        "/validation?verdict=rejected", f"/components/{component}", "/nodes", "/nodes/AI_Node_1", "/collaborations",
        f"/collaborations/{quote(request)}", "/api/status", "/api/network",
    ]  # fmt: skip


class Asked:
    """The dashboard's process on a home."""

    def __init__(self, home: Home, stack: ExitStack) -> None:
        words = [sys.executable, "-m", "mqtt_hub", "dashboard", "--home", str(home.path), "--port", "0"]
        self._process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        stack.callback(self._process.wait)
        stack.callback(self._process.terminate)
        if self._process.stdout is None:
            raise SystemExit("Error: no pipe")
        self._place = urlsplit(self._process.stdout.readline().partition(": ")[2].strip())
        stack.callback(self._process.stdout.close)

    def ms(self, path: str) -> tuple[float, float, int]:
        """Return the median wall-clock and the mean processor time of one path in ms, and its size in bytes."""
        times, size = [], 0
        self._get(path)
        used = self._cpu_s()
        for _ in range(ASKED):
            began = time.perf_counter()
            size = self._get(path)
            times.append((time.perf_counter() - began) * 1e3)
        return statistics.median(times), (self._cpu_s() - used) * 1e3 / ASKED, size

    def follow(self, stack: ExitStack) -> None:
        """Follow live, and read nothing."""
        viewer = stack.enter_context(socket.create_connection((self._place.hostname, self._place.port), 10))
        viewer.sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    def rss_mib(self) -> float:
        """Return the process's memory."""
        return rss_kib(self._process.pid) / 1024

    def _get(self, path: str) -> int:
        with closing(
            http.client.HTTPConnection(self._place.hostname or "", self._place.port, timeout=60)
        ) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            data = answer.read()
        if answer.status != 200:
            raise SystemExit(f"Error: {path} answers {answer.status}")
        return len(data)

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def reported(home: Home) -> str:
    """Return what `mqtt-hub report` takes: processor time, memory, and the size of its page."""
    page = home.path / "report.html"
    words = [sys.executable, "-m", "mqtt_hub", "report", "--home", str(home.path), "--out", str(page)]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"Error: mqtt-hub report ends with {process.returncode}")
    cpu_s, size_kib = used.ru_utime + used.ru_stime, page.stat().st_size / 1024
    return f"{cpu_s:.0f} s of processor, {used.ru_maxrss / 1024:.0f} MiB, a page of {size_kib:.0f} KiB"


def telemetry_share(directory: Path) -> float:
    """Return the share of a commit's processor time that goes into the counts."""
    db = open_archive(directory / "share.db")
    batches, fleet, spent_s, count = 30, Fleet(), [0.0, 0.0], telemetry.count

    def timed(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        began = time.process_time()
        count(connection, rows)
        spent_s[0] += time.process_time() - began

    archive = ArchiveWriter(db, directory / "share.db", quorum=Quorum())
    storing.count = timed  # type: ignore[attr-defined]
    for _ in range(batches):
        batch = [fleet.message(MessageType.PATTERN_SHARE, "2026-01-31T12:00:00.000Z") for _ in range(BATCH)]
        began = time.process_time()
        archive.commit(batch)
        spent_s[1] += time.process_time() - began
    storing.count = count  # type: ignore[attr-defined]
    db.close()
    if not spent_s[0]:
        sys.exit("the counts are not where they are measured any more")
    return spent_s[0] / spent_s[1]


def main() -> None:
    """Measure everything and show it."""
    options = arguments(__doc__ or "")
    count = MESSAGES // 10 if options.quick else MESSAGES
    report = Report(versions())
    with ExitStack() as stack:
        directory = stack.enter_context(scratch())
        home = Home(directory / "home")
        create_home(home, Config(port=0))
        began = time.monotonic()
        fill(home, count)
        size_mib = sum(path.stat().st_size for path in home.path.glob("archive.db*")) / 2**20
        report.figures["archive"] = f"{count} messages of {NODES} nodes, {size_mib:.0f} MiB"
        report.figures["written in, s"] = round(time.monotonic() - began)
        asked = Asked(home, stack)
        table = {path: asked.ms(path) for path in paths(home)}
        report.figures["mqtt-hub report"] = reported(home)
        report.figures["memory without viewers, MiB"] = round(asked.rss_mib())
        for path, (wall_ms, cpu_ms, size) in table.items():
            report.figures[path[:60]] = f"{wall_ms:.0f} ms, {cpu_ms:.0f} ms of processor, {size / 1024:.0f} KiB"
            report.at_most(f"{path[:60]}: median, ms", wall_ms, PAGE_MS_MAX)
        for _ in range(VIEWERS):
            asked.follow(stack)
        report.at_most(f"the overview while {VIEWERS} follow: median, ms", asked.ms("/")[0], PAGE_MS_MAX)
        report.figures[f"memory with {VIEWERS} viewers, MiB"] = round(asked.rss_mib())
        report.at_most("share of a commit's processor time that the counts take", telemetry_share(directory), 0.1)
    report.show(as_json=options.json)


if __name__ == "__main__":
    main()
