"""One broker as a process, with accounts and the access rule in force: ``serve.py ours|stock HOME PORT``.

Both ask the same accounts file and the same rule; stock amqtt through its plugins.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import uvloop
from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from mqtt_hub.accounts import AccountBook, Accounts
from mqtt_hub.broker import HubBroker, Limits
from mqtt_hub.broker.access import may
from mqtt_hub.protocol.errors import AccessDeniedError
from mqtt_hub.protocol.topics import DEFAULT_PREFIX
from mqtt_hub.serve import _tune  # as the hub's own process is set
from mqtt_hub.sources import EmbeddedSource

BOOK: list[AccountBook] = []


class StockAccounts(BaseAuthPlugin):  # type: ignore[misc]
    """The accounts, asked as amqtt asks."""

    async def authenticate(self, *, session: Session) -> bool | None:
        """Say whether name and token are right."""
        try:
            BOOK[0].verify(session.username or "", (session.password or "").encode())
        except AccessDeniedError:
            return False
        return True


class StockRule(BaseTopicPlugin):  # type: ignore[misc]
    """The access rule, asked as amqtt asks."""

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        """Say whether the account may."""
        if session is None or topic is None or action is None:
            return False
        record = BOOK[0].get(session.username or "")
        return record is not None and may(record.role, record.name, action.value, topic) is None


async def main(kind: str, home: Path, port: int) -> None:
    """Serve until the process is ended."""
    BOOK.append(AccountBook(Accounts(home / "accounts.db")))
    listeners = {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": 0}}
    broker: Any
    if kind == "ours":
        source = EmbeddedSource("127.0.0.1", port, accounts=BOOK[0], prefix=DEFAULT_PREFIX)
        broker = HubBroker(
            {"listeners": listeners},
            authenticate=source._authenticate,  # noqa: SLF001 — what the hub gives its broker, without the hub
            may=source._may,  # noqa: SLF001
            # The idle clients share an account; and what the broker can is asked, not what one account may.
            limits=Limits(connections_per_account_max=10_000, publish_messages_per_s_max=1e9),
        )
    else:
        broker = Broker({"listeners": listeners, "plugins": {"serve.StockAccounts": {}, "serve.StockRule": {}}})
    await broker.start()
    if kind == "ours":
        _tune()
    await asyncio.Event().wait()


if __name__ == "__main__":
    import serve  # amqtt finds plugins by their module's name

    logging.disable(logging.WARNING)
    serve.BOOK = BOOK
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
