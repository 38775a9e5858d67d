"""One host of a broker after the other, until one lets us in; and why none does.

::

    next() ──▶ TCP ──▶ TLS? ──▶ CONNECT, SUBSCRIBE ──▶ HubConnection, established
                └───────┴────────────┴─▶ an error that names the host and what to do; the next call tries the next host
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import NamedTuple

from mqtt_hub.broker.packets import Connect, Will
from mqtt_hub.external.connection import HubConnection
from mqtt_hub.external.settings import BrokerSettings
from mqtt_hub.external.target import Address, Target
from mqtt_hub.protocol.errors import BrokerUnavailableError, ConfigurationError, MqttHubError

__all__ = ["Dialer", "Login"]


class Login(NamedTuple):
    """Who we are. Password and TLS are asked for at each try: a rotated token, a renewed authority count at once."""

    client_id: str
    password: Callable[[], bytes]
    tls: Callable[[str], ssl.SSLContext] | None  # by host; None: no TLS


class Dialer:
    """Makes connections; ``make`` takes CONNECT and whether to subscribe although a session is there."""

    def __init__(
        self,
        settings: BrokerSettings,
        target: Target,
        login: Login,
        will: Will,
        make: Callable[[Connect, bool], HubConnection],
    ) -> None:
        self._settings, self._target, self._login, self._will, self._make = settings, target, login, will, make
        self._at = 0
        # The session that the broker has kept from before this process may have another filter.
        self._subscribed = False

    @property
    def address(self) -> Address:
        """The host that was connected to last, or is tried next."""
        return self._target.addresses[self._at]

    async def next(self) -> HubConnection:
        """Connect, at the next call to the next host; raises what keeps us out."""
        address = self.address
        login, settings = self._login, self._settings
        context = None if login.tls is None else login.tls(address.host)
        connect = Connect(
            login.client_id,
            clean_session=False,
            keep_alive_s=settings.keep_alive_s,
            username=self._target.user,
            password=login.password(),
            will=self._will,
        )
        try:
            connection = await self._dial(address, connect, context)
        except MqttHubError as error:
            self._at = (self._at + 1) % len(self._target.addresses)
            raise type(error)(f"the broker at {address} {error.facts}", hint=error.hint) from error
        self._subscribed = True
        return connection

    async def _dial(self, address: Address, connect: Connect, context: ssl.SSLContext | None) -> HubConnection:
        connection = self._make(connect, not self._subscribed)
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection, *address, ssl=context, server_hostname=address.host if context else None
                )
                await asyncio.shield(connection.established)
        except TimeoutError:
            await connection.give_up()
            raise BrokerUnavailableError(
                f"does not answer within {self._settings.connect_timeout_s:g} s",
                hint="connect_timeout_s under [broker] is the bound",
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise ConfigurationError(
                f"shows a certificate that is not trusted: {error.verify_message}",
                hint="ca_file under [broker] names the authority to trust",
            ) from error
        except OSError as error:
            raise BrokerUnavailableError(
                f"does not answer: {error.strerror or error}", hint="is it running, and is the url right?"
            ) from error
        except BaseException:
            await connection.give_up()
            raise
        return connection
