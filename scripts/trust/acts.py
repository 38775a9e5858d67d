"""What cheats try, each with a node of its own, and what the archive says of it afterwards.

An act returns how it was caught; one that went uncaught raises `UncaughtError` with what is the case instead.
"""

from __future__ import annotations

from collections.abc import Callable

from puppet import KIND, Puppet
from stage import HONEST, Stage

from mqtt_hub.protocol.bodies import CodeShare, Hello, OsComponentShare, PatternShare, Status, TestResult
from mqtt_hub.protocol.submission import submission_id
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.protocol.topics import build
from mqtt_hub.trust import NOISE_A_STRIKE, STRIKES_MAX

__all__ = ["ACTS", "PEER", "UncaughtError"]

PEER = "Peer_1"  # an honest node, on strings too, so that the acts can be told in order
PROGRAM = "def on_insert():\n    return tail(0, {mark})\n"  # one of 256 that do as well as each other
REPEATS = 50
BOMB = (
    "def on_scan(mark, age, frequency):\n    a = age\n"
    + 60 * "    a = a // 3 * (frequency + 7) % 65537 // (a + 3) * 5\n"
    + "    return evict() if a == 12345 else keep(0)\n"
)

Act = Callable[[Stage, Puppet, Puppet], str]


class UncaughtError(Exception):
    """A cheat got away with it."""


def check(condition: object, otherwise: object) -> None:
    """Go on where the cheat was caught."""
    if not condition:
        raise UncaughtError(str(otherwise))


def false_scores(stage: Stage, cheat: Puppet, _peer: Puppet) -> str:
    """Claim what no run can reach, three times, and then share code."""
    for mark in range(STRIKES_MAX):
        row = stage.submit(cheat, stage.submission(PROGRAM.format(mark=mark), misses=1))
        check(row["verdict"] == "not_reproduced", row)
    return f"{row['reason']}; {_quarantined(stage, cheat)}"


def anothers_source(stage: Stage, cheat: Puppet, peer: Puppet) -> str:
    """Claim falsely for a source that an honest node submits later: it must not be spoiled."""
    source = PROGRAM.format(mark=10)
    spoiled = stage.submit(cheat, stage.submission(source, misses=1))
    honest = stage.submit(peer, stage.submission(source))
    (component,) = stage.query("SELECT verdict FROM components WHERE id = ?", honest["component"])
    verdicts = (spoiled["verdict"], honest["verdict"], component["verdict"])
    check(verdicts == ("not_reproduced", "accepted", "accepted"), verdicts)
    return f"{spoiled['reason']}; the honest submission of the same source: {honest['verdict']}"


def anothers_work(stage: Stage, cheat: Puppet, peer: Puppet) -> str:
    """Submit as one's own, with true claims, what another showed before."""
    submission = stage.submission(PROGRAM.format(mark=11), authors=(cheat.name,))
    said = CodeShare(KIND, submission.component, submission.source, (peer.name,), (), submission.claims)
    peer.say(MessageType.CODE_SHARE, said)
    stage.submit(cheat, submission)
    (told,) = stage.query(
        "SELECT n.name FROM discoveries d JOIN nodes n ON n.id = d.node WHERE component = ?", submission.component
    )
    check(told["name"] == peer.name, f"found by {told['name']}")
    check(stage.standing(cheat.name)["improvements"] == 0, "it has credit for it")
    return f"found by {told['name']}, who told of it first: the credit is not the sender's"


def another_author(stage: Stage, cheat: Puppet, _peer: Puppet) -> str:
    """Name an honest node as the author of a false claim."""
    row = stage.submit(cheat, stage.submission(PROGRAM.format(mark=12), misses=1, authors=(HONEST,)))
    blamed = stage.query(
        "SELECT n.name FROM trust_events e JOIN nodes n ON n.id = e.node WHERE e.submission = ?", row["id"]
    )
    check(blamed == [{"name": cheat.name}], blamed)
    return f"{row['verdict']}: held against the authenticated sender, not against {HONEST}"


def forged_senders(stage: Stage, cheat: Puppet, _peer: Puppet) -> str:
    """Speak as another node, in another's name on the own topic, as a validator, and as the hub."""
    cheat.say(MessageType.PATTERN_SHARE, _pattern(), sender=HONEST)
    own = build(MessageType.PATTERN_SHARE, cheat.name, KIND)
    cheat.publish(own, cheat.sent[-1][1])
    submission = stage.submission(PROGRAM.format(mark=13))
    cheat.say(MessageType.TEST_RESULT, _acceptance(cheat.name, submission))
    cheat.say(MessageType.STATUS, Status("lost", 1, "trainer"), sender=HONEST)
    reasons = stage.rejected(cheat.name)
    check(len(reasons) == 4, reasons)
    (state,) = stage.query("SELECT state FROM nodes WHERE name = ?", HONEST)
    check(state["state"] != "lost", f"{HONEST} counts as lost")
    return f"{'; '.join(dict.fromkeys(reasons))}; {_quarantined(stage, cheat)}"


def replayed_messages(stage: Stage, cheat: Puppet, peer: Puppet) -> str:
    """Send another's bytes again, where they came from and as one's own; send one's own many times."""
    peer.say(MessageType.PATTERN_SHARE, _pattern())
    topic, payload = peer.sent[-1]
    cheat.publish(topic, payload)
    cheat.publish(build(MessageType.PATTERN_SHARE, cheat.name, KIND), payload)
    check(len(stage.rejected(cheat.name)) == 2, stage.rejected(cheat.name))
    cheat.say(MessageType.PATTERN_SHARE, _pattern())
    for _ in range(REPEATS):
        cheat.publish(*cheat.sent[-1])
    archived = stage.query(
        "SELECT count(*) AS n FROM patterns p JOIN nodes n ON n.id = p.node WHERE name = ?", cheat.name
    )
    check(archived == [{"n": 1}], archived)
    return f"{'; '.join(stage.rejected(cheat.name))}; its own {REPEATS + 1} times: archived once"


