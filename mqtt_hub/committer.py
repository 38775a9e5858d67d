"""From what has arrived to what is acknowledged: batch after batch, each on disk before anybody is told.

::

    deliver() ──▶ incoming ──▶ Sorter ──▶ ArchiveWriter (own thread, one transaction a batch)
                                                │ committed
            acknowledge ◀── ledger ◀────────────┤
            RECEIPT, TRAINING_SYNC, workloads ◀─┘

While one batch is being written the next one gathers: natural group commit, no artificial delay. What the disk refuses
is tried again until it is taken, or until the hub ends: then it is not acknowledged, and comes again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from sqlite_utils import Database

from mqtt_hub.accounts import OperatorDecision
from mqtt_hub.archive.queries import nodes
from mqtt_hub.archive.thread import ArchiveThread, GivenUpError
from mqtt_hub.archive.writer import ArchiveWriter, News
from mqtt_hub.batch import Arrival, Greeting, Sorter, Work
from mqtt_hub.broker import Delivery
from mqtt_hub.desk import Desk
from mqtt_hub.fair import FairQueue
from mqtt_hub.ledger import Ledger
from mqtt_hub.protocol.codec import stamp
from mqtt_hub.protocol.errors import MqttHubError
from mqtt_hub.status import Tally

__all__ = ["Committer"]

BATCH_MESSAGES_MAX = 1_000
BATCH_MESSAGES_MIN = 64
BATCH_S = 0.05  # what a full batch is to take; on a slow machine it is smaller, so that nobody waits long for it
RECEIPTS_GATHER_S = 0.02  # a receipt covers all that was committed meanwhile: each is a message and a row itself
HELLOS_AT_ONCE_MAX = 64  # answered in one turn of the archive's thread
SESSIONS_MAX = 16  # of a node, whose receipts its TRAINING_SYNC carries

_log = logging.getLogger("mqtt_hub.hub")


class Committer:
    """The loop that commits; ``announce`` is told what each transaction has decided. Used on the loop's thread."""

    def __init__(
        self,
        db: Database,
        archive: ArchiveThread,
        writer: ArchiveWriter,
        sorter: Sorter,
        ledger: Ledger,
        desk: Desk,
        tally: Tally,
        *,
        announce: Callable[[News], None],
        clock: Callable[[], float],
    ) -> None:
        self._db, self._archive, self._writer = db, archive, writer
        self._sorter, self._ledger, self._desk, self._tally = sorter, ledger, desk, tally
        self._announce, self._clock = announce, clock
        self._incoming: FairQueue[Arrival] = FairQueue()
        self._decided: list[OperatorDecision] = []
        self._batch_messages_max = BATCH_MESSAGES_MAX
        self._stamped: tuple[int, str] = (0, "")  # the last millisecond, written out
        self._wake = asyncio.Event()
        self._ending = False

    @property
    def waiting_messages(self) -> int:
        """How many messages wait for a batch."""
        return len(self._incoming)

    def deliver(self, delivery: Delivery) -> None:
        """Take in what the source has received."""
        self._incoming.put(delivery.sender, self._sorter.read(delivery, self._now()))
        self._wake.set()

    def decide(self, decisions: Iterable[OperatorDecision]) -> None:
        """Take in what the operator has decided."""
        self._decided += decisions

    def wake(self) -> None:
        """Begin a batch if the hub itself has something to commit: what it sent, what the operator decided."""
        if self._desk.sent or self._decided:
            self._wake.set()

    def finish(self) -> None:
        """Let `run` return when all that has come is committed; receipts are sent at once from now on."""
        self._ending = True
        self._archive.give_up()
        self._send_receipts()

    async def run(self) -> None:
        """Commit batches until `finish`, or for ever."""
        with suppress(GivenUpError):
            while not (self._ending and not self._incoming and not self._desk.sent):
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
        if self._ending:
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

    def _now(self) -> str:
        now_s = self._clock()
        millisecond = int(now_s * 1000)
        if millisecond != self._stamped[0]:
            self._stamped = (millisecond, stamp(now_s))
        return self._stamped[1]
