"""The scripts: MQTT 3.1.1 as clients see it, section by section."""

# ruff: noqa: E501 — a script reads best with a client's turn on one line

from __future__ import annotations

from mqtt_hub.broker.packets import (
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Unsubscribe,
    Will,
    binary,
    frame,
    text,
)
from tests.broker.malformed import MALFORMED, MISPLACED
from tests.conformance.play import Await, Drop, End, Hear, Say, Script, Step

__all__ = ["SCRIPTS"]

BIG = bytes(200_000)


def say(who: str, *what: Packet | bytes) -> Say:
    return Say(who, what)


def enter(who: str, *, clean: bool = True, keep_alive_s: int = 0, will: Will | None = None) -> list[Step]:
    """Connect and take down CONNACK."""
    return [say(who, Connect(who, clean, keep_alive_s, will=will)), Hear(who, 1)]


def listen(who: str, *filters: tuple[str, int], clean: bool = True) -> list[Step]:
    """Connect and subscribe."""
    return [*enter(who, clean=clean), say(who, Subscribe(1, filters)), Hear(who, 1)]


def leave(who: str) -> list[Step]:
    return [say(who, Disconnect()), End(who, 3.0)]


def raw_connect(flags: int, payload: bytes, *, name: str = "MQTT", level: int = 4) -> bytes:
    return frame(0x10, text(name) + bytes((level, flags)) + b"\0\x3c" + payload)


CONNECTING = [
    Script("a clean session", [*enter("node"), *leave("node")]),
    Script("a persistent session is present when its client returns", [
        *enter("node", clean=False), *leave("node"), *enter("node", clean=False), *leave("node"),
        *enter("node"), *leave("node"), *enter("node", clean=False), *leave("node"), *enter("node"),
    ]),
    Script("no client id, clean", [say("", Connect("")), Hear("", 1)]),
    Script("no client id, persistent", [say("node", Connect("", clean_session=False)), End("node")]),
    Script("a client id of 23 characters", enter("c" * 23)),
    Script("a client id of 256 characters", enter("c" * 256)),
    Script("a client id of 1000 characters", [say("node", Connect("c" * 1000)), Hear("node", 1)]),
    Script("a client id with spaces and umlauts", enter("knoten ä/ö ☃")),
    Script("a client id with U+0000", [say("node", raw_connect(2, text("a\0b"))), End("node")]),
    Script("a client id that is not UTF-8", [say("node", raw_connect(2, binary(b"\xff"))), End("node")]),
    Script("a user name without a password", [say("node", Connect("node", username="u")), Hear("node", 1)]),
    Script("a user name and a password", [say("node", Connect("node", username="u", password=b"p")), Hear("node", 1)]),
    Script("an empty user name", [say("node", Connect("node", username="", password=b"")), Hear("node", 1)]),
    Script("a user name that is not UTF-8", [say("node", raw_connect(0x82, text("c") + binary(b"\xff"))), End("node")]),
    Script("protocol MQIsdp 3 (MQTT 3.1)", [say("node", raw_connect(2, text("c"), name="MQIsdp", level=3)), End("node")]),
    Script("protocol level 5 (MQTT 5)", [say("node", raw_connect(2, b"\0" + text("c"), level=5)), End("node")]),
    Script("protocol level 6", [say("node", raw_connect(2, text("c"), level=6)), End("node")]),
    Script("protocol level 0x84 (a mosquitto bridge)", [say("node", raw_connect(2, text("c"), level=0x84)), End("node")]),
    Script("CONNECT one byte at a time", [
        *(say("node", bytes((byte,))) for byte in Connect("node", username="u", password=b"p").encode()), Hear("node", 1),
    ]),
    Script("packets that come with CONNECT", [
        say("node", Connect("node"), Subscribe(1, (("a", 1),)), Publish("a", b"1", 1, packet_id=2), Pingreq()),
        Await("node", 5),
    ]),
    Script("packets after DISCONNECT are not heard", [
        *listen("reader", ("a", 0)), *enter("node"), say("node", Disconnect(), Publish("a", b"late")),
        End("node", 3.0), Hear("reader"),
    ]),
    *(
        Script(f"{type(first).__name__.upper()} before CONNECT", [say("node", first), End("node")])
        for first in (Pingreq(), Publish("a", b""), Subscribe(1, (("a", 0),)), Disconnect(), Puback(1))
    ),
]  # fmt: skip

