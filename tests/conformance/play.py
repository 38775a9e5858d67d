"""Scripts for any MQTT broker: what clients say, byte for byte, and what they hear, as lines of text.

::

    Script ── steps ──▶ play(port) ──▶ ["reader < SUBACK 1 [1]", "reader < PUBLISH a 'x' qos 1 id 1", "node closed"]

A client hears up to the answer to a PINGREQ, so nothing waits for a time to pass where the broker is in order.
Where it is not (it waits for the rest of a packet, say) silence is heard after ``SILENCE_S``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import NamedTuple, TypeAlias

from mqtt_hub.broker.packets import (
    Connack,
    MalformedPacketError,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Suback,
)
from tests.broker.harness import Client, ClosedError, SilenceError

__all__ = ["Await", "Drop", "End", "Hear", "Say", "Script", "Step", "play"]

DEADLINE_S = 12.0  # mosquitto looks for clients that went silent every few seconds
SILENCE_S = 0.4


class Say(NamedTuple):
    """A client sends; it connects its socket first where it has none."""

    who: str
    what: tuple[Packet | bytes, ...]


class Hear(NamedTuple):
    """Take down all that a client is sent up to now; at least ``packets_min``, which may be still to come."""

    who: str
    packets_min: int = 0


class Await(NamedTuple):
    """Take down the next packets, without a PINGREQ: for what may precede CONNACK or follow no fence."""

    who: str
    packets: int = 1


class End(NamedTuple):
    """Take down whether the broker closes the connection, and what it says before."""

    who: str
    within_s: float = SILENCE_S


class Drop(NamedTuple):
    """A client's socket closes, without DISCONNECT."""

    who: str


Step: TypeAlias = Say | Hear | Await | End | Drop


class Script(NamedTuple):
    """What clients do, under a name that says what is tested."""

    name: str
    steps: Sequence[Step]


def play(port: int, script: Script) -> list[str]:
    """Return what the clients of a script hear from the broker on ``port``."""
    heard: list[str] = []
    clients: dict[str, Client] = {}
    with ExitStack() as stack:
        for step in script.steps:
            if isinstance(step, Say):
                if step.who not in clients:
                    clients[step.who] = stack.enter_context(Client(port))
                with suppress(ConnectionError):  # heard as an end
                    clients[step.who].send(*step.what)
            elif isinstance(step, Drop):
                clients.pop(step.who).drop()
            else:
                heard += (f"{step.who} {line}" for line in _listen(clients[step.who], step))
                if heard and heard[-1] == f"{step.who} closed":
                    del clients[step.who]
        for client in clients.values():
            client.drop()
    return heard


def _listen(client: Client, step: Hear | Await | End) -> Iterator[str]:
    try:
        if isinstance(step, End):
            end = time.monotonic() + step.within_s
            while True:
                yield "< " + shown(client.receive(end - time.monotonic()))
        for _ in range(step.packets if isinstance(step, Await) else step.packets_min):
            yield "< " + shown(client.receive(DEADLINE_S))
        if isinstance(step, Await):
            return
        client.send(Pingreq())
        while not isinstance(packet := client.receive(SILENCE_S), Pingresp):
            yield "< " + shown(packet)
    except SilenceError:
        yield "stays open" if isinstance(step, End) else "silence"
    except MalformedPacketError as error:
        yield f"hears what is not MQTT 3.1.1: {error.facts}"
        client.drop()
        yield "closed"
    except (ClosedError, ConnectionError):
        yield "closed"


def shown(packet: Packet) -> str:
    """Return a packet as a line of text."""
    kind = type(packet).__name__.upper()
    if isinstance(packet, Connack):
        return f"{kind} {packet.code}{' session present' if packet.session_present else ''}"
    if isinstance(packet, Publish):
        payload = packet.payload.decode() if len(packet.payload) <= 40 else f"({len(packet.payload)} bytes)"
        topic = ascii(packet.topic)[1:-1] if len(packet.topic) <= 40 else f"({len(packet.topic)} characters)"
        flags = " retain" * packet.retain + " dup" * packet.dup + f" id {packet.packet_id}" * bool(packet.qos)
        return f"{kind} {topic} '{payload}' qos {packet.qos}{flags}"
    if isinstance(packet, Suback):
        return f"{kind} {packet.packet_id} {list(map(int, packet.codes))}"
    return " ".join([kind, *map(str, packet)])