def flood(stage: Stage, cheat: Puppet, peer: Puppet) -> str:
    """Send thousands of messages that are none, while an honest node goes on."""
    topic = build(MessageType.PATTERN_SHARE, cheat.name, KIND)
    for number in range(NOISE_A_STRIKE * STRIKES_MAX):
        cheat.publish_soon(topic, b'{"v":1,"noise":%d}' % number)
        if number == NOISE_A_STRIKE:
            peer.say(MessageType.PATTERN_SHARE, _pattern())  # returns once the hub has it
    cheat.settle()
    return f"{stage.rejected(cheat.name)[0]}; the honest node's message arrived meanwhile; {_quarantined(stage, cheat)}"


def tuned_to_train(stage: Stage, cheat: Puppet, _peer: Puppet) -> str:
    """Submit, with true claims, what beats LRU on the train part only."""
    row = stage.submit(cheat, stage.submission(PROGRAM.format(mark=20), target="shift"))
    check((row["verdict"], row["reason"][:7]) == ("rejected", "useful:"), row)
    return str(row["reason"])


def degenerate(stage: Stage, cheat: Puppet, _peer: Puppet) -> str:
    """Submit, with true claims, what never wants to evict anything."""
    row = stage.submit(cheat, stage.submission(stage.program("def on_scan():\n    return keep(0)\n")))
    check(row["verdict"] == "rejected", row)
    return str(row["reason"])


def spying(stage: Stage, cheat: Puppet, _peer: Puppet) -> str:
    """Ask for hidden workloads, for hidden scores, and for what is addressed to another."""
    wanted = [
        f"kernel/v1/workload_hidden/hub/{KIND}", f"kernel/v1/test_result/+/{KIND}", "kernel/v1/#",
        f"kernel/v1/receipt/hub/{HONEST}",
    ]  # fmt: skip
    granted = cheat.subscribe(wanted)
    check(not any(granted), granted)
    kept = (MessageType.WORKLOAD_HIDDEN, MessageType.TEST_RESULT)
    check(not any(message.type in kept for message in cheat.heard()), "it has heard what is kept from trainers")
    del stage
    return f"{len(wanted)} subscriptions refused (0x80), nothing of it delivered"


def another_role(stage: Stage, cheat: Puppet, _peer: Puppet) -> str:
    """Announce oneself as a validator."""
    cheat.say(MessageType.HELLO, Hello("validator", "memory_management", (KIND,), "promoted"))
    reasons = stage.rejected(cheat.name)
    check(reasons, "its HELLO as a validator was accepted")
    return reasons[0]


def hostile(text: str, test: str) -> Act:
    """Return the act of submitting a program that no honest node would: named after the test that must fail."""

    def act(stage: Stage, cheat: Puppet, _peer: Puppet) -> str:
        source = text if test == "static" else stage.program(text)
        row = stage.submit(cheat, stage.submission_of(source))
        check((row["verdict"], row["reason"].split(":")[0]) == ("rejected", test), row)
        return str(row["reason"])

    return act


def _quarantined(stage: Stage, cheat: Puppet) -> str:
    """See that the node is quarantined by rule, and that what it shares is refused from then on."""
    level = stage.until(lambda: stage.standing(cheat.name).get("level") == "quarantined")
    check(level, f"it is not quarantined: {stage.standing(cheat.name)}")

    def refused() -> bool:
        cheat.say(MessageType.PATTERN_SHARE, _pattern())
        return "is quarantined" in stage.rejected(cheat.name)[-1]

    check(stage.until(refused), "it is quarantined, and what it shares is taken all the same")
    return "what it shares is refused"


def _pattern() -> PatternShare:
    return PatternShare(KIND, "on_hit", "mark + 1", "free", 0.01, 2, "0" * 64, "0" * 64)


def _acceptance(submitter: str, body: OsComponentShare) -> TestResult:
    name = submission_id(submitter, body)
    return TestResult(KIND, body.component, name, submitter, "accepted", False, "", "", (), (), "0" * 64)


ACTS: dict[str, tuple[str, Act]] = {
    "Cheat_Scores": ("claims false scores, again and again", false_scores),
    "Cheat_Spoiler": ("claims falsely for another's source", anothers_source),
    "Cheat_Thief": ("submits another's program as its own", anothers_work),
    "Cheat_Blamer": ("names another as the author", another_author),
    "Cheat_Forger": ("forges senders and roles", forged_senders),
    "Cheat_Replayer": ("replays others' messages and its own", replayed_messages),
    "Cheat_Flooder": ("floods with noise", flood),
    "Cheat_Tuner": ("tunes to the train set", tuned_to_train),
    "Cheat_Idler": ("submits a degenerate program", degenerate),
    "Cheat_Endless": ("submits an endless loop", hostile("def on_hit():\n    while True:\n        pass\n", "static")),
    "Cheat_Bomber": ("submits a fuel bomb", hostile(BOMB, "budget")),
    "Cheat_Twin": (
        "submits a source twice, spelt otherwise",
        hostile("def on_insert( ) :\n  return tail(0,0)\n", "static"),
    ),
    "Cheat_Peeker": (
        "asks for the page's identity",
        hostile("def on_hit(page):\n    return head(0, page % 2)\n", "static"),
    ),
    "Cheat_Importer": ("imports the operating system", hostile("import os\n", "static")),
    "Cheat_Spy": ("subscribes to what is hidden", spying),
    "Cheat_Climber": ("announces itself as a validator", another_role),
}