SUBSCRIBING = [
    Script("each QoS is granted", listen("node", ("a", 0), ("b", 1), ("c", 2))),
    Script("filters of every form", listen("node", ("#", 0), ("+", 0), ("/", 0), ("//", 0), ("a//b", 0), ("+/+/#", 0),
                                           ("/+", 0), ("a/+/b", 0), (" ", 0), ("$SYS/none", 0))),
    Script("no wildcard finds what begins with $", [
        *listen("reader", ("#", 0), ("+/a", 0)), *enter("node"),
        say("node", Publish("$other/a", b"1"), Publish("x/a", b"2")), Hear("node"), Hear("reader"),
    ]),
    Script("a topic that begins with $ is the broker's", [
        *listen("reader", ("$other/a", 0)), *enter("node"),
        say("node", Publish("$other/a", b"1", 1, packet_id=1)), Hear("node"), Hear("reader"),
    ]),
    Script("$SYS is the broker's", [
        *listen("reader", ("$SYS/a", 0)), *enter("node"),
        say("node", Publish("$SYS/a", b"1", 1, packet_id=1)), Hear("node"), Hear("reader"),
    ]),
    Script("$share is a filter like any other", [
        *listen("reader", ("$share/g/a", 0)), *enter("node"), say("node", Publish("a", b"1")), Hear("node"), Hear("reader"),
    ]),
    Script("overlapping filters", [
        *listen("reader", ("a/#", 0), ("a/+", 2), ("a/b", 1)), *enter("node"),
        say("node", Publish("a/b", b"1", 1, packet_id=1)), Hear("node"), Hear("reader"),
    ]),
    Script("a/# finds a, + finds an empty level", [
        *listen("reader", ("a/#", 0), ("+/b", 0)), *enter("node"),
        say("node", Publish("a", b"1"), Publish("/b", b"2"), Publish("/b/", b"3"), Publish("a/", b"4")), Hear("node"),
        Hear("reader"),
    ]),
    Script("topics differ by case and by slashes", [
        *listen("reader", ("a", 0)), *enter("node"),
        say("node", Publish("A", b"1"), Publish("/a", b"2"), Publish("a/", b"3"), Publish("a", b"4")), Hear("node"),
        Hear("reader"),
    ]),
    Script("a subscription is replaced with its QoS", [
        *listen("reader", ("a", 2)), say("reader", Subscribe(2, (("a", 0),))), Hear("reader", 1), *enter("node"),
        say("node", Publish("a", b"1", 1, packet_id=1)), Hear("node"), Hear("reader"),
    ]),
    Script("unsubscribing, also from what was never subscribed to", [
        *listen("reader", ("a", 0), ("b", 0)), say("reader", Unsubscribe(2, ("a", "never"))), Hear("reader", 1),
        *enter("node"), say("node", Publish("a", b"1"), Publish("b", b"2")), Hear("node"), Hear("reader"),
    ]),
    Script("a client hears its own messages", [*listen("node", ("a", 1)), say("node", Publish("a", b"1", 1, packet_id=9)), Hear("node")]),
    Script("the QoS delivered is the lower of both", [
        *listen("reader", ("0/#", 0), ("1/#", 1), ("2/#", 2)), *enter("node"),
        *(
            say("node", Publish(f"{granted}/{sent}", b"", sent, packet_id=3 * granted + sent))
            for granted in (0, 1, 2) for sent in (0, 1)
        ),
        Hear("node"), Hear("reader"),
    ]),
]  # fmt: skip

