"""A read-only client: what `mqtt-hub status` and `mqtt-hub tail` see, through MQTT like anybody else."""

from __future__ import annotations

import queue
import secrets
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from mqtt_hub.client_tls import use_tls
from mqtt_hub.home import Home
from mqtt_hub.protocol.codec import Message, decode, to_json
from mqtt_hub.protocol.errors import AccessDeniedError, BrokerUnavailableError, ProtocolError
from mqtt_hub.protocol.table import BROKER, HUB, MessageType
from mqtt_hub.protocol.topics import build, parse
from mqtt_hub.rules.grants import grants

__all__ = ["Observer", "plain", "seen_line"]

CONNECT_TIMEOUT_S = 5.0
QUEUE_MESSAGES_MAX = 10_000  # a slow terminal loses the oldest lines, never the hub's time
LINE_CHARACTERS_MAX = 400


class Observer:
    """A connection with the observer's token; use it with ``with``."""

    def __init__(
        self,
        host: str,
        port: int,
        token: str,
        prefix: str,
        *,
        tls: bool = False,
        ca_file: Path | None = None,
        certificate: Path | None = None,
    ) -> None:
        self._host, self._port, self._prefix = host, port, prefix
        self._queue: queue.Queue[tuple[str, bytes] | None] = queue.Queue(QUEUE_MESSAGES_MAX)
        self._outcome: queue.Queue[ReasonCode] = queue.Queue()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"observer-{secrets.token_hex(4)}", protocol=mqtt.MQTTv311
        )
        self._client.username_pw_set("observer", token)
        if tls:
            use_tls(self._client, host, ca_file, certificate)
        self._client.on_connect = lambda _c, _u, _f, reason, _p: self._outcome.put(reason)
        self._client.on_disconnect = lambda *_: self._keep(None)
        self._client.on_message = self._on_message

    @classmethod
    def of(cls, home: Home) -> Self:
        """Return the observer of the hub that runs on this home."""
        config, token = home.running_config(), home.token("observer")
        if home.running_port() == 0:  # "any free one", which only the running hub knows
            raise BrokerUnavailableError(f"no hub runs on {home.path}", hint=f"mqtt-hub serve --home {home.path}")
        return cls(
            config.own_host,
            home.running_port(),
            token,
            config.prefix,
            tls=config.own_tls,
            ca_file=home.trusted_ca(config),
            certificate=home.shown_certificate(config, "observer"),
        )

    def __enter__(self) -> Self:
        """Connect; raises `BrokerUnavailableError` or `AccessDeniedError`."""
        try:
            self._client.connect(self._host, self._port)
            self._client.loop_start()
            outcome = self._outcome.get(timeout=CONNECT_TIMEOUT_S)
        except (OSError, ValueError, queue.Empty) as error:  # ValueError: port 0, where no hub runs to tell its own
            self._client.loop_stop()
            why = f": {error}" if isinstance(error, ssl.SSLError) else ""
            raise BrokerUnavailableError(
                f"nobody answers at {self._host}:{self._port}{why}", hint="start the hub: mqtt-hub serve"
            ) from error
        if outcome == "Server unavailable":
            self.__exit__(None, None, None)
            raise BrokerUnavailableError(
                "the broker has no room for the observer now",
                hint="too many connections, or failed logins from this address: try again in half a minute",
            )
        if outcome.is_failure:
            self.__exit__(None, None, None)
            raise AccessDeniedError(
                "the hub refused the observer's token", hint="mqtt-hub node rotate observer makes a new one"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def hub_status(self) -> dict[str, Any]:
        """Return `get_hub_status()` as the hub last published it."""
        for sender, report in self.reports(silence_s=CONNECT_TIMEOUT_S):
            if sender == HUB and report:
                return report
        raise BrokerUnavailableError("the hub told no status", hint="is this a hub's broker?")

    def reports(self, *, silence_s: float) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what hub and broker say of themselves, by sender, until both are silent for so long.

        The first are the retained ones; an empty report is a good-bye.
        """
        topics = [build(MessageType.STATUS, sender, prefix=self._prefix) for sender in (HUB, BROKER)]
        self._client.subscribe([(topic, 1) for topic in topics])
        for message in self._stream(silence_s):
            text = message.body.hub if message.sender == HUB else message.body.broker
            yield message.sender, orjson.loads(text) if text else {}

    def messages(self, types: set[str]) -> Iterator[Message]:
        """Yield messages as they pass until the connection ends; all types where none is named."""
        # By type, for not every broker grants an observer the wildcard above what is hidden.
        filters = grants("observer", "observer", self._prefix).receive
        wanted = [(filter_, 0) for filter_ in filters if not types or filter_.split("/")[2].upper() in types]
        self._client.subscribe(wanted)
        yield from self._stream(None)

    def _stream(self, timeout_s: float | None) -> Iterator[Message]:
        while True:
            try:
                item = self._queue.get(timeout=timeout_s)
            except queue.Empty:
                return
            if item is None:
                raise BrokerUnavailableError("the hub closed the connection")
            topic, payload = item
            try:
                yield decode(payload, parse(topic, prefix=self._prefix))
            except ProtocolError:
                continue  # not ours to judge: the hub archives it with its reason

    def _on_message(self, _client: mqtt.Client, _userdata: Any, raw: mqtt.MQTTMessage) -> None:
        self._keep((raw.topic, bytes(raw.payload)))

    def _keep(self, item: tuple[str, bytes] | None) -> None:
        """Put an item in line and never wait: paho's thread must end when nobody reads any more."""
        while True:
            try:
                self._queue.put_nowait(item)
            except queue.Full:
                with suppress(queue.Empty):  # the reader may just have made room
                    self._queue.get_nowait()
            else:
                return


def plain(text: str) -> str:
    """Return what others wrote without what a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def seen_line(message: Message) -> str:
    """Return a message as one line: time, sender, type, body (shortened)."""
    body = plain(to_json(message.body).decode())
    seq = f"#{message.seq}" if message.seq is not None else ""
    line = f"{message.sent_at[11:23]} {message.sender:<16} {message.type:<24}{seq:>6} {body}"
    return line if len(line) <= LINE_CHARACTERS_MAX else line[: LINE_CHARACTERS_MAX - 1] + "…"
