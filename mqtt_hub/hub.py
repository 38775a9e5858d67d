"""`CollaborativeKernelHub`: one screen of wiring.

::

    source ──▶ incoming ──▶ Sorter ──▶ ArchiveWriter (own thread, one transaction a batch)
                                             │ committed
         acknowledge ◀── ledger ◀────────────┤
         RECEIPT, TRAINING_SYNC, workloads ◀─┘

While one batch is being written the next one gathers: natural group commit, no artificial delay. Nothing is
acknowledged, receipted or answered before it is on disk. When the disk refuses, the hub is ``degraded``: it
keeps the batch, tries again, and the broker stops reading from publishers at its own bound.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, TypeVar

from mqtt_hub.accounts import AccountBook, Accounts
from mqtt_hub.archive import queries
from mqtt_hub.archive.schema import open_archive
from mqtt_hub.archive.writer import ArchiveWriter
from mqtt_hub.batch import Sorter, Work
from mqtt_hub.broker import Delivery
from mqtt_hub.desk import Desk
from mqtt_hub.home import Config, Home
from mqtt_hub.ledger import Ledger
from mqtt_hub.protocol.codec import stamp
from mqtt_hub.protocol.errors import ArchiveError
from mqtt_hub.protocol.table import HUB
from mqtt_hub.registry import Registry
from mqtt_hub.sources import EmbeddedSource
from mqtt_hub.status import Tally, describe
from mqtt_hub.workload_store import WorkloadStore

__all__ = ["CollaborativeKernelHub"]

BATCH_MESSAGES_MAX = 1_000
RETRY_S_MAX = 2.0
TICK_S = 0.25
STATUS_EVERY_S = 2.0

_log = logging.getLogger("mqtt_hub.hub")
T = TypeVar("T")


class CollaborativeKernelHub:
    """Authenticates senders, archives every message, answers HELLO, sends receipts, tells its status."""

    def __init__(self, home: Home, config: Config, *, clock: Callable[[], float] = time.time) -> None:
        self._home, self._config, self._clock = home, config, clock
        self._db = open_archive(home.archive_path)
        self._writer = ArchiveWriter(self._db, home.archive_path, quorum=config.quorum)
        self._thread = ThreadPoolExecutor(1, "archive")  # the archive's connection belongs to this thread
        self._registry = Registry(queries.nodes(self._db))
        self._ledger = Ledger()
        for node, session, upto, above in queries.session_progress(self._db):
            self._ledger.restore(node, session, upto, above)
        self._tally = Tally(self._db)
        self._book = AccountBook(Accounts(home.accounts_path))
        self.source = EmbeddedSource(
            config.host,
            config.port,
            accounts=self._book,
            prefix=config.prefix,
            limits=config.limits,
            state=home.broker_path,
            tls=home.tls_files(config),
            websocket_port=config.websocket_port,
        )
        self._sorter = Sorter(self._registry, self._ledger, role_of=self._role_of, prefix=config.prefix)
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
        self._incoming: deque[Delivery] = deque()
        self._wake = asyncio.Event()
        self._started_at = clock()
        self._state = "running"
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen and work until `stop`; raises `ConfigurationError` when the port is taken."""
        await self.source.start(self._deliver)
        self._tasks = [asyncio.create_task(self._commit_loop()), asyncio.create_task(self._tick_loop())]
        self._tell_status(self._describe())
        _log.info("hub listens on %s:%d, archive %s", self._config.host, self.source.port, self._home.archive_path)

    async def failure(self) -> None:
        """Wait for ever; raises when a loop of the hub ends, which is a fault that must not stay silent."""
        done, _pending = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            _log.critical("the hub cannot go on", exc_info=task.exception())
            task.result()

    async def stop(self) -> None:
        """Say good-bye, commit and acknowledge what has arrived, close everything."""
        self._desk.say_goodbye()
        self._stopping = True
        self._wake.set()
        commit, tick = self._tasks
        tick.cancel()
        await asyncio.gather(commit, tick, return_exceptions=True)
        await self.source.stop()
        self._thread.shutdown()
        self._db.close()
        _log.info("hub stopped")

    def get_hub_status(self) -> dict[str, Any]:
        """Return connected nodes, messages by type and rate, knowledge counts, collaborations, sizes."""
        return self._describe() | {"port": self.source.port, "broker": self.source.counters()}

    def _describe(self) -> dict[str, Any]:
        now = self._clock()
        return describe(
            self._db,
            self._home.archive_path,
            self._tally,
            self._registry,
            now=now,
            uptime_s=now - self._started_at,
            state=self._state,
        )

    def _tell_status(self, status: dict[str, Any]) -> None:
        counters = self.source.counters()  # on the loop's thread, to which the broker belongs
        self._desk.tell_status(status | {"port": self.source.port, "broker": counters})
        self._desk.tell_broker_status({"counters": counters, "limits": asdict(self._config.limits)})

    def _deliver(self, delivery: Delivery) -> None:
        self._incoming.append(delivery)
        self._wake.set()

    async def _commit_loop(self) -> None:
        while not (self._stopping and not self._incoming and not self._desk.sent):
            await self._wake.wait()
            self._wake.clear()
            while self._incoming or self._desk.sent:
                count = min(len(self._incoming), BATCH_MESSAGES_MAX)
                deliveries = [self._incoming.popleft() for _ in range(count)]
                work = self._sorter.sort(deliveries, self._desk.take_sent(), stamp(self._clock()))
                if not await self._write(work):
                    return
                await self._settle(work)

    async def _write(self, work: Work) -> bool:
        """Commit, however long it takes; False when the hub stops before it could."""
        delay_s = 0.1
        while True:
            try:
                await self._in_thread(self._writer.commit, work.rows)
            except ArchiveError as error:
                if self._state != "degraded":
                    _log.error("degraded, nothing is acknowledged: %s", error)
                self._state = "degraded"
                if self._stopping:
                    return False
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, RETRY_S_MAX)
                continue
            if self._state == "degraded":
                _log.info("the archive takes messages again")
                self._state = "running"
            return True

    async def _settle(self, work: Work) -> None:
        """Do what was waiting for the commit: acknowledge, receipt, answer."""
        for key in work.keys:
            self._ledger.commit(*key)
        self._tally.add(work.rows, self._clock())
        for acknowledge in work.acks:
            acknowledge()
        self._desk.send_receipts(work.receipts)
        for greeting in work.hellos:
            self._desk.greet(greeting, await self._in_thread(self._desk.answer, greeting))

    async def _tick_loop(self) -> None:
        told_at = 0.0
        while True:
            await asyncio.sleep(TICK_S)
            await self._shut_out_revoked()
            self._desk.send_due_workloads()
            now = self._clock()
            if not STATUS_EVERY_S > now - told_at >= 0:  # a clock set back must not silence the hub
                told_at = now
                await self._keep_house()
            if self._desk.sent:
                self._wake.set()

    async def _keep_house(self) -> None:
        upto = {key: self._ledger.upto(*key) for key in self._ledger.take_moved()}
        try:
            await self._in_thread(self._writer.advance, upto)
            await self._in_thread(self._writer.expire_collaborations, stamp(self._clock()))
            self._tell_status(await self._in_thread(self._describe))
        except ArchiveError as error:
            _log.warning("housekeeping waits: %s", error)

    async def _shut_out_revoked(self) -> None:
        changed = self._book.refresh()
        if changed:
            _log.info("token void, connections closed: %s", ", ".join(changed))
            await self.source.shut_out(changed)

    def _role_of(self, name: str) -> str:
        record = self._book.get(name)
        return record.role if record else HUB if name == HUB else "stranger"

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)