PUBLISHING = [
    Script("QoS 0 to nobody", [*enter("node"), say("node", Publish("a", b"1")), Hear("node")]),
    Script("QoS 1 to nobody", [*enter("node"), say("node", Publish("a", b"1", 1, packet_id=65535)), Hear("node")]),
    Script("QoS 2 to nobody", [
        *enter("node"), say("node", Publish("a", b"1", 2, packet_id=7)), Hear("node"), say("node", Pubrel(7)), Hear("node"),
    ]),
    Script("QoS 2 from end to end", [
        *listen("reader", ("a", 2)), *enter("node"), say("node", Publish("a", b"1", 2, packet_id=7)), Hear("node"),
        say("node", Pubrel(7)), Hear("node"), Hear("reader", 1), say("reader", Pubrec(1)), Hear("reader"),
        say("reader", Pubcomp(1)), Hear("reader"),
    ]),
    Script("a QoS 2 message sent twice before PUBREL is one", [
        *listen("reader", ("a", 0)), *enter("node"),
        say("node", Publish("a", b"1", 2, packet_id=7), Publish("a", b"1", 2, dup=True, packet_id=7)), Hear("node"),
        say("node", Pubrel(7)), Hear("node"), Hear("reader"),
    ]),
    Script("a QoS 2 message is routed once over a break", [
        *listen("reader", ("a", 0)), *enter("node", clean=False), say("node", Publish("a", b"1", 2, packet_id=7)),
        Hear("node"), Drop("node"), *enter("node", clean=False),
        say("node", Publish("a", b"1", 2, dup=True, packet_id=7)), Hear("node"), say("node", Pubrel(7)), Hear("node"),
        Hear("reader"),
    ]),
    Script("when a QoS 2 message is routed", [
        *listen("reader", ("a", 0)), *enter("node"), say("node", Publish("a", b"1", 2, packet_id=7)), Hear("node"),
        Hear("reader"), say("node", Pubrel(7)), Hear("node"), Hear("reader"),
    ]),
    Script("QoS 2 acknowledgements that nobody waits for", [
        *enter("node"), say("node", Pubrel(9)), Hear("node"), say("node", Pubcomp(9)), Hear("node"),
    ]),
    Script("PUBREC that nobody waits for", [*enter("node"), say("node", Pubrec(9)), Hear("node")]),
    Script("PUBACK that nobody waits for", [*enter("node"), say("node", Puback(9)), Hear("node")]),
    Script("PUBACK for a QoS 2 message", [
        *listen("reader", ("a", 2)), *enter("node"), say("node", Publish("a", b"1", 2, packet_id=7), Pubrel(7)),
        Hear("node"), Hear("reader", 1), say("reader", Puback(1)), Hear("reader"),
    ]),
    Script("an empty payload", [*listen("node", ("a", 0)), say("node", Publish("a", b"")), Hear("node")]),
    Script("a payload of 200,000 bytes", [*listen("node", ("a", 0)), say("node", Publish("a", BIG)), Hear("node", 1)]),
    Script("a payload of 300,000 bytes", [*enter("node"), say("node", Publish("a", bytes(300_000))), Hear("node")]),
    Script("a topic of 1024 bytes", [*listen("node", ("#", 0)), say("node", Publish("t" * 1024, b"")), Hear("node")]),
    Script("a topic of 4096 bytes", [*listen("node", ("#", 0)), say("node", Publish("t" * 4096, b"")), Hear("node")]),
    Script("a topic of 64 levels", [*listen("node", ("#", 0)), say("node", Publish("/" * 63, b"")), Hear("node")]),
    Script("a topic of 300 levels", [*listen("node", ("#", 0)), say("node", Publish("/" * 299, b"")), Hear("node")]),
    Script("a topic with a control character", [*listen("node", ("#", 0)), say("node", Publish("a\x01b", b"")), Hear("node")]),
    Script("a topic with a byte order mark", [*listen("node", ("#", 0)), say("node", Publish("\ufeffa", b"")), Hear("node")]),
    Script("PUBLISH one byte at a time", [
        *listen("node", ("a", 0)), *(say("node", bytes((byte,))) for byte in Publish("a", b"1").encode()), Hear("node"),
    ]),
    Script("many packets in one segment keep their order", [
        *listen("reader", ("a", 0)), *enter("node"),
        say("node", *(Publish("a", b"%d" % number, number % 2, packet_id=number) for number in range(1, 20))),
        Hear("node", 10), Hear("reader", 19),
    ]),
]  # fmt: skip

