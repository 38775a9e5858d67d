"""Intake against whoever means harm: any bytes become an entry that the archive can take.

``corpus/intake.txt`` keeps what was found, one case a line: name, words of the reason (or ``accepted``), payload in
hex. A new find is added there.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.intake import REASON_CHARACTERS_MAX, Accepted, Entry, Rejected, take
from mqtt_hub.protocol.codec import encode
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.protocol.topics import build
from tests.hub.archives import Archive
from tests.protocol.examples import message, scope

NOW = "2026-01-31T12:00:01.000Z"
CORPUS = Path(__file__).parent / "corpus" / "intake.txt"
TOPIC = "kernel/v1/pattern_share/AI_Node_1/page_replacement"

HOSTILE: list[Any] = [
    None, True, False, 0, -1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 1e308, -0.0, 5e-324, 1.5,
    "", "\0", "a" * 70_000, "\u202e", "\ufffe", "\U0001f600" * 100, "'; DROP TABLE messages; --", "../../etc/passwd",
    [], [[]], [None] * 300, {}, {"": {}}, {"a": 1, "b": [2]}, {"v": 1, "type": "HELLO"}, "AI_Node_2", "hub",
]  # fmt: skip


def entry_of(topic: str, payload: bytes, sender: str = "AI_Node_1") -> Entry:
    return take(topic, payload, NOW, sender=sender, refused=None, prefix="kernel")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    opened = Archive(tmp_path_factory.mktemp("fuzz") / "archive.db")
    opened.db.execute("PRAGMA synchronous = OFF")  # this archive is thrown away
    yield opened
    opened.db.close()


def sound(entry: Entry, payload: bytes, archive: Archive) -> None:
    """What intake returns is bounded, keeps the bytes, and the archive takes it."""
    assert entry.payload is payload
    if isinstance(entry, Rejected):
        assert 0 < len(entry.reason) <= REASON_CHARACTERS_MAX
    archive.commit(entry)


paths = st.lists(st.integers(0, 8), min_size=1, max_size=4)


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[str, bytes]:
    """Return the topic and bytes of a valid message with some of its values replaced by hostile ones."""
    type_ = draw(st.sampled_from(list(MessageType)))
    sent = message(type_)
    value = orjson.loads(encode(sent))
    for _ in range(draw(st.integers(1, 3))):
        holder: Any = value
        path = draw(paths)
        for step in path[:-1]:
            inner = list(holder.values()) if isinstance(holder, dict) else holder
            inner = [item for item in inner if isinstance(item, dict | list) and item]
            if not inner:
                break
            holder = inner[step % len(inner)]
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        holder[keys[path[-1] % len(keys)]] = copy.deepcopy(draw(st.sampled_from(HOSTILE)))
    return build(type_, sent.sender, scope(type_)), orjson.dumps(value)


@st.composite
def cut_and_pasted(draw: st.DrawFn) -> tuple[str, bytes]:
    """Return the topic and bytes of a valid message with bytes cut out, put in and doubled."""
    type_ = draw(st.sampled_from(list(MessageType)))
    sent = message(type_)
    data = bytearray(encode(sent))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        what = draw(st.integers(0, 2))
        if what == 0:
            del data[at : at + draw(st.integers(1, 20))]
        elif what == 1:
            data[at:at] = draw(st.binary(max_size=8) | st.sampled_from([b'"', b"{", b"[" * 1010, b"\\ud800", b"1e999"]))
        else:
            data[at:at] = data[at : at + 30]
    return build(type_, sent.sender, scope(type_)), bytes(data)


@settings(deadline=None, max_examples=200)
@given(case=spoiled() | cut_and_pasted() | st.tuples(st.just(TOPIC), st.binary(max_size=200)))
def test_whatever_is_sent_becomes_an_entry_that_the_archive_takes(archive: Archive, case: tuple[str, bytes]) -> None:
    topic, payload = case
    sender = topic.split("/")[3]
    sound(entry_of(topic, payload, sender), payload, archive)


@settings(deadline=None, max_examples=60)
@given(
    topic=st.text(max_size=300)
    | st.lists(st.sampled_from(["kernel", "v1", "hello", "log", "", "+", "#", "a" * 65, "\0"]), max_size=7).map(
        "/".join
    )
)
def test_whatever_it_is_sent_to_becomes_an_entry_that_the_archive_takes(archive: Archive, topic: str) -> None:
    payload = encode(message(MessageType.LOG))
    entry = entry_of(topic.encode(errors="replace").decode(), payload)
    sound(entry, payload, archive)


def kept() -> dict[str, tuple[str, bytes]]:
    cases = {}
    for line in CORPUS.read_text().splitlines():
        if line and not line.startswith("#"):
            name, words, data = line.split("\t")
            cases[name] = (words, bytes.fromhex(data))
    return cases


@pytest.mark.parametrize("name", list(kept()))
def test_the_kept_corpus_is_judged_as_it_was(archive: Archive, name: str) -> None:
    words, payload = kept()[name]
    entry = entry_of(TOPIC, payload)
    sound(entry, payload, archive)
    if words == "accepted":
        assert isinstance(entry, Accepted), entry
    else:
        assert isinstance(entry, Rejected)
        assert words in entry.reason


GROWING = {
    "lists": b"[%s]",
    "objects": b'{"a":%s}',
    "bodies": b'{"v":1,"type":"PATTERN_SHARE","body":{"a":%s}}',
}


@pytest.mark.parametrize("name", list(GROWING))
def test_no_depth_is_too_deep(name: str) -> None:
    payload = b"1"
    for _ in range(1100):
        payload = GROWING[name].replace(b"%s", payload)
        if len(payload) > 90_000:
            break
        assert isinstance(entry_of(TOPIC, payload), Rejected)
