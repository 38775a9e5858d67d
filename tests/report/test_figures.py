"""Figures: whole in themselves, the same bytes for the same facts, and no label is anything but letters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.home import Home
from mqtt_hub.report.figures import Drawing, draw
from mqtt_hub.report.figures.sheet import LABEL_CHARACTERS_MAX, label
from tests.report.conftest import facts_of
from tests.report.test_experiment import experiment, written

Drawn = tuple[dict[str, Any], list[Drawing]]
PNG = b"\x89PNG\r\n\x1a\n"
HREF = "{http://www.w3.org/1999/xlink}href"


def test_each_part_with_something_in_it_has_its_figure(drawn: Drawn, told_home: Path, tmp_path: Path) -> None:
    kind = "page_replacement"
    always = [f"wins-{kind}", f"lineage-{kind}", f"helped-{kind}", "observed", "items"]
    assert [drawing.name for drawing in drawn[1]] == always
    measured = facts_of(Home(told_home), written(tmp_path, experiment()))
    assert [drawing.name for drawing in draw(measured)] == [*always[:3], "impact", *always[3:]]


def test_an_empty_archive_has_none(empty: Home) -> None:
    assert draw(facts_of(empty)) == []


def test_svg_stands_by_itself_also_with_hostile_labels(drawn_hostile: Drawn) -> None:
    _facts, drawings = drawn_hostile
    assert drawings
    for drawing in drawings:
        svg = drawing.svg()
        tree = ET.fromstring(svg)  # noqa: S314 — our own
        tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
        assert not tags & {"script", "text", "image", "foreignObject", "a"}, "letters are paths"
        assert all(value.startswith("#") for element in tree.iter() if (value := element.get(HREF)))
        assert re.findall(rb"url\((?!#)", svg) == []


def test_the_same_facts_give_the_same_bytes_also_when_they_were_read_from_json(drawn: Drawn) -> None:
    facts, drawings = drawn
    again = draw(orjson.loads(orjson.dumps(facts)))
    assert [drawing.svg() for drawing in drawings] == [drawing.svg() for drawing in again]
    assert drawings[0].svg() == drawings[0].svg()
    assert drawings[0].png().startswith(PNG)


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=60)
def test_any_text_has_a_label_that_can_be_drawn(text: str) -> None:
    drawn = label(text)
    assert len(drawn) <= LABEL_CHARACTERS_MAX
    assert not set(drawn) & set("\n\r\t\x00\x1b\u202e")


@pytest.mark.parametrize(("length", "cut"), [(LABEL_CHARACTERS_MAX, False), (LABEL_CHARACTERS_MAX + 1, True)])
def test_a_label_is_cut_where_it_is_too_long(length: int, cut: bool) -> None:  # noqa: FBT001 — a row of a table
    assert label("a" * length).endswith("…") == cut
    assert len(label("a" * length)) == LABEL_CHARACTERS_MAX