RETAINED = [
    Script("retained: set, replaced, cleared", [
        *enter("node"), say("node", Publish("r/a", b"1", 1, retain=True, packet_id=1)), Hear("node"),
        *listen("one", ("r/a", 1)), say("node", Publish("r/a", b"2", 1, retain=True, packet_id=1)), Hear("node"), Hear("one"),
        *listen("two", ("r/+", 1)), say("node", Publish("r/a", b"", 1, retain=True, packet_id=1)), Hear("node"), Hear("two"),
        *listen("three", ("r/#", 1)),
    ]),
    Script("retained messages come again with every SUBSCRIBE", [
        *enter("node"), say("node", Publish("r/b", b"1", retain=True)), Hear("node"),
        say("node", Subscribe(1, (("r/b", 0),))), Hear("node", 1), say("node", Subscribe(2, (("r/b", 0),))), Hear("node", 1),
        say("node", Publish("r/b", b"", retain=True)), Hear("node"),
    ]),
    Script("retained messages of filters that overlap in one SUBSCRIBE", [
        *enter("node"), say("node", Publish("r/c", b"1", 1, retain=True, packet_id=1)), Hear("node"),
        *listen("reader", ("r/+", 0), ("r/#", 1)),
        say("node", Publish("r/c", b"", retain=True)), Hear("node"),
    ]),
    Script("retained messages come at the lower QoS", [
        *enter("node"), say("node", Publish("r/d", b"1", 1, retain=True, packet_id=1)), Hear("node"),
        *listen("zero", ("r/d", 0)), *listen("two", ("r/d", 2)),
        say("node", Publish("r/d", b"", retain=True)), Hear("node"),
    ]),
    Script("only what this client subscribed to is sent", [
        *enter("node"), say("node", Publish("r/e", b"1", retain=True)), Hear("node"),
        *listen("other", ("r/f", 0)), *enter("third"), say("node", Publish("r/e", b"", retain=True)), Hear("node"),
    ]),
    Script("a returning session is not sent retained messages again", [
        *enter("node"), say("node", Publish("r/g", b"1", retain=True)), Hear("node"),
        *listen("reader", ("r/g", 0), clean=False), *leave("reader"), *enter("reader", clean=False), *leave("reader"),
        *enter("reader"), say("node", Publish("r/g", b"", retain=True)), Hear("node"),
    ]),
]  # fmt: skip


def lost(end: Step, *, qos: int = 0, keep_alive_s: int = 0) -> list[Step]:
    return [
        *listen("watcher", ("w", 2)), *enter("node", keep_alive_s=keep_alive_s, will=Will("w", b"lost", qos)), end,
        Hear("watcher", 1),
    ]  # fmt: skip


WILLS = [
    Script("a will when the socket closes", lost(Drop("node"))),
    Script("a will of QoS 1", lost(Drop("node"), qos=1)),
    Script("a will of QoS 2", lost(Drop("node"), qos=2)),
    Script("a will when the client breaks the protocol", lost(say("node", b"\0\0"))),
    Script("a will when the keep-alive passes", lost(Hear("node"), keep_alive_s=1)),
    Script("no will after DISCONNECT", [
        *listen("watcher", ("w", 0)), *enter("node", will=Will("w", b"lost")), *leave("node"), Hear("watcher"),
    ]),
    Script("a will on takeover", [
        *listen("watcher", ("w", 0)), *enter("node", will=Will("w", b"lost")), say("twin", Connect("node")),
        Hear("twin", 1), Hear("watcher", 1), End("node", 3.0),
    ]),
    Script("a retained will", [
        *listen("watcher", ("w/r", 0)), *enter("node", will=Will("w/r", b"lost", 0, retain=True)), Drop("node"),
        Hear("watcher", 1), *listen("late", ("w/r", 0)), say("late", Publish("w/r", b"", retain=True)), Hear("late"),
    ]),
    Script("an empty will", [
        *listen("watcher", ("w", 0)), *enter("node", will=Will("w", b"")), Drop("node"), Hear("watcher", 1),
    ]),
    Script("a session that returns has the will of its new CONNECT", [
        *listen("watcher", ("w/#", 0)), *enter("node", clean=False, will=Will("w/1", b"old")), *leave("node"),
        *enter("node", clean=False, will=Will("w/2", b"new")), Drop("node"), Hear("watcher", 1), *enter("node"),
    ]),
    Script("an empty will topic", [say("node", raw_connect(6, text("c") + text("") + binary(b""))), End("node")]),
    Script("a will topic that begins with $", [say("node", Connect("c", will=Will("$w", b""))), End("node")]),
]  # fmt: skip

