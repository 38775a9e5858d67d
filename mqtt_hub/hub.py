"""`CollaborativeKernelHub`: one screen of wiring.

::

    source ──▶ committer ──▶ archive            four times a second: accounts, the operator's decisions, workloads
       ▲           │ committed                  every two seconds: the archive's house, the hub's status
       └── desk ◀──┴─▶ verdicts, quarantines

Nothing is acknowledged, receipted or answered before it is on disk. When the disk refuses, the hub is ``degraded``:
it keeps the batch, says why in its status, tries again, and the broker stops reading from publishers at its own bound.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from mqtt_hub.accounts import AccountBook, Accounts
from mqtt_hub.archive.judge import Quorum
from mqtt_hub.archive.queries import nodes, trust
from mqtt_hub.archive.schema import open_archive
from mqtt_hub.archive.thread import ArchiveThread
from mqtt_hub.archive.writer import ArchiveWriter, News
from mqtt_hub.batch import Sorter
from mqtt_hub.committer import Committer
from mqtt_hub.config import Config
from mqtt_hub.desk import Desk
from mqtt_hub.external.credentials import login_of
from mqtt_hub.external.source import ExternalSource
from mqtt_hub.home import Home
from mqtt_hub.ledger import Ledger
from mqtt_hub.protocol.codec import stamp
from mqtt_hub.protocol.errors import ArchiveError
from mqtt_hub.protocol.table import HUB
from mqtt_hub.quota import Quota
from mqtt_hub.registry import Registry
from mqtt_hub.sources import EmbeddedSource, Source
from mqtt_hub.status import Tally, describe, measure
from mqtt_hub.workload_store import WorkloadStore

__all__ = ["CollaborativeKernelHub"]

TICK_S = 0.25
STATUS_EVERY_S = 2.0
DRAIN_S_MAX = 5.0  # for what is still coming in when the hub is told to stop

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
        self._committer = Committer(
            self._db,
            self._archive,
            self._writer,
            Sorter(self._registry, self._ledger, self._quota, role_of=self._role_of, prefix=config.prefix),
            self._ledger,
            self._desk,
            self._tally,
            announce=self._announce,
            clock=clock,
        )
        self._committer.decide(self._book.take_decisions())
        self._started_at = clock()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen and work until `stop`; raises what keeps the source from starting, such as a port that is taken."""
        await self.source.start(self._committer.deliver, self._desk.last_will())
        loops = (self._committer.run(), self._watch_loop(), self._house_loop())
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
            self._committer.finish()
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
            "waiting_messages": self._committer.waiting_messages,
            "broker": self.source.counters(),
        }

    def _tell_status(self) -> None:
        status = self.get_hub_status()
        self._desk.tell_status(status)
        limits = self.source.bounds() | asdict(self._config.bounds)
        self._desk.tell_broker_status({"counters": status["broker"], "limits": limits})

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

    async def _watch_loop(self) -> None:
        """Do what must not wait for the archive: a revoked token is void at once, also while a disk hangs."""
        while True:
            await asyncio.sleep(TICK_S)
            await self._shut_out_revoked()
            self._committer.decide(self._book.take_decisions())
            self._desk.offer_new_workloads()
            self._desk.send_due_workloads()
            self._committer.wake()

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
        self._committer.wake()

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
