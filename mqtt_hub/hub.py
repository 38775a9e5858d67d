"""`CollaborativeKernelHub`: one screen of wiring.

::

    source ──▶ incoming ──▶ Sorter ──▶ ArchiveWriter (own thread, one transaction a batch)
                                             │ committed
         acknowledge ◀── ledger ◀────────────┤
         RECEIPT, TRAINING_SYNC, workloads ◀─┘

While one batch is being written the next one gathers: natural group commit, no artificial delay. Nothing is
acknowledged, receipted or answered before it is on disk. When the disk refuses, the hub is ``degraded``: it
keeps the batch, says why in its status, tries again, and the broker stops reading from publishers at its own bound.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from mqtt_hub.accounts import AccountBook, Accounts, OperatorDecision
from mqtt_hub.archive.judge import Quorum
from mqtt_hub.archive.queries import nodes, trust
from mqtt_hub.archive.schema import open_archive
from mqtt_hub.archive.thread import ArchiveThread, GivenUpError
from mqtt_hub.archive.writer import ArchiveWriter, News
from mqtt_hub.batch import Arrival, Greeting, Sorter, Work
from mqtt_hub.broker import Delivery
from mqtt_hub.config import Config
from mqtt_hub.desk import Desk
from mqtt_hub.external.credentials import login_of
from mqtt_hub.external.source import ExternalSource
from mqtt_hub.fair import FairQueue
from mqtt_hub.home import Home
from mqtt_hub.ledger import Ledger
from mqtt_hub.protocol.codec import stamp
from mqtt_hub.protocol.errors import ArchiveError, MqttHubError
from mqtt_hub.protocol.table import HUB
from mqtt_hub.quota import Quota
from mqtt_hub.registry import Registry
from mqtt_hub.sources import EmbeddedSource, Source
from mqtt_hub.status import Tally, describe, measure
from mqtt_hub.workload_store import WorkloadStore

__all__ = ["CollaborativeKernelHub"]

BATCH_MESSAGES_MAX = 1_000
BATCH_MESSAGES_MIN = 64
BATCH_S = 0.05  # what a full batch is to take; on a slow machine it is smaller, so that nobody waits long for it
TICK_S = 0.25
STATUS_EVERY_S = 2.0
RECEIPTS_GATHER_S = 0.02  # a receipt covers all that was committed meanwhile: each is a message and a row itself
DRAIN_S_MAX = 5.0  # for what is still coming in when the hub is told to stop

HELLOS_AT_ONCE_MAX = 64  # answered in one turn of the archive's thread
SESSIONS_MAX = 16  # of a node, whose receipts its TRAINING_SYNC carries

_log = logging.getLogger("mqtt_hub.hub")


class CollaborativeKernelHub:
    """Authenticates senders, archives every message, answers HELLO, sends receipts, tells its status."""

    def __init__(self, home: Home, config: Config, *, clock: Callable[[], float] = time.time) -> None:
        self._home, self._config, self._clock = home, config, clock
        self._db = open_archive(home.archive_path)
        quorum = Quorum(trusted=config.quorum, new=max(config.quorum, config.quorum_new))
        self._writer = ArchiveWriter(self._db, home.archive_path, quorum=quorum)
        self._archive = ArchiveThread(home.archive_path, self._tell_status)
        self._registry = Registry(nodes.known(self._db))
        self._ledger = Ledger()  # empty: a session is read from the archive when it speaks
        self._quota = Quota(config.bounds, nodes.rejected_kept(self._db), nodes.rejected_beyond(self._db))
        self._tally = Tally(self._db)
        self._measured = measure(self._db, home.archive_path)
        self._book = AccountBook(Accounts(home.accounts_path))
        self.source = _source(home, config, self._book)
        self._quarantined = trust.quarantined(self._db)
        self.source.quarantine(self._quarantined)
        self._sorter = Sorter(self._registry, self._ledger, self._quota, role_of=self._role_of, prefix=config.prefix)
        self._desk = Desk(
            self._db,
            self.source,
            self._registry,
            self._ledger,
            WorkloadStore(home.workloads),
            session=self._writer.new_hub_session(stamp(clock())),
            prefix=config.prefix,
            clock=clock,
        )
        self._desk.quarantined = tuple(sorted(self._quarantined))
        self._incoming: FairQueue[Arrival] = FairQueue()
        self._batch_messages_max = BATCH_MESSAGES_MAX
        self._decided: list[OperatorDecision] = self._book.take_decisions()
        self._stamped: tuple[int, str] = (0, "")  # the last millisecond, written out
        self._wake = asyncio.Event()
        self._started_at = clock()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen and work until `stop`; raises what keeps the source from starting, such as a port that is taken."""
        await self.source.start(self._deliver, self._desk.last_will())
        loops = (self._commit_loop(), self._watch_loop(), self._house_loop())
        self._tasks = [asyncio.create_task(loop) for loop in loops]
        self._tell_status()
        if not self._desk.workloads():
            _log.warning("no workloads yet, so nobody has anything to search for: mqtt-hub workload add")
        _log.info("hub %s, archive %s", self.source.described, self._home.archive_path)

    async def failure(self) -> None:
        """Wait for ever; raises when a loop of the hub ends, which is a fault that must not stay silent."""
        done, _pending = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            _log.critical("the hub cannot go on", exc_info=task.exception())
            task.result()

    async def stop(self) -> None:
        """Say good-bye, commit and acknowledge what has arrived within `DRAIN_S_MAX`, close everything."""
        if self._tasks:
            self._desk.say_goodbye()
            self._stopping = True
            self._archive.give_up()
            self._send_receipts()
            commit, *others = self._tasks
            for task in others:
                task.cancel()
            await asyncio.wait([commit], timeout=DRAIN_S_MAX)
            await self.source.stop()  # who never paused is cut off here; what it sent and we have is committed
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._archive.close()
        self._db.close()
        self._book.close()
        if self._tasks:  # one that could not start has said so
            _log.info("hub stopped")

    def get_hub_status(self) -> dict[str, Any]:
        """Return connected nodes, messages by type and rate, knowledge counts, collaborations, sizes.

        Call it on the loop's thread. What the archive has to be asked for is up to `STATUS_EVERY_S` old.
        """
        now = self._clock()
        status = describe(
            self._measured,
            self._tally,
            self._registry,
            now=now,
            uptime_s=now - self._started_at,
            trouble=self._archive.trouble or self.source.trouble(),
            rejected_beyond_quota=self._quota.beyond,
        )
        return status | {
            "port": self.source.port,
            "workloads": self._desk.workloads(),
            "waiting_messages": len(self._incoming),
            "broker": self.source.counters(),
        }

    def _tell_status(self) -> None:
        status = self.get_hub_status()
        self._desk.tell_status(status)
        limits = self.source.bounds() | asdict(self._config.bounds)
        self._desk.tell_broker_status({"counters": status["broker"], "limits": limits})

    def _deliver(self, delivery: Delivery) -> None:
        self._incoming.put(delivery.sender, self._sorter.read(delivery, self._now()))
        self._wake.set()

    def _now(self) -> str:
        now_s = self._clock()
        millisecond = int(now_s * 1000)
        if millisecond != self._stamped[0]:
            self._stamped = (millisecond, stamp(now_s))
        return self._stamped[1]

    async def _commit_loop(self) -> None:
        with suppress(GivenUpError):
            while not (self._stopping and not self._incoming and not self._desk.sent):
                await self._wake.wait()
                self._wake.clear()
                while self._incoming or self._desk.sent or self._decided:
                    if self._decided:
                        decided, self._decided = self._decided, []
                        self._announce(await self._archive.persist(self._writer.carry_out, decided))
                    arrivals = self._incoming.take(self._batch_messages_max)
                    await self._recall(self._sorter.sessions(arrivals))
                    work = self._sorter.sort(arrivals, self._desk.take_sent())
                    began_s = asyncio.get_running_loop().time()
                    self._announce(await self._archive.persist(self._writer.commit, work.rows))
                    self._size_batches(len(work.rows), asyncio.get_running_loop().time() - began_s)
                    await self._settle(work)

    def _size_batches(self, rows: int, took_s: float) -> None:
        if rows >= BATCH_MESSAGES_MIN and took_s > 0:
            fitting = int(rows * BATCH_S / took_s)
            self._batch_messages_max = max(BATCH_MESSAGES_MIN, min(BATCH_MESSAGES_MAX, fitting))

    def _announce(self, news: News) -> None:
        """Tell what a commit has decided."""
        for verdict in news.verdicts:
            self._desk.tell_verdict(verdict)
        if news.quarantined:
            self.source.quarantine(news.quarantined)
            known = self._quarantined | news.quarantined
            self._quarantined = {name: reason for name, reason in known.items() if reason}
            self._desk.quarantined = tuple(sorted(self._quarantined))
            self._tell_status()  # at once: peers on another broker hear those nodes until they know
            for name, reason in news.quarantined.items():
                _log.warning("%s is %s", name, f"quarantined: {reason}" if reason else "released")

    async def _recall(self, sessions: Iterable[tuple[str, int]]) -> None:
        """Take up sessions of which the ledger knows nothing (since the start, or any more) from the archive."""
        unknown = [key for key in sessions if not self._ledger.knows(*key)]
        if unknown:
            for progress in await self._archive.persist(nodes.session_progress, self._db, unknown):
                self._ledger.restore(*progress)

    async def _settle(self, work: Work) -> None:
        """Do what was waiting for the commit: acknowledge, receipt, answer."""
        for (node, session), seqs in work.claimed.items():
            if seqs:
                self._ledger.commit(node, session, seqs)
        for delivery in work.deliveries:
            delivery.acknowledge()
        self._tally.add(work.rows, self._clock())
        owed = self._desk.owe_receipts(work.receipts)
        if self._stopping:
            self._desk.send_receipts()
        elif owed:
            asyncio.get_running_loop().call_later(RECEIPTS_GATHER_S, self._send_receipts)
        for first in range(0, len(work.hellos), HELLOS_AT_ONCE_MAX):
            await self._welcome(work.hellos[first : first + HELLOS_AT_ONCE_MAX])

    async def _welcome(self, hellos: list[Greeting]) -> None:
        """Answer some HELLOs together: when a fleet comes back at once, each turn of the thread would be a wait."""
        names = {greeting.hello.message.sender for greeting in hellos}
        earlier = await self._archive.persist(partial(nodes.newest_sessions, self._db, names, limit=SESSIONS_MAX))
        await self._recall((name, session) for name, sessions in earlier.items() for session in sessions)
        known = [replace(greeting, earlier=tuple(earlier[greeting.hello.message.sender])) for greeting in hellos]
        for greeting, sync in zip(known, await self._archive.do(self._desk.answers, known), strict=True):
            if isinstance(sync, MqttHubError):  # the node says HELLO again until it is answered
                _log.error("no answer to the HELLO of %s: %s", greeting.hello.message.sender, sync)
            else:
                self._desk.greet(greeting, sync)

    def _send_receipts(self) -> None:
        self._desk.send_receipts()
        self._wake.set()

    async def _watch_loop(self) -> None:
        """Do what must not wait for the archive: a revoked token is void at once, also while a disk hangs."""
        while True:
            await asyncio.sleep(TICK_S)
            await self._shut_out_revoked()
            self._decided += self._book.take_decisions()
            self._desk.offer_new_workloads()
            self._desk.send_due_workloads()
            if self._desk.sent or self._decided:
                self._wake.set()

    async def _house_loop(self) -> None:
        while True:
            await asyncio.sleep(STATUS_EVERY_S)
            if not self._archive.trouble:  # else the archive's thread is busy enough, and the status is told
                await self._keep_house()

    async def _keep_house(self) -> None:
        upto = {key: self._ledger.upto(*key) for key in self._ledger.take_moved()}
        beyond = self._quota.take_moved()
        try:
            await self._archive.do(self._writer.advance, upto)
            await self._archive.do(self._writer.note_rejected_beyond, beyond)
            await self._archive.do(self._writer.expire_collaborations, stamp(self._clock()))
            self._measured = await self._archive.do(measure, self._db, self._home.archive_path)
            await self._archive.do(self._desk.look_for_workloads)
        except ArchiveError as error:
            _log.warning("housekeeping waits: %s", error)
            self._ledger.moved_again(upto)
            self._quota.moved_again(beyond)
        self._ledger.forget(self._config.bounds.sessions_remembered_max)
        self._tell_status()
        self._wake.set()

    async def _shut_out_revoked(self) -> None:
        changed = self._book.refresh()
        if changed:
            _log.info("token void, connections closed: %s", ", ".join(changed))
            await self.source.shut_out(changed)

    def _role_of(self, name: str) -> str:
        record = self._book.get(name)
        return record.role if record else HUB if name == HUB else "stranger"


def _source(home: Home, config: Config, accounts: AccountBook) -> Source:
    """Return the broker that the configuration names: one elsewhere, or the embedded one."""
    if config.external is not None:
        return ExternalSource(config.broker, login_of(home, config), accounts=accounts, prefix=config.prefix)
    return EmbeddedSource(
        config.host,
        config.port,
        accounts=accounts,
        prefix=config.prefix,
        limits=config.limits,
        state=home.broker_path,
        tls=home.tls_files(config),
        websocket_port=config.websocket_port,
        unix_socket=home.path / config.unix_socket if config.unix_socket else None,
    )