SESSIONS = [
    Script("offline messages wait, in order, without QoS 0", [
        *listen("away", ("a", 1), clean=False), *leave("away"), *enter("node"),
        say("node", Publish("a", b"0"), *(Publish("a", b"%d" % n, 1, packet_id=n) for n in (1, 2, 3))), Hear("node", 3),
        *enter("away", clean=False), say("away", Puback(1), Puback(2), Puback(3)), Hear("away"), *leave("away"), *enter("away"),
    ]),
    Script("offline messages have no RETAIN flag", [
        *listen("away", ("a", 1), clean=False), *leave("away"), *enter("node"),
        say("node", Publish("a", b"1", 1, retain=True, packet_id=1)), Hear("node", 1), *enter("away", clean=False),
        say("node", Publish("a", b"", 1, retain=True, packet_id=1)), Hear("node", 1), Drop("away"), *enter("away"),
    ]),
    Script("unacknowledged messages come again with DUP and their ids", [
        *listen("away", ("a", 1), clean=False), *enter("node"),
        say("node", *(Publish("a", b"%d" % n, 1, packet_id=n) for n in (1, 2, 3))), Hear("node", 3), Hear("away", 3),
        say("away", Puback(2)), Hear("away"), Drop("away"), *enter("away", clean=False),
        Drop("away"), *enter("away", clean=False), say("away", Puback(1), Puback(3)), Hear("away"),
        Drop("away"), *enter("away", clean=False), Drop("away"), *enter("away"),
    ]),
    Script("PUBREL comes again after a break", [
        *listen("away", ("a", 2), clean=False), *enter("node"),
        say("node", Publish("a", b"1", 2, packet_id=1), Pubrel(1)), Hear("node", 2), Hear("away", 1),
        say("away", Pubrec(1)), Hear("away", 1), Drop("away"), *enter("away", clean=False), say("away", Pubcomp(1)),
        Hear("away"), Drop("away"), *enter("away", clean=False), Drop("away"), *enter("away"),
    ]),
    Script("subscriptions survive a break, and a clean CONNECT ends them", [
        *listen("away", ("a", 1), clean=False), *leave("away"), *enter("away", clean=False), *enter("node"),
        say("node", Publish("a", b"1", 1, packet_id=1)), Hear("node", 1), Hear("away", 1), say("away", Puback(1)), Hear("away"),
        *leave("away"), *enter("away"), say("node", Publish("a", b"2", 1, packet_id=1)), Hear("node", 1), Hear("away"),
    ]),
    Script("takeover of a clean session", [
        *listen("node", ("a", 0)), say("twin", Connect("node")), Hear("twin", 1), End("node", 3.0),
        say("twin", Publish("a", b"1")), Hear("twin"),
    ]),
    Script("takeover of a persistent session", [
        *listen("node", ("a", 0), clean=False), say("twin", Connect("node", clean_session=False)), Hear("twin", 1),
        End("node", 3.0), say("twin", Publish("a", b"1")), Hear("twin"), Drop("twin"), *enter("node"),
    ]),
    Script("a clean CONNECT takes over a persistent session and deletes it", [
        *listen("node", ("a", 0), clean=False), say("twin", Connect("node")), Hear("twin", 1), End("node", 3.0),
        say("twin", Publish("a", b"1")), Hear("twin"), say("twin", Disconnect()), End("twin", 3.0), *enter("node", clean=False),
        Drop("node"), *enter("node"),
    ]),
    Script("a client that pings outlives its keep-alive", [*enter("node", keep_alive_s=1), Hear("node"), Hear("node")]),
]  # fmt: skip

FORBIDDEN = [
    Script(name, [*enter("node"), say("node", stream), End("node")])
    for name, stream in {**MALFORMED, **MISPLACED}.items()
]
FORBIDDEN_FIRST = [
    Script(f"at first: {name}", [say("node", stream), End("node")])
    for name, stream in MALFORMED.items()
    if name.startswith("CONNECT")
]

SCRIPTS: list[Script] = [
    *CONNECTING, *SUBSCRIBING, *PUBLISHING, *RETAINED, *WILLS, *SESSIONS, *FORBIDDEN, *FORBIDDEN_FIRST,
]  # fmt: skip
