"""The page: whole in itself, below its bound, and whatever nodes write stays text."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

from mqtt_hub.home import Home
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.report.facts import WORKLOADS_MAX
from mqtt_hub.report.figures import Drawing
from mqtt_hub.report.page import PAGE_BYTES_MAX, render
from tests.dashboard.story import HOSTILE, at, score, submission, verdict
from tests.hub.entries import accepted, digest
from tests.report.conftest import facts_of, more
from tests.report.hostile import WORKLOAD

LONGEST = "<&'\"" * 32


class Seen(HTMLParser):
    """What a browser would find in a page: elements, their attributes, the text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def number(self, page: bytes, id_: str) -> int:
        found = re.search(rf'id="{id_}">([\d,]+)<', page.decode())
        assert found, id_
        return int(found[1].replace(",", ""))


Drawn = tuple[dict[str, Any], list[Drawing]]


def test_numbers_of_the_page_are_the_facts(drawn: Drawn) -> None:
    facts, page = drawn[0], render(*drawn)
    seen = Seen(page)
    found = facts["found"]
    assert seen.number(page, "n-messages") == found["messages"]
    assert seen.number(page, "n-programs") == found["programs"]
    assert seen.number(page, "n-accepted") == found["submissions"]["accepted"]
    assert seen.number(page, "n-rejected") == found["submissions"]["rejected"]
    assert seen.number(page, "n-win") == facts["wins"]["counts"]["win"]
    row = facts["wins"]["kinds"][0]["rows"][0]
    for entry in ("default", "picked", "classic", "seed", "chosen", "best", "bound"):
        assert f"{row[entry]['shown']:.4f}" in seen.text
    for told in ("beats all classics and seeds", "useful: sqlite (hidden): 460 misses, lru has 450", "made up"):
        assert told in seen.text


def test_every_figure_is_in_the_page_with_words_for_those_who_do_not_see_it(drawn: Drawn) -> None:
    page = render(*drawn)
    alternatives = [value for name, value in Seen(page).attributes if name == "alt"]
    assert alternatives == [f"{drawing.title}. {drawing.words}" for drawing in drawn[1]]


def test_what_is_observed_is_called_so_and_no_effect(drawn: Drawn) -> None:
    page = render(*drawn)
    assert "Observation, not effect." in Seen(page).text
    assert "Measured" not in Seen(page).text


def test_the_page_fetches_nothing_and_runs_nothing(drawn_hostile: Drawn) -> None:
    page = render(*drawn_hostile)
    seen = Seen(page)
    assert "script" not in seen.elements
    assert not {"link", "iframe", "object", "form", "base"} - {"link"} & set(seen.elements)
    for name, value in seen.attributes:
        assert not name.startswith("on")
        assert name != "style"
        if name in ("src", "href"):
            assert value.startswith(("data:image/svg+xml;base64,", "#")) or value == "data:,"
    policy = dict(item.split(" ", 1) for item in _policy(seen).split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    style = re.search(r"<style>(.*?)</style>", page.decode(), re.DOTALL)
    assert style is not None
    assert policy["style-src"] == f"'sha256-{b64encode(sha256(style[1].encode()).digest()).decode()}'"


def _policy(seen: Seen) -> str:
    return next(value for _, value in seen.attributes if value.startswith("default-src"))


def test_whatever_nodes_write_is_shown_as_they_wrote_it(drawn_hostile: Drawn) -> None:
    page = render(*drawn_hostile)
    seen = Seen(page)
    text = page.decode()
    for written in (HOSTILE, WORKLOAD):
        assert text.count(html.escape(written).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")) >= 2
        assert written in seen.text
    assert "49" not in re.findall(r"\{\{ (\d+)", seen.text)
    for element in ("<img src=x", "<svg", "</title><"):
        assert element not in text


def test_a_page_of_everything_at_its_longest_stays_below_the_bound(home: Home) -> None:
    at_once, results = 30, WORKLOADS_MAX // 30 + 1
    entries: list[Any] = []
    for number in range(results):
        judged = submission(200 + number, seq=200 + number, when=at(50), target=LONGEST, kind=f"kind_{number}")
        scores = [
            replace(score(310.0, workload=f"{number}-{place}-{LONGEST}"[:128]), id=digest(5_000 + 50 * number + place))
            for place in range(at_once)
        ]  # fmt: skip
        entries += [judged, verdict(judged, scores, seq=200 + number)]
    refused = [submission(400 + number, seq=400 + number, when=at(51), target=LONGEST) for number in range(60)]
    entries += [
        item
        for number, one in enumerate(refused)
        for item in (one, verdict(one, [], seq=400 + number, says="rejected", reason=LONGEST * 4))
    ]
    entries += [
        accepted(
            MessageType.PATTERN_SHARE, "AI_Node_1", seq=600 + number, at=at(52), kind=f"kind_{number % 12}",
            expression=f"{number}{LONGEST * 7}", gain=0.5,
        )
        for number in range(120)
    ]  # fmt: skip
    more(home, *entries)
    facts = facts_of(home)
    page = render(facts, [])  # drawings take what is left, and no more
    assert facts["wins"]["more"] == results * at_once + 1 - WORKLOADS_MAX
    assert len(page) <= PAGE_BYTES_MAX
    assert "… and" in page.decode()


def test_figures_for_which_there_is_no_room_are_named_instead(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    facts, drawings = drawn
    monkeypatch.setattr("mqtt_hub.report.page.PAGE_BYTES_MAX", 100_000)
    page = render(facts, drawings)
    assert len(page) <= 100_000
    named = re.findall(r"The figure “([^”]+)” is left out", page.decode())
    assert named
    assert len(named) + page.count(b"<img") == len(drawings)


def test_an_empty_archive_has_a_page_that_says_what_to_do(empty: Home) -> None:
    page = render(facts_of(empty), [])
    seen = Seen(page)
    assert "Nothing has been archived yet" in seen.text
    assert "mqtt-hub spawn -n 4" in seen.text
    assert "img" not in seen.elements
